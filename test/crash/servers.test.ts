/** The orders job over Kafka, into the tables of servers and into topics, killed as a process. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { ask, database } from "../services/asked.ts"
import { isThorough } from "../Thorough.ts"
import * as KillPaths from "./KillPaths.ts"
import * as Kills from "./Kills.ts"

const kafka = await ask("kafka")
const brokers = "missing" in kafka ? "" : kafka.address
const databases = ["postgres", "mariadb"] as const
const found = await Promise.all(databases.map(async (name) => ({ name, isThere: !("missing" in (await ask(name))) })))
const missing: ReadonlySet<string> = new Set(found.flatMap(({ isThere, name }) => (isThere ? [] : [name])))

const home = mkdtempSync(join(tmpdir(), "weir-kill-servers-"))
beforeAll(() => Kills.build(), 60_000)
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Kills of a path on a runtime: the least that shows each path, or, thoroughly, each path on each runtime. */
const killings = KillPaths.paths.flatMap((path) => {
  const isMain = path.name !== "kafka-kafka-postgres"
  if (!isThorough) return isMain ? [{ path, runtime: "node" as const, killsMin: 2 }] : []
  const onNode = { path, runtime: "node" as const, killsMin: isMain ? 20 : 3 }
  return isMain ? [onNode, ...(["bun", "deno"] as const).map((runtime) => ({ path, runtime, killsMin: 3 }))] : [onNode]
})

describe.each(killings)("$path.meaning, killed with SIGKILL on $runtime", ({ killsMin, path, runtime }) => {
  it.skipIf(brokers === "" || missing.has(path.database))(
    "writes to the cent what the oracle computes, killed again and again, nothing twice, nothing missing",
    { timeout: 900_000 },
    async () => {
      const own = (await database(path.database))!
      try {
        const servers = { brokers, database: own.url }
        const { differences, orders, seen } = await KillPaths.killed(path, servers, { killsMin, runtime })
        process.stdout.write(`${Kills.summary(seen)}\n`)
        expect(Kills.shortcomings(seen, killsMin)).toEqual([])
        for (const count of Object.values(orders)) expect(count).toBeGreaterThan(0)
        expect(differences).toEqual([])
      } finally {
        await own.drop()
      }
    }
  )
})
