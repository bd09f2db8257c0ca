import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface, type Interface } from "node:readline"
import { FileSystem } from "@effect/platform"
import { Effect, Layer } from "effect"
import { build } from "esbuild"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import * as DataFolder from "../../src/daemon/DataFolder.ts"
import { layer } from "../../src/platform/node.ts"

const home = mkdtempSync(join(tmpdir(), "weir-folder-"))
const program = join(home, "contestant.mjs")
const contestants: Array<Contestant> = []
let folders = 0
const newFolder = () => join(home, `data-${++folders}`)

/** A process that owns folders when it is told to. */
class Contestant {
  readonly process: ChildProcess
  private readonly lines: Interface
  constructor(user?: number) {
    this.process = spawn(process.execPath, [program], {
      stdio: ["pipe", "pipe", "inherit"],
      ...(user === undefined ? {} : { uid: user, gid: user })
    })
    this.lines = createInterface({ input: this.process.stdout! })
    contestants.push(this)
  }
  async say(line: string): Promise<string> {
    const answer = new Promise<string>((resolve) => this.lines.once("line", resolve))
    this.process.stdin!.write(`${line}\n`)
    return answer
  }
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.process.once("exit", resolve))
    this.process.kill("SIGKILL")
    await gone
    contestants.splice(contestants.indexOf(this), 1)
  }
}

/** Living contestants that own nothing; those of earlier tests are used again. */
const some = (count: number): ReadonlyArray<Contestant> => {
  while (contestants.length < count) new Contestant()
  return contestants.slice(0, count)
}
const two = () => some(2) as readonly [Contestant, Contestant]
const single = () => some(1)[0]!

const look = (folder: string) => Effect.runPromise(Effect.provide(DataFolder.look(folder), layer(modules)))
const modules = { root: "", actors: "", fixtures: "", page: "", weir: "", weirFixtures: "" }

