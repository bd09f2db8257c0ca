/** What a person gets wrong at the command line, or a machine under it: a sentence, a way out, and nothing is lost. */
import { spawn } from "node:child_process"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Ended, newFolder, root, weir } from "../cli/program.ts"

const folder = newFolder()
const environment = { WEIR_DATA: join(folder, "data") }
const file = join(folder, "file")

beforeAll(async () => {
  // Builds the bundle if the sources are newer.
  await weir(["--version"])
  writeFileSync(file, "no folder")
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const isClear = ({ code, err, out }: Ended, wanted: number, says: RegExp): void => {
  expect(err).toMatch(says)
  expect({ code, out }).toEqual({ code: wanted, out: "" })
  expect(err).not.toMatch(/^\s+at /m)
  expect(err).not.toMatch(/defect|impossible/)
  const lines = err.trim().split("\n")
  expect(lines.length).toBe(2)
  for (const line of lines) expect(line).toMatch(/[.!?`]$/)
}

const set = (...settings: ReadonlyArray<string>) => [
  "run",
  "orders",
  "--available-now",
  ...settings.flatMap((setting) => ["--set", setting])
]

interface Misuse {
  readonly name: string
  readonly words: ReadonlyArray<string>
  readonly says: RegExp
  /** Default: 2. */
  readonly code?: number
  readonly environment?: Readonly<Record<string, string>>
}

const misuses: ReadonlyArray<Misuse> = [
  { name: "an unknown job", words: ["run", "order"], says: /no job 'order'[\s\S]*orders/ },
  { name: "an unknown command", words: ["rnu"], says: /no command 'rnu'[\s\S]*run/ },
  { name: "a parameter that the job has not", words: set("windw=5s"), says: /no parameter 'windw'[\s\S]*window/ },
  { name: "a parameter that every object has", words: set("toString=1"), says: /no parameter 'toString'/ },
  { name: "a parameter named __proto__", words: set("__proto__=1"), says: /no parameter '__proto__'/ },
  { name: "a setting without a value", words: set("window"), says: /'window' sets nothing[\s\S]*--set window=/ },
  { name: "an empty value", words: set("topic="), says: /'topic'.*must not be empty/ },
  { name: "a word as duration", words: set("window=soon"), says: /'soon' is no duration.*60 seconds/ },
  { name: "a number without its unit", words: set("window=60"), says: /'60' is no duration.*60 seconds/ },
  { name: "a window of nothing", words: set("window=0 seconds"), says: /window=0 seconds.*above 0/ },
  { name: "a window beyond a century", words: set("window=99999999 days"), says: /must not exceed 36525 days/ },
  {
    name: "a length of time that no number holds",
    words: set("maxOutOfOrderness=99999999999999999999999 days"),
    says: /is no duration/
  },
  { name: "fewer than no records in an epoch", words: set("maxPerEpoch=-1"), says: /maxPerEpoch.*negative/ },
  { name: "half a record in an epoch", words: set("maxPerEpoch=0.5"), says: /'0.5' is no whole number/ },
  { name: "a trigger of nothing", words: set("trigger=0s"), says: /trigger.*1 millisecond/ },
  { name: "a start that is nowhere", words: set("startAt=now"), says: /'earliest' nor 'latest'/ },
  { name: "a topic outside of the log", words: set("topic=../../etc"), says: /cannot be: .*letters/, code: 1 },
  {
    name: "a data folder that is a file",
    words: ["topics"],
    says: /data folder .*file cannot be used[\s\S]*--data or WEIR_DATA/,
    code: 1,
    environment: { WEIR_DATA: file }
  },
  {
    name: "a host that others reach, without a token",
    words: ["start", "--host", "0.0.0.0"],
    says: /no WEIR_TOKEN is set/
  },
  { name: "a port that no port is", words: ["start", "--port", "65536"], says: /'65536'.*0 to 65535/ }
]

describe("A process ends with a sentence and a way out for", { timeout: 60_000 }, () => {
  it.concurrent.each(misuses)("$name", async ({ code, environment: other, says, words }) => {
    const own = { WEIR_DATA: newFolder() }
    isClear(await weir(words, { environment: other ?? own }), code ?? 2, says)
    rmSync(own.WEIR_DATA, { recursive: true, force: true })
  })

  it("a port in use, and takes it once it is free", async () => {
    const other = createServer()
    const port = await new Promise<number>((resolve) =>
      other.listen(0, "127.0.0.1", () => resolve((other.address() as { port: number }).port))
    )
    const words = ["start", "--port", String(port)]
    isClear(await weir(words, { environment }), 1, new RegExp(`Port ${port} .*in use[\\s\\S]*--port`))
    await new Promise((resolve) => other.close(resolve))
    const child = spawn(process.execPath, [join(root, "bin/weir.mjs"), ...words], {
      cwd: root,
      env: { ...process.env, ...environment }
    })
    await new Promise<void>((resolve) =>
      child.stderr.on("data", (piece) => {
        if (String(piece).includes(`:${port}`)) resolve()
      })
    )
    child.kill("SIGINT")
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(130)
  })
})

/** A process whose files may not grow beyond so many kilobytes: what a full disk is to a write. */
const limited = (kilobytes: number, words: ReadonlyArray<string>, input: string): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(
      "bash",
      ["-c", `ulimit -f ${kilobytes}; exec "$0" "$@"`, process.execPath, join(root, "bin/weir.mjs"), ...words],
      { cwd: root, env: { ...process.env, ...environment } }
    )
    let out = ""
    let err = ""
    child.stdout.on("data", (piece) => {
      out += piece
    })
    child.stderr.on("data", (piece) => {
      err += piece
    })
    child.stdin.on("error", () => {})
    child.stdin.end(input)
    child.on("close", (code) => resolve({ code, out, err }))
  })

describe("A file that cannot grow any more", { timeout: 60_000 }, () => {
  const words = ["produce", "full", "--partition", "0"]
  const line = (n: number) => `{"n":${n},"filling":"${"x".repeat(1_000)}"}`
  const lines = Array.from({ length: 4_000 }, (_, n) => line(n)).join("\n")
  const records = async (): Promise<ReadonlyArray<string>> => {
    const { out } = await weir(["tail", "full", "--format", "json"], { environment })
    return JSON.parse(out).map(({ value }: { value: unknown }) =>
      typeof value === "string" ? value : JSON.stringify(value)
    )
  }

  it("ends a producer with a sentence; what was there stays, and no record is there in part", async () => {
    expect((await weir(words, { environment, input: line(-1) })).out).toBe("1 records produced to full\n")
    const ended = await limited(2_000, words, lines)
    isClear(ended, 1, /Cannot write to .*full\/0\/.*\.log[\s\S]*disk/)
    const kept = await records()
    expect(kept[0]).toBe(line(-1))
    expect(kept.slice(1)).toEqual(Array.from({ length: kept.length - 1 }, (_, n) => line(n)))
    expect(kept.length).toBeLessThan(2_000)
  })

  it("takes records again once there is space", async () => {
    const before = (await records()).length
    expect((await weir(words, { environment, input: lines })).code).toBe(0)
    expect((await records()).length).toBe(before + 4_000)
  })
})

describe("A folder that may only be read", { timeout: 60_000 }, () => {
  it("is refused, is not changed, and is taken once it may be written", async () => {
    const own = join(folder, "read-only")
    mkdirSync(own)
    await weir(["produce", "some"], { environment: { WEIR_DATA: own }, input: '{"n":1}' })
    const before = readFileSync(join(own, "lock"), "utf8")
    const { chmodSync, chownSync } = await import("node:fs")
    // Root may write everywhere: then the process runs as somebody else.
    const isRoot = process.getuid?.() === 0
    const user = isRoot ? { uid: 65_534, gid: 65_534 } : {}
    chmodSync(folder, 0o755)
    chmodSync(own, 0o555)
    const ended = await new Promise<Ended>((resolve) => {
      const child = spawn(process.execPath, [join(root, "bin/weir.mjs"), "topics"], {
        cwd: root,
        env: { ...process.env, WEIR_DATA: own },
        ...user
      })
      let [out, err] = ["", ""]
      child.stdout.on("data", (piece) => {
        out += piece
      })
      child.stderr.on("data", (piece) => {
        err += piece
      })
      child.on("close", (code) => resolve({ code, out, err }))
    })
    isClear(ended, 1, /data folder .*read-only cannot be used[\s\S]*may read and write/)
    expect(readFileSync(join(own, "lock"), "utf8")).toBe(before)
    chmodSync(own, 0o755)
    chownSync(own, process.getuid!(), process.getgid!())
    const after = await weir(["tail", "some"], { environment: { WEIR_DATA: own } })
    expect(after.out).toContain('{"n":1}')
  })
})
