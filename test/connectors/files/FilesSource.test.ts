import { gzipSync } from "node:zlib"
import { FileSystem, Error as PlatformError } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import * as MemoryCheckpointStore from "../../../src/checkpoint/MemoryCheckpointStore.ts"
import { Files } from "../../../src/connectors/files/index.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import { Topics } from "../../../src/flow/Topics.ts"
import { Decimal, Flow, Job, Trigger } from "../../../src/index.ts"
import * as Runner from "../../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../../src/testing/TopicsMemory.ts"
import { all, folderOf, put, seen, valuesOf } from "./Folders.ts"

const still = { watch: false } as const
const Row = Schema.Struct({ item: Schema.String, price: Decimal(10, 2) })

const utf16 = (text: string) => new Uint8Array(Buffer.from(`\uFEFF${text}`, "utf16le"))

describe("files of a folder", () => {
  it.layer(NodeFileSystem.layer)((it) => {
    it.scoped("are read by path, row after row, each with its file as key and its time", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* folderOf({ "b.csv": "price,item\r\n1.50,x\r\n", "a.csv": 'item,price\n"y,z",2' })
        yield* fs.utimes(`${folder}/a.csv`, 1_000, 1_600_000_000)
        const reader = yield* Files.csv(folder, Row, { ...still, pattern: "*.csv" }).open
        expect(yield* seen(reader)).toEqual([
          [0, "a.csv", '{"item":"y,z","price":"2"}'],
          [1, "b.csv", '{"item":"x","price":"1.50"}']
        ])
        expect((yield* reader.read(0, 0, 10))?.timestamps[0]).toBe(1_600_000_000_000)
        expect(yield* reader.partitions).toEqual([{ partition: 0, oldest: 0, latest: 2 }])
        expect(reader.finite).toBe(true)
      })
    )

    it.scoped(
      "are taken in by pattern, without what is hidden or unfinished, with what is below if that is wanted",
      () =>
        Effect.gen(function* () {
          const files = ["a.us.txt", "b.us.txt", "c.txt", ".d.us.txt", "e.us.txt.tmp", "f.us.txt.part", "g/h.us.txt"]
          const hidden = ".weir/i.us.txt"
          const folder = yield* folderOf(Object.fromEntries([...files, hidden].map((path) => [path, path])))
          const read = (options: object) => Effect.map(all(Files.text(folder, { ...still, ...options })), valuesOf)
          expect(yield* read({ pattern: "*.us.txt" })).toEqual(["a.us.txt", "b.us.txt"])
          expect(yield* read({ pattern: "*.us.txt", recursive: true })).toEqual(["a.us.txt", "b.us.txt", "g/h.us.txt"])
          expect(yield* read({})).toEqual(["a.us.txt", "b.us.txt", "c.txt"])
          expect(yield* read({ pattern: "*.part" })).toEqual([])
        })
    )

    it.scoped("can be read in the order in which they were written", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* folderOf({ a: "a", b: "b", c: "c" })
        for (const [name, time] of Object.entries({ a: 3, b: 1, c: 1 }))
          yield* fs.utimes(`${folder}/${name}`, time, time)
        const read = yield* all(Files.text(folder, { ...still, order: "modified" }))
        expect(valuesOf(read)).toEqual(["b", "c", "a"])
      })
    )

    it.scoped.each([
      ["a byte order mark", "utf-8", "x.txt", new Uint8Array(Buffer.from("\uFEFFé\nb\n"))],
      ["gzip", "utf-8", "x.txt.gz", gzipSync("\uFEFFé\nb")],
      ["gzip in two parts", "utf-8", "x.gz", Buffer.concat([gzipSync("é\n"), gzipSync("b\n")])],
      ["latin1", "latin1", "x.txt", new Uint8Array(Buffer.from("é\nb", "latin1"))],
      ["UTF-16", "utf-16le", "x.txt", utf16("é\r\nb")],
      ["UTF-16 in gzip", "utf-16le", "x.gz", gzipSync(utf16("é\nb"))]
    ] as const)("are texts in %s", ([_, encoding, name, content]) =>
      Effect.gen(function* () {
        const folder = yield* folderOf({ [name]: content })
        expect(valuesOf(yield* all(Files.text(folder, { ...still, encoding })))).toEqual(["é", "b"])
      })
    )

    it.scoped("that are larger than a read are whole, packed or not, from any row on", () =>
      Effect.gen(function* () {
        const rows = Array.from({ length: 60_000 }, (_, i) => `{"i":${i},"text":"${"é".repeat(i % 20)}"}`)
        const content = Buffer.from(rows.join("\n"))
        const folder = yield* folderOf({ "1.jsonl": content, "2.jsonl.gz": gzipSync(content), "3.jsonl": '{"i":0}' })
        const reader = yield* Files.jsonLines(folder, still).open
        expect((yield* reader.partitions)[0]).toEqual({ partition: 0, oldest: 0, latest: 120_001 })
        const found = yield* seen(reader, 0, 8_192)
        expect(valuesOf(found)).toEqual([...rows, ...rows, '{"i":0}'])
        expect(found.every(([offset], i) => offset === i)).toBe(true)
        for (const from of [59_999, 119_999, 30_000, 0, 120_001])
          expect((yield* reader.read(0, from, 2))?.offsets[0] ?? null).toBe(from === 120_001 ? null : from)
      })
    )

    it.scoped("may be empty, headers alone, folders by name, or links in a circle", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* folderOf({ "a.csv": "", "b.csv": "item,price\n", "c.csv/d.csv": "item,price\nx,1\n" })
        yield* fs.symlink(folder, `${folder}/circle`)
        yield* fs.symlink(`${folder}/nowhere`, `${folder}/e.csv`)
        yield* fs.symlink(`${folder}/c.csv/d.csv`, `${folder}/f.csv`)
        const row = '{"item":"x","price":"1"}'
        const options = { ...still, pattern: "*.csv" }
        expect(yield* all(Files.csv(folder, Row, options))).toEqual([[0, "f.csv", row]])
        expect(yield* all(Files.csv(folder, Row, { ...options, recursive: true }))).toEqual([
          [0, "c.csv/d.csv", row],
          [1, "f.csv", row]
        ])
        expect(yield* all(Files.csv(folder, Row, { ...still, pattern: "none" }))).toEqual([])
      })
    )

    it.scoped("that change, go or come while they are read fail the read, and begin anew as another folder", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* folderOf({ a: "1\n2\n3\n", b: "4\n5\n" })
        const source = Files.text(folder, still)
        const first = yield* source.open
        expect((yield* first.read(0, 0, 2))?.count).toBe(2)
        yield* put(`${folder}/a`, "1\n2\n4\n")
        const changed = yield* Effect.flip(first.read(0, 2, 2))
        expect(changed).toMatchObject({ _tag: "SourceUnavailable", retry: true })
        expect(changed.message).toContain("the file a changed")
        yield* fs.remove(`${folder}/b`)
        expect((yield* Effect.flip(first.read(0, 3, 2))).message).toContain("the file b changed, or went")
        const second = yield* source.open
        expect(second.identity).not.toBe(first.identity)
        expect(valuesOf(yield* seen(second))).toEqual(["1", "2", "4"])
        yield* put(`${folder}/c`, "6")
        expect(valuesOf(yield* seen(second))).toEqual(["1", "2", "4"])
        expect((yield* source.open).identity).not.toBe(second.identity)
        expect((yield* source.open).identity).toBe((yield* source.open).identity)
      })
    )

    it.scoped("know the row before an offset again", () =>
      Effect.gen(function* () {
        const folder = yield* folderOf({ a: "1\n2\n3\n", b: "4\n" })
        const source = Files.text(folder, still)
        const marks = Effect.flatMap(source.open, (reader) =>
          Effect.forEach([0, 1, 2, 3, 4, 5], (offset) => reader.markBefore(0, offset))
        )
        const found = yield* marks
        expect(found[0]).toBe(null)
        expect(found[5]).toBe(null)
        expect(new Set(found.slice(1, 5).map((mark) => mark?.checksum)).size).toBe(4)
        expect(yield* marks).toEqual(found)
      })
    )

    it.scoped("that cannot be read are named", () =>
      Effect.gen(function* () {
        const folder = yield* folderOf({ "a.gz": "no gzip", "b.txt": "b" })
        const failure = (source: Parameters<typeof all>[0]) => Effect.flip(all(source as ReturnType<typeof Files.text>))
        const noGzip = yield* failure(Files.text(folder, still))
        expect(noGzip.message).toContain("a.gz cannot be read")
        expect(noGzip.hint).toContain("gzip")
        const cut = yield* folderOf({ "a.gz": gzipSync("a".repeat(10_000)).subarray(0, 30) })
        expect((yield* failure(Files.text(cut, still))).message).toContain("a.gz cannot be read")
        expect((yield* failure(Files.text(`${folder}/none`, still))).message).toBe(`There is no folder ${folder}/none`)
        const file = yield* failure(Files.text(`${folder}/b.txt`, still))
        expect(file).toMatchObject({ _tag: "StorageFailed" })
      })
    )

    it.scoped("that may not be read are named", () =>
      Effect.gen(function* () {
        const folder = yield* folderOf({ a: "1" })
        const refused = FileSystem.makeNoop({
          ...(yield* FileSystem.FileSystem),
          open: (path) => Effect.fail(denied(path))
        })
        const error = yield* Effect.flip(
          Effect.provideService(all(Files.text(folder, still)), FileSystem.FileSystem, refused)
        )
        expect(error).toMatchObject({ _tag: "StorageFailed", path: `${folder}/a` })
        expect(error.hint).toContain("may read it")
      })
    )

    it.scoped("that go between the look and the reading are none", () =>
      Effect.gen(function* () {
        const folder = yield* folderOf({ a: "1", b: "2" })
        const fs = yield* FileSystem.FileSystem
        const hasty = { ...fs, readDirectory: () => Effect.succeed(["gone", "b", "a"]) }
        const found = yield* Effect.provideService(all(Files.text(folder, still)), FileSystem.FileSystem, hasty)
        expect(valuesOf(found)).toEqual(["1", "2"])
      })
    )

    it.scoped("come to a job once, with their dead letters, in runs that follow each other", () =>
      Effect.gen(function* () {
        const folder = yield* folderOf({
          "a.csv": "item,price\nx,1.5\ny,much\nz\n",
          "b.csv": `item,price\n${Array.from({ length: 500 }, (_, i) => `i${i},${i}.25\n`).join("")}"`
        })
        const job = Job.make("files", {
          parameters: {},
          trigger: Trigger.every("1 hour"),
          outputs: () => [
            Flow.from(Files.csv(folder, Row, still)).pipe(
              Flow.decodeRecord({ key: Schema.String, value: Row }, { invalid: Topic.deadLetter("aside") }),
              Flow.map(({ key, value }) => ({ key, item: value.item })),
              Flow.to(Topic.sink("out", Schema.Struct({ key: Schema.String, item: Schema.String })))
            )
          ]
        })
        const run = Effect.scoped(
          Effect.flatMap(
            Runner.start(job, { availableNow: true, set: { maxPerEpoch: "100" } }, () => Effect.void),
            (running) => running.ended
          )
        )
        yield* run
        yield* run
        const topics = yield* Topics
        const held = (topic: string) =>
          Effect.map(
            Effect.forEach([0, 1, 2, 3], (partition) => topics.fetch(topic, partition, 0, 1_000)),
            (all) => all.flat().map(({ value }) => Buffer.from(value).toString())
          )
        const items = (yield* held("out")).map((value) => JSON.parse(value))
        expect(items.length).toBe(501)
        expect(items[0]).toEqual({ key: "a.csv", item: "x" })
        expect(new Set(items.map(({ key, item }) => `${key} ${item}`)).size).toBe(501)
        expect((yield* held("aside")).sort()).toEqual(['"\\""', '["z"]', '{"item":"y","price":"much"}'])
      }).pipe(Effect.provide(Layer.merge(MemoryCheckpointStore.layer, TopicsMemory.layer())))
    )
  })

  it("are refused when the job is written, if they can never be read", () => {
    expect(() => Files.text("", still)).toThrow("no folder without a name")
    expect(() => Files.text("a", { ...still, pattern: "[a" })).toThrow("does not close it")
    expect(() => Files.csv("a", Row, { ...still, separator: "§" })).toThrow("one character of ASCII")
    expect(() => Files.csv("a", Schema.String as never, still)).toThrow("no fields")
    expect(Files.text("a/b//", { ...still, pattern: "*.x" })).toMatchObject({ name: "a/b/*.x", label: "files a/b/*.x" })
    expect(Files.text("a", { ...still, name: "own" })).toMatchObject({ name: "own", label: "files a" })
  })
})

const denied = (path: string) =>
  new PlatformError.SystemError({
    module: "FileSystem",
    method: "open",
    reason: "PermissionDenied",
    pathOrDescriptor: path
  })
