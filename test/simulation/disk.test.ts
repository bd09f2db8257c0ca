/** The disk of a simulated machine: like a real one while it has power, and what is left of it when it had none. */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Chance from "../../src/testing/simulation/Chance.ts"
import * as Disk from "../../src/testing/simulation/Disk.ts"
import * as DiskFiles from "../../src/testing/simulation/DiskFiles.ts"
import { isThorough } from "../Thorough.ts"

const timeout = 120_000

const seedsOf = (few: number, many: number): ReadonlyArray<number> =>
  Array.from({ length: isThorough ? many : few }, (_, i) => i + 1)

describe("a simulated disk", () => {
  it.live(
    "does and refuses in any series of operations what a real file system does and refuses",
    () =>
      Effect.gen(function* () {
        const real = yield* Effect.provide(FileSystem.FileSystem, NodeFileSystem.layer)
        const seen = new Set<string>()
        for (const seed of seedsOf(4, 60)) {
          const folder = yield* real.makeTempDirectoryScoped()
          const disk = Disk.make(Chance.fromSeed(seed))
          const simulated = yield* Effect.provide(FileSystem.FileSystem, DiskFiles.layerBeside(disk))
          const [expected, found] = [
            yield* series(real, folder, Chance.fromSeed(seed)),
            yield* series(simulated, "", Chance.fromSeed(seed))
          ]
          expect(found).toEqual(expected)
          for (const line of expected) seen.add(line.replace(/ [^:]*:/, "").replace(/^(\w+ done).*/, "$1"))
        }
        for (const name of operationNames) {
          expect(seen).toContain(`${name} done`)
          if (!["exists", "seek", "statFile", "sync"].includes(name))
            expect([name, [...seen].some((line) => line.startsWith(`${name} refused`))]).toEqual([name, true])
        }
        for (const reason of ["NotFound", "AlreadyExists", "BadResource", "Unknown"])
          expect([reason, [...seen].some((line) => line.endsWith(`refused ${reason}`))]).toEqual([reason, true])
      }).pipe(Effect.scoped),
    timeout
  )
})

