import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import { Files } from "../../../src/connectors/files/index.ts"
import type { SourceReader } from "../../../src/flow/Source.ts"
import { folderOf, put, seen, valuesOf } from "./Folders.ts"

const hasty = { settle: "20 millis" } as const

/** Opens a source as one process does, with its ledgers in `data`. */
const opened = (data: string, source: ReturnType<typeof Files.text>) =>
  Effect.provide(source.open, Files.layerLedgers({ folder: `${data}/files` }))

const rangeOf = (reader: SourceReader) => Effect.map(reader.partitions, ([range]) => [range!.oldest, range!.latest])

/** Waits until the source has so many rows. */
const until = (reader: SourceReader, latest: number) =>
  Effect.gen(function* () {
    while ((yield* rangeOf(reader))[1]! < latest) yield* reader.changed
  }).pipe(Effect.timeout("2 minutes"))

const layer = Layer.merge(NodeFileSystem.layer, Logger.remove(Logger.defaultLogger))

describe("a folder that is watched", () => {
  it.scopedLive("is read to what is there, and on as files come, each row under one number for ever", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ b: "1\n2", c: "3\n" })
      const data = yield* folderOf({})
      const source = Files.text(folder, hasty)
      const identity = yield* Effect.scoped(
        Effect.gen(function* () {
          const reader = yield* opened(data, source)
          expect(reader.finite).toBe(false)
          expect(yield* rangeOf(reader)).toEqual([0, 3])
          expect(yield* reader.read(0, 3, 10)).toBe(null)
          yield* put(`${folder}/a`, "4\n5\n")
          yield* until(reader, 5)
          expect(valuesOf(yield* seen(reader, 3))).toEqual(["4", "5"])
          return reader.identity
        })
      )
      yield* put(`${folder}/0`, "6")
      const again = yield* opened(data, source)
      expect(again.identity).toBe(identity)
      expect(yield* seen(again)).toEqual([
        [0, "b", "1"],
        [1, "b", "2"],
        [2, "c", "3"],
        [3, "a", "4"],
        [4, "a", "5"],
        [5, "0", "6"]
      ])
      const other = yield* opened(yield* folderOf({}), source)
      expect(other.identity).not.toBe(identity)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("gives no row of a file before it stands still", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* folderOf({ a: "1\n" })
      const growing = yield* Effect.forkScoped(
        Effect.forever(
          Effect.zipRight(fs.writeFileString(`${folder}/slow`, "2\n", { flag: "a" }), Effect.sleep("30 millis"))
        )
      )
      const reader = yield* opened(yield* folderOf({}), Files.text(folder, { settle: "700 millis" }))
      expect(yield* rangeOf(reader)).toEqual([0, 1])
      yield* Effect.sleep("1500 millis")
      expect(yield* rangeOf(reader)).toEqual([0, 1])
      yield* Fiber.interrupt(growing)
      const written = (yield* fs.readFileString(`${folder}/slow`)).length / 2
      yield* until(reader, 1 + written)
      expect(yield* rangeOf(reader)).toEqual([0, 1 + written])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("ignores new content under a path that was read, and says so once, or reads it if that is wanted", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ a: "1\n" })
      const data = yield* folderOf({})
      const lines: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => {
          lines.push(String(message))
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const reader = yield* opened(data, Files.text(folder, hasty))
          expect(valuesOf(yield* seen(reader))).toEqual(["1"])
          yield* put(`${folder}/a`, "2\n")
          yield* put(`${folder}/b`, "3\n")
          yield* until(reader, 2)
          yield* Effect.sleep("1500 millis")
          expect(valuesOf(yield* seen(reader, 1))).toEqual(["3"])
        })
      ).pipe(Effect.provide(logger))
      expect(lines).toEqual([expect.stringContaining("the file a was taken before and has another content now")])
      const reader = yield* opened(data, Files.text(folder, { ...hasty, changed: "reread" }))
      expect(valuesOf(yield* seen(reader, 1))).toEqual(["3", "2"])
      const error = yield* Effect.flip(reader.read(0, 0, 1))
      expect(error).toMatchObject({ _tag: "SourceReplaced", retry: false })
      expect(error.message).toContain("the file a is gone or has another content")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("notes what it takes once for all jobs of a process", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ a: "1\n", b: "2\n" })
      const data = yield* folderOf({})
      const source = Files.text(folder, hasty)
      yield* Effect.gen(function* () {
        const [one, other] = yield* Effect.all([source.open, source.open], { concurrency: "unbounded" })
        expect(yield* rangeOf(one)).toEqual([0, 2])
        yield* put(`${folder}/c`, "3\n")
        yield* Effect.all([until(one, 3), until(other, 3)], { concurrency: "unbounded" })
        expect(yield* seen(one)).toEqual(yield* seen(other))
        expect(one.identity).toBe(other.identity)
      }).pipe(Effect.provide(Files.layerLedgers({ folder: `${data}/files` })))
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("goes on behind what is whole in a ledger that was cut off", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* folderOf({ a: "1\n", b: "2\n" })
      const data = yield* folderOf({})
      const source = Files.text(folder, hasty)
      const read = Effect.scoped(
        Effect.flatMap(opened(data, source), (reader) => Effect.zip(seen(reader), Effect.succeed(reader.identity)))
      )
      const before = yield* read
      const [name] = yield* fs.readDirectory(`${data}/files`)
      const path = `${data}/files/${name}/ledger`
      const whole = yield* fs.readFileString(path)
      for (const rest of ["x", whole.split("\n")[1]!.slice(0, -3), `${"0".repeat(16)} {}\n`]) {
        yield* fs.writeFileString(path, whole + rest)
        expect(yield* read).toEqual(before)
        expect((yield* fs.readFileString(path)).replace(/.*"owner":2}\n$/, "")).toBe(whole)
      }
      // Of two files that were noted the second one is lost: it is taken again.
      yield* fs.writeFileString(path, whole.slice(0, -5))
      expect(yield* read).toEqual(before)
      yield* fs.writeFileString(path, whole.slice(0, 20))
      expect((yield* Effect.flip(read)).message).toBe(`${path} does not begin as a ledger of files`)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is taken over by who opens its ledger later", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ a: "1\n" })
      const data = yield* folderOf({})
      const source = Files.text(folder, hasty)
      const older = yield* opened(data, source)
      const newer = yield* opened(data, source)
      yield* put(`${folder}/b`, "2\n3\n")
      yield* until(newer, 3)
      const error = yield* Effect.flip(Effect.zipRight(until(older, 3), older.partitions))
      expect(error.message).toContain("Another process has taken")
      yield* put(`${folder}/c`, "4\n")
      yield* until(newer, 4)
      expect(valuesOf(yield* seen(yield* opened(data, source)))).toEqual(["1", "2", "3", "4"])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("takes away what every job is done with, and nothing else", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* folderOf({ a: "1\n2\n", "b/c": "3\n", d: "4\n" })
      const data = yield* folderOf({})
      const archive = yield* folderOf({ "b/c": "older" })
      const ledgers = Files.layerLedgers({ folder: `${data}/files` })
      const options = { ...hasty, recursive: true, archive, clean: "archive" } as const
      yield* Effect.gen(function* () {
        const one = yield* Files.text(folder, options).open
        const there = Effect.map(fs.readDirectory(folder, { recursive: true }), (names) => [...names].sort())
        const archived = Effect.map(fs.readDirectory(archive, { recursive: true }), (names) => [...names].sort())
        yield* one.acknowledge!("one", new Map([[0, 1]]))
        expect(yield* there).toEqual(["a", "b", "b/c", "d"])
        const other = yield* Files.text(folder, { ...options, clean: "off" }).open
        // Who reads from the beginning, and has no name yet, holds all back.
        yield* one.acknowledge!("one", new Map([[0, 3]]))
        expect(yield* there).toEqual(["a", "b", "b/c", "d"])
        yield* other.acknowledge!("other", new Map([[0, 2]]))
        yield* one.acknowledge!("one", new Map([[0, 4]]))
        expect(yield* there).toEqual(["b", "b/c", "d"])
        expect(yield* archived).toEqual(["a", "b", "b/c"])
        yield* put(`${folder}/d`, "5\n")
        yield* other.acknowledge!("other", new Map([[0, 4]]))
        yield* one.acknowledge!("one", new Map([[0, 4]]))
        expect(yield* there).toEqual(["b", "d"])
        expect(yield* archived).toEqual(["a", "b", "b/c", "b/c.1"])
        expect(yield* fs.readFileString(`${archive}/b/c`)).toBe("older")
        expect(yield* fs.readFileString(`${archive}/b/c.1`)).toBe("3\n")
      }).pipe(Effect.scoped, Effect.provide(ledgers))
      // What is gone is where a job that is new begins.
      const later = yield* opened(data, Files.text(folder, options))
      expect((yield* rangeOf(later))[0]).toBe(4)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is cleaned up beside jobs that run, of what is old enough", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* folderOf({ a: "1\n", b: "2\n", c: "3\n" })
      yield* fs.utimes(`${folder}/b`, 1_000, 1_000)
      const data = yield* folderOf({})
      const source = Files.text(folder, hasty)
      const beside = (before: number) =>
        source.clean!({ before }).pipe(Effect.provide(Files.layerLedgers({ folder: `${data}/files` })))
      expect(yield* beside(1e15)).toEqual({ removed: [], kept: 0, by: null })
      const reader = yield* opened(data, source)
      expect(yield* beside(1e15)).toEqual({ removed: [], kept: 3, by: null })
      yield* reader.acknowledge!("one job", new Map([[0, 2]]))
      expect(yield* beside(1_000_001)).toEqual({ removed: ["b"], kept: 1, by: "one job" })
      expect(yield* beside(1e15)).toEqual({ removed: ["a"], kept: 1, by: "one job" })
      expect(yield* fs.readDirectory(folder)).toEqual(["c"])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("tells a job when what it watches cannot be read any more", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = `${yield* folderOf({ "in/a": "1\n" })}/in`
      const reader = yield* opened(yield* folderOf({}), Files.text(folder, hasty))
      expect((yield* seen(reader)).length).toBe(1)
      yield* fs.remove(folder, { recursive: true })
      yield* reader.changed
      yield* reader.changed
      expect((yield* Effect.flip(reader.read(0, 1, 1))).message).toBe(`There is no folder ${folder}`)
    }).pipe(Effect.timeout("2 minutes"), Effect.provide(layer))
  )
})

describe("a job that nobody keeps ledgers for", () => {
  it.scoped("is told to", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Files.text("somewhere").open)
      expect(error.message).toBe("Nothing says where to keep which files of somewhere/* only, utf-8, lines were taken")
    }).pipe(Effect.provide(layer))
  )

  it("is refused what can never be", () => {
    expect(() => Files.text("a", { clean: "archive" })).toThrow("needs a folder")
    expect(() => Files.text("a", { clean: "delete", watch: false })).toThrow("nothing notes it")
    expect(() => Files.text("a", { recursive: true, archive: "a/old" })).toThrow("read again")
    expect(() => Files.text("a", { archive: "a" })).toThrow("read again")
    expect(Files.text("a", { archive: "a/old", clean: "archive" }).label).toBe("files a")
  })
})
