/** The Dockerfile: what it says, and, thoroughly, what follows from it where there is no container engine. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { drainMillisMax } from "../../src/model/Limits.ts"
import { ask } from "../services/asked.ts"
import { isThorough } from "../Thorough.ts"
import * as Dockerfile from "./Dockerfile.ts"

const root = join(import.meta.dirname, "../..")
const stages = Dockerfile.read(join(root, "Dockerfile"))
const named = (name: string) => stages.find((stage) => stage.name === name)!
const copies = stages
  .flatMap(({ instructions }) => instructions)
  .flatMap(({ name, text }) => (name === "COPY" ? [Dockerfile.copyOf(text)] : []))

describe("The Dockerfile", () => {
  it("makes the image of Node where no target is named, and one of Bun", () => {
    expect(stages.map(({ name }) => name)).toEqual(["build", "bun", "node"])
    expect(stages.filter(({ base }) => !/:\d+\.\d+\.\d+/.test(base))).toEqual([])
  })

  it.each(["node", "bun"])("runs as nobody in particular on %s, with a health check", (name) => {
    const stage = named(name)
    expect(Dockerfile.lastOf(stage, "USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(Dockerfile.wordsOf(Dockerfile.lastOf(stage, "HEALTHCHECK"))).toEqual(["weir", "health"])
    expect(Dockerfile.lastOf(stage, "VOLUME")).toBe("/data")
    expect(Dockerfile.lastOf(stage, "ENV")).toContain("WEIR_DATA=/data")
  })

  it("brings to Node each package that is not in its bundle", () => {
    const [, external] = /external: \[(.*)\]/.exec(readFileSync(join(root, "build.mjs"), "utf8"))!
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly dependencies: Readonly<Record<string, string>>
    }
    // Those that are not installed with it, a job brings itself.
    const packages = (JSON.parse(`[${external}]`) as ReadonlyArray<string>).filter(
      (name) => name !== "esbuild" && name in dependencies
    )
    const brought = named("node")
      .instructions.map(({ text }) => text)
      .join("\n")
    expect(packages.length).toBeGreaterThan(0)
    expect(packages.filter((name) => !brought.includes(`node_modules/${name.split("/")[0]}`))).toEqual([])
  })

  it("is given what it copies, and nothing else", () => {
    const given = readFileSync(join(root, ".dockerignore"), "utf8").trim().split("\n")
    const wanted = copies.flatMap(({ from, sources }) => (from === null ? sources : []))
    expect(wanted.filter((source) => !existsSync(join(root, source)))).toEqual([])
    expect(given[0]).toBe("*")
    expect(new Set(given.slice(1))).toEqual(new Set(wanted.map((source) => `!${source}`)))
  })
})

const work = mkdtempSync(join(tmpdir(), "weir-image-"))
afterAll(() => rmSync(work, { recursive: true, force: true }))
/** Only root may lay a tree over another one, and not everywhere. */
const canFollow = async () =>
  (await Dockerfile.shell([`layer probe`, `chroot "$work/probe" true`], { work, context: root })).code === 0

describe.skipIf(!(isThorough && (await canFollow())))("The image of Node, step by step", { timeout: 300_000 }, () => {
  it("runs orders as a user of no rights in a tree that cannot be written, is well, and ends in time", async () => {
    mkdirSync(join(work, "data"))
    const [kafka, postgres] = await Promise.all([ask("kafka"), ask("postgres")])
    const servers = {
      ...("address" in kafka ? { KAFKA_BROKERS: kafka.address } : {}),
      ...("address" in postgres ? { DATABASE_URL: postgres.address } : {})
    }
    const node = named("node")
    const run = Dockerfile.running(node, { WEIR_TOKEN: "of this test", WEIR_PORT: "0", ...servers })
    const entry = Dockerfile.wordsOf(Dockerfile.lastOf(node, "ENTRYPOINT")).join(" ")
    const health = Dockerfile.wordsOf(Dockerfile.lastOf(node, "HEALTHCHECK")).join(" ")
    const ended = await Dockerfile.shell(
      [
        ...Dockerfile.building(named("build")),
        ...Dockerfile.building(node),
        `du -sm "$work/layers/node" | cut -f 1`,
        `chown 1000:1000 "$work/data"; mount --bind "$work/data" "$work/node/data"`,
        `mount -o remount,ro "$work/node"`,
        `${run} sh -c 'touch /weir/x' 2>&1 || echo "cannot be written"`,
        `${run} ${health} || echo "nobody is well"`,
        `${run} ${entry} start orders --demo > "$work/said" 2>&1 &`,
        `daemon=$!`,
        // It is well as soon as it answers: by then the job may still start, or wait for its broker.
        `for try in $(seq 100); do`,
        `  ${run} ${health} > "$work/health" 2>&1 && grep -qx "job orders is running" "$work/health" && break; sleep 0.2`,
        `done`,
        `cat "$work/health"`,
        `sleep 5; ${run} ${entry} query --format csv 'select count(*) > 0 as has_rows from shop_item_income'`,
        `started=$(date +%s%3N); kill -TERM $daemon; code=0; wait $daemon || code=$?`,
        `echo "ended with $code"; echo "after $(($(date +%s%3N) - started))"`,
        `${run} ${health} 2>&1 || echo "nobody is well any more"`,
        `cat "$work/said" >&2`
      ],
      { work, context: root }
    )
    expect(ended.code, ended.err).toBe(0)
    const lines = ended.out.split("\n")
    expect(lines).toContain("cannot be written")
    expect(lines).toContain("job orders is running")
    expect(lines.slice(lines.indexOf("has_rows"))[1]).toMatch(/^t(rue)?$/)
    expect(lines).toContain("ended with 130")
    expect(Number(/^after (\d+)$/m.exec(ended.out)![1])).toBeLessThan(drainMillisMax + 500)
    expect(lines).toContain("nobody is well any more")
    expect(Number(/^\d+$/m.exec(ended.out)![0]), "MB over the base image").toBeLessThan(150)
  })
})