describe("a power loss", () => {
  it("leaves of a file what was synced, and of each change since all, a part or nothing, in any subset", () => {
    const seen = new Set<string>()
    for (const seed of seedsOf(300, 3_000)) {
      const chance = Chance.fromSeed(seed)
      const disk = Disk.make(chance)
      const file = disk.open("/file", "w")
      disk.open("/", "r").sync()
      let synced: ReadonlyArray<number> = []
      let since: Array<Change> = []
      for (let mark = 1; mark <= 12; mark++) {
        if (chance.below(4) === 0) {
          synced = contentOf(synced, since)
          since = []
          file.sync()
        } else if (chance.below(5) === 0) {
          const size = chance.below(2_000)
          since.push({ size })
          file.truncate(size)
        } else {
          const change = { at: chance.below(1_500), length: 1 + chance.below(1_200), mark }
          since.push(change)
          file.write(change.at, new Uint8Array(change.length).fill(mark))
        }
      }
      expect(bytesAt(disk)).toEqual(contentOf(synced, since))
      const loss = disk.losePower(() => chance.below(2) === 0)
      const found = bytesAt(disk)
      expect(loss.writes).toBe(since.length)
      expect(found.findIndex((byte, at) => !bytesPossible(synced, since, at).includes(byte))).toBe(-1)
      expect(isSizePossible(synced, since, found.length)).toBe(true)
      if (loss.writesLost === 0 && loss.writesTorn === 0) expect(found).toEqual(contentOf(synced, since))
      if (loss.writesLost === since.length) expect(found).toEqual(synced)
      if (since.length > 0) {
        seen.add(loss.writesLost === 0 ? "all" : loss.writesLost === since.length ? "nothing" : "some")
        if (loss.writesTorn > 0) seen.add("torn")
        const marks = since.flatMap((change) => ("mark" in change && found.includes(change.mark) ? [change.mark] : []))
        const isGone = (change: Change) =>
          "mark" in change && change.mark < Math.max(...marks) && !marks.includes(change.mark)
        if (loss.writesTorn === 0 && since.some(isGone)) seen.add("a later one without an earlier one")
      }
      // What is left is durable: it outlives the next loss.
      disk.losePower(() => true)
      expect(bytesAt(disk)).toEqual(found)
    }
    expect([...seen].sort()).toEqual(["a later one without an earlier one", "all", "nothing", "some", "torn"])
  })

  it("leaves of a name what was synced or what it became since, and loses no file that was renamed", () => {
    const seen = new Set<string>()
    for (const seed of seedsOf(300, 3_000)) {
      const chance = Chance.fromSeed(seed)
      const disk = Disk.make(chance)
      disk.makeFolder("/folder", false)
      disk.open("/", "r").sync()
      const names = ["a", "b", "c", "d"]
      const now = new Map<string, number>()
      let synced = new Map<string, number>()
      let since: Array<readonly [name: string, file: number | null]> = []
      const removed = new Set<number>()
      const put = (name: string, file: number | null): void => {
        const before = now.get(name)
        if (before !== undefined) removed.add(before)
        if (file === null) now.delete(name)
        else now.set(name, file)
        since.push([name, file])
      }
      for (let file = 1; file <= 14; file++) {
        const [name, other] = [names[chance.below(4)]!, names[chance.below(4)]!]
        const there = now.get(name)
        if (there === undefined) {
          const made = disk.open(`/folder/${name}`, "wx")
          made.write(0, new Uint8Array([file]))
          made.sync()
          put(name, file)
        } else if (chance.below(4) === 0) {
          disk.remove(`/folder/${name}`, false)
          put(name, null)
        } else if (chance.below(3) === 0) {
          disk.open("/folder", "r").sync()
          synced = new Map(now)
          since = []
          removed.clear()
        } else if (name !== other) {
          disk.rename(`/folder/${name}`, `/folder/${other}`)
          put(other, there)
          now.delete(name)
          since.push([name, null])
        }
      }
      const loss = disk.losePower(() => true)
      expect([loss.writes, loss.names]).toEqual([0, since.length])
      const found = new Map(disk.names("/folder").map((name) => [name, bytesAt(disk, `/folder/${name}`)[0]!]))
      for (const name of names) {
        const became = since.flatMap(([one, file]) => (one === name ? [file] : []))
        expect([synced.get(name) ?? null, ...became]).toContain(found.get(name) ?? null)
      }
      const left = new Set(found.values())
      for (const file of synced.values()) if (!removed.has(file)) expect([...left]).toContain(file)
      if (loss.namesLost === 0) expect(found).toEqual(now)
      if (loss.namesLost === since.length) expect(found).toEqual(synced)
      if (since.length > 0)
        seen.add(loss.namesLost === 0 ? "all" : loss.namesLost === since.length ? "nothing" : "some")
      if (new Set(found.values()).size < found.size) seen.add("both names")
    }
    expect([...seen].sort()).toEqual(["all", "both names", "nothing", "some"])
  })

  it("takes a file that was synced, and its name not", () => {
    const outcomes = seedsOf(40, 40).map((seed) => {
      const disk = Disk.make(Chance.fromSeed(seed))
      const file = disk.open("/file", "w")
      file.write(0, new Uint8Array([1]))
      file.sync()
      disk.losePower(() => false)
      return disk.names("/").length
    })
    expect(new Set(outcomes)).toEqual(new Set([0, 1]))
  })
})

// What may be left of a file, said byte by byte

type Change = { readonly at: number; readonly length: number; readonly mark: number } | { readonly size: number }

const contentOf = (before: ReadonlyArray<number>, changes: ReadonlyArray<Change>): ReadonlyArray<number> => {
  let bytes = [...before]
  for (const change of changes) {
    const size = "size" in change ? change.size : Math.max(bytes.length, change.at + change.length)
    bytes = Array.from({ length: size }, (_, at) => bytes[at] ?? 0)
    if ("mark" in change) bytes.fill(change.mark, change.at, change.at + change.length)
  }
  return bytes
}

const bytesPossible = (
  synced: ReadonlyArray<number>,
  since: ReadonlyArray<Change>,
  at: number
): ReadonlyArray<number> => {
  const mayBeEmpty = synced[at] === undefined || since.some((change) => "size" in change && change.size <= at)
  const written = since.flatMap((change) =>
    "mark" in change && change.at <= at && at < change.at + change.length ? [change.mark] : []
  )
  return [...(mayBeEmpty ? [0] : []), synced[at] ?? 0, ...written]
}

const isSizePossible = (synced: ReadonlyArray<number>, since: ReadonlyArray<Change>, size: number): boolean =>
  size === synced.length ||
  since.some((change) =>
    "size" in change ? change.size === size : change.at < size && size <= change.at + change.length
  )

const bytesAt = (disk: Disk.Disk, path = "/file"): ReadonlyArray<number> => {
  const file = disk.open(path, "r")
  const bytes = new Uint8Array(file.stat().size)
  file.read(0, bytes)
  return [...bytes]
}

// A series of operations