beforeAll(async () => {
  chmodSync(home, 0o755)
  await build({
    entryPoints: [join(import.meta.dirname, "folder-contestant.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    banner: { js: 'import { createRequire as r } from "node:module"; const require = r(import.meta.url);' },
    logLevel: "error"
  })
})
afterEach(async () => {
  await Promise.all(contestants.map((contestant) => contestant.say("close")))
})
afterAll(async () => {
  await Promise.all([...contestants].map((contestant) => contestant.kill()))
  rmSync(home, { recursive: true, force: true })
})

describe("DataFolder", { timeout: 60_000 }, () => {
  it("belongs to exactly one of two processes that start at once, twenty times", async () => {
    const [one, other] = two()
    const folder = newFolder()
    for (let round = 1; round <= 20; round++) {
      const answers = await Promise.all([one.say(`open ${folder}`), other.say(`open ${folder}`)])
      const owners = answers.filter((answer) => answer.startsWith("owner "))
      const refused = answers.filter((answer) => answer.startsWith("FolderOwned "))
      expect([owners.length, refused.length], answers.join(" | ")).toEqual([1, 1])
      expect(owners[0]).toBe(`owner ${round}`)
      await Promise.all([one.say("close"), other.say("close")])
    }
  })

  it("refuses a second owner by pid, start, and folder", async () => {
    const [one, other] = two()
    const folder = newFolder()
    await one.say(`open ${folder}`)
    const answer = await other.say(`open ${folder}`)
    expect(answer).toMatch(/^FolderOwned /)
    expect(answer).toContain(folder)
    expect(answer).toContain(`process ${one.process.pid}`)
    expect(answer).toMatch(/started at \d{4}-\d\d-\d\dT/)
  })

  it("opens at once after its owner was killed", async () => {
    const [one, other] = two()
    const folder = newFolder()
    await one.say(`open ${folder}`)
    await one.kill()
    const began = performance.now()
    expect(await other.say(`open ${folder}`)).toBe("owner 2")
    expect(performance.now() - began).toBeLessThan(1_500)
  })

  it("opens though the dead owner's process id belongs to a living process now", async () => {
    const [one, other] = two()
    const folder = newFolder()
    await one.say(`open ${folder}`)
    await one.kill()
    const lock = JSON.parse(readFileSync(join(folder, "lock.1"), "utf8"))
    writeFileSync(join(folder, "lock.1"), JSON.stringify({ ...lock, pid: process.pid, host: "another-container" }))
    expect(await other.say(`open ${folder}`)).toBe("owner 2")
  })

  it("stays with an owner that is stopped, and says so", async () => {
    const [one, other] = two()
    const folder = newFolder()
    await one.say(`open ${folder}`)
    one.process.kill("SIGSTOP")
    const answer = await other.say(`open ${folder}`)
    one.process.kill("SIGCONT")
    expect(answer).toMatch(/^FolderOwned .*does not answer/)
  })

  it("opens after a clean end, keeps two terms, and leaves no socket", async () => {
    const one = single()
    const folder = newFolder()
    for (let term = 1; term <= 4; term++) {
      expect(await one.say(`open ${folder}`)).toBe(`owner ${term}`)
      await one.say("close")
    }
    expect(readdirSync(folder).sort()).toEqual(["lock", "lock.3", "lock.4", "version"])
  })

  it("does not let a starter that slept take a term that was taken and tidied before", async () => {
    const one = single()
    const folder = newFolder()
    let slept = 0
    const meanwhile = Effect.promise(async () => {
      slept++
      await one.say(`open ${folder}`)
      for (let term = 2; term <= 3; term++) {
        await one.say("close")
        await one.say(`open ${folder}`)
      }
    })
    const sleeping = Layer.effect(
      FileSystem.FileSystem,
      Effect.map(FileSystem.FileSystem, (files) => ({
        ...files,
        link: (from: string, to: string) =>
          slept === 0 ? Effect.zipRight(meanwhile, files.link(from, to)) : files.link(from, to)
      }))
    ).pipe(Layer.provideMerge(layer(modules)))
    const opened = DataFolder.open(folder, { pid: 1, port: null }).pipe(
      Effect.flip,
      Effect.scoped,
      Effect.provide(sleeping)
    )
    const error = await Effect.runPromise(opened)
    expect(slept).toBe(1)
    expect(error._tag).toBe("FolderOwned")
    expect(error.message).toContain(`process ${one.process.pid}`)
  })

  it("is found by its living owner, and by nobody's once that ended", async () => {
    const one = single()
    const folder = newFolder()
    expect(await look(folder)).toBe(null)
    await one.say(`open ${folder}`)
    expect((await look(folder))?.pid).toBe(one.process.pid)
    await one.say("close")
    expect(await look(folder)).toBe(null)
  })

  it("works where its path is too long for a socket", async () => {
    const [one, other] = two()
    const folder = join(home, "long-".repeat(30), "data")
    expect(await one.say(`open ${folder}`)).toBe("owner 1")
    expect(await other.say(`open ${folder}`)).toMatch(/^FolderOwned /)
    await one.kill()
    expect(await other.say(`open ${folder}`)).toBe("owner 2")
  })

  it("is refused and untouched if a newer version made it", async () => {
    const one = single()
    const folder = newFolder()
    mkdirSync(folder)
    writeFileSync(join(folder, "version"), "99\n")
    expect(await one.say(`open ${folder}`)).toMatch(/^FolderNewer .*99/)
    expect(readdirSync(folder)).toEqual(["version"])
  })

  it("names the path that cannot be written", async () => {
    const one = single()
    const file = join(home, "a-file")
    writeFileSync(file, "")
    const answer = await one.say(`open ${join(file, "data")}`)
    expect(answer).toMatch(/^StorageFailed /)
    expect(answer).toContain(join(file, "data"))
  })

  it("names a folder without permission", async () => {
    // Root may write anywhere: the contestant is somebody else then.
    const one = process.getuid?.() === 0 ? new Contestant(65_534) : single()
    const folder = newFolder()
    mkdirSync(folder, { mode: 0o555 })
    const answer = await one.say(`open ${folder}`)
    expect(answer).toMatch(/^StorageFailed /)
    expect(answer).toContain(folder)
  })
})