const paths = ["a", "b", "f", "f/a", "f/b", "f/g", "f/g/a", "a/b", "f/h"]
const flags = ["r", "r+", "w", "wx", "w+", "wx+", "a", "ax", "a+", "ax+"] as const

type Operation = (at: {
  readonly fs: FileSystem.FileSystem
  readonly path: string
  readonly other: string
  readonly file: FileSystem.File | undefined
  readonly open: (path: string, flag: FileSystem.OpenFlag) => Effect.Effect<unknown, unknown>
  readonly chance: Chance.Chance
}) => Effect.Effect<unknown, unknown>

const bytesOf = (chance: Chance.Chance): Uint8Array =>
  Uint8Array.from({ length: chance.below(40) }, () => 97 + chance.below(26))
const onFile =
  (operation: (file: FileSystem.File, chance: Chance.Chance) => Effect.Effect<unknown, unknown>): Operation =>
  ({ chance, file }) =>
    file === undefined ? Effect.succeed("no file") : operation(file, chance)
const told = ({ nlink, size, type }: FileSystem.File.Info) =>
  type === "Directory" ? type : `${type} of ${size} bytes, ${nlink._tag === "Some" ? nlink.value : "?"} names`
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const operations: Readonly<Record<string, Operation>> = {
  open: ({ chance, open, path }) => open(path, flags[chance.below(flags.length)]!),
  access: ({ fs, path }) => fs.access(path),
  exists: ({ fs, path }) => fs.exists(path),
  link: ({ fs, other, path }) => fs.link(path, other),
  makeDirectory: ({ chance, fs, path }) => Effect.asVoid(fs.makeDirectory(path, { recursive: chance.below(2) === 0 })),
  readDirectory: ({ fs, path }) => Effect.map(fs.readDirectory(path), (names) => names.sort()),
  readFile: ({ fs, path }) => Effect.map(fs.readFile(path), text),
  remove: ({ chance, fs, path }) => fs.remove(path, { recursive: chance.below(4) === 0, force: chance.below(2) === 0 }),
  rename: ({ fs, other, path }) => fs.rename(path, other),
  stat: ({ fs, path }) => Effect.map(fs.stat(path), told),
  truncatePath: ({ chance, fs, path }) => fs.truncate(path, chance.below(60)),
  writeFile: ({ chance, fs, path }) => fs.writeFile(path, bytesOf(chance)),
  read: onFile((file, chance) => {
    const buffer = new Uint8Array(1 + chance.below(50))
    return Effect.map(file.read(buffer), (bytes) => text(buffer.subarray(0, Number(bytes))))
  }),
  readAlloc: onFile((file, chance) =>
    Effect.map(file.readAlloc(1 + chance.below(50)), (bytes) => (bytes._tag === "None" ? "none" : text(bytes.value)))
  ),
  seek: onFile((file, chance) =>
    Effect.asVoid(file.seek(chance.below(60), chance.below(2) === 0 ? "start" : "current"))
  ),
  statFile: onFile((file) => Effect.map(file.stat, told)),
  sync: onFile((file) => file.sync),
  truncate: onFile((file, chance) => file.truncate(chance.below(60))),
  write: onFile((file, chance) => Effect.map(file.write(bytesOf(chance)), String)),
  writeAll: onFile((file, chance) => file.writeAll(Uint8Array.from([65, ...bytesOf(chance)])))
}
const operationNames = Object.keys(operations)

const operationsOfSeries = 300

/** What each operation of a series answered, or why it was refused. */
const series = (fs: FileSystem.FileSystem, root: string, chance: Chance.Chance) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const files: Array<FileSystem.File> = []
    const open = (path: string, flag: FileSystem.OpenFlag) =>
      Effect.map(Scope.extend(fs.open(path, { flag }), scope), (file) => void files.push(file))
    const lines: Array<string> = []
    for (let i = 0; i < operationsOfSeries; i++) {
      const name = operationNames[chance.below(3) === 0 ? 0 : chance.below(operationNames.length)]!
      const [path, other] = [paths[chance.below(paths.length)]!, paths[chance.below(paths.length)]!]
      const file = files[chance.below(Math.max(1, files.length))]
      const at = { fs, path: `${root}/${path}`, other: `${root}/${other}`, file, open, chance }
      const exit = yield* Effect.exit(operations[name]!(at))
      lines.push(`${name} ${path} ${other}: ${outcomeOf(exit)}`)
    }
    yield* Scope.close(scope, Exit.void)
    return lines
  })

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return `done ${JSON.stringify(exit.value)}`
  if (exit.cause._tag !== "Fail") return `broken ${String(exit.cause)}`
  return `refused ${(exit.cause.error as { readonly reason: string }).reason}`
}
