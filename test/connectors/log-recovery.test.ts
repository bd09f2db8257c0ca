import { FileSystem, type Path, Error as PlatformError } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Fiber, Layer, type Scope, TestClock } from "effect"
import * as Log from "../../src/connectors/log/index.ts"
import { type ProducedRecord, Topics, type TopicsService } from "../../src/flow/Topics.ts"
import type * as Errors from "../../src/model/Errors.ts"

const utf8 = new TextEncoder()
const record = (value: string | Uint8Array): ProducedRecord => ({
  key: null,
  value: typeof value === "string" ? utf8.encode(value) : value,
  headers: []
})
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

type Needs = FileSystem.FileSystem | Path.Path
type Options = { readonly segmentBytesMax?: number; readonly fs?: (fs: FileSystem.FileSystem) => FileSystem.FileSystem }

/** Opens the log of a folder, uses it, closes it. */
const opened =
  (folder: string, options: Options = {}) =>
  <A, E>(use: (topics: TopicsService) => Effect.Effect<A, E, Scope.Scope | Needs>) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const layer = Layer.provide(
        Log.layer({ folder, ...(options.segmentBytesMax ? { segmentBytesMax: options.segmentBytesMax } : {}) }),
        Layer.succeed(FileSystem.FileSystem, options.fs?.(fs) ?? fs)
      )
      return yield* Effect.flatMap(Topics, use).pipe(Effect.scoped, Effect.provide(layer))
    })

const inFolder = <A, E>(test: (folder: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, Needs>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "weir-log-" })
    yield* test(`${folder}/log`, fs)
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const valuesOf = (topics: TopicsService, topic: string, partition = 0) =>
  Effect.map(topics.fetch(topic, partition, 0, 1_000), (records) => records.map(({ value }) => text(value)))

const first = (folder: string, topic = "t", partition = 0) => `${folder}/${topic}/${partition}/00000000000000000000.log`

const durable = (folder: string, partition = 0) => `${folder}/t/${partition}/durable`

/** Puts back, whenever it is run, what says how far the log was durable: as if the process died in the next append. */
const durableAsNow = (folder: string, fs: FileSystem.FileSystem, partition = 0) =>
  Effect.map(fs.readFile(durable(folder, partition)), (line) => fs.writeFile(durable(folder, partition), line))

/** Topic `t` with values a, b, c, each synced by itself; where each of its frames ends. */
const threeFrames = (folder: string, fs: FileSystem.FileSystem, last: ProducedRecord = record("c")) =>
  opened(folder)((topics) =>
    Effect.gen(function* () {
      yield* topics.create("t", { partitions: 1 })
      const ends: Array<number> = []
      const produce = (one: ProducedRecord) =>
        Effect.gen(function* () {
          yield* topics.produce("t", 0, [one])
          ends.push(Number((yield* fs.stat(first(folder))).size))
        })
      yield* produce(record("a"))
      yield* produce(record("b"))
      const dyingInLast = yield* durableAsNow(folder, fs)
      yield* produce(last)
      return { ends, bytes: yield* fs.readFile(first(folder)), dyingInLast }
    })
  )

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const changed = new Uint8Array(bytes)
  changed[at]! ^= 0x41
  return changed
}

describe("a torn tail", () => {
  it.live("is cut off wherever in the last frame it was torn, and the log goes on there", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const { ends, bytes, dyingInLast } = yield* threeFrames(folder, fs)
        for (let size = ends[1]!; size < ends[2]!; size++) {
          yield* fs.writeFile(first(folder), bytes.slice(0, size))
          yield* dyingInLast
          yield* opened(folder)((topics) =>
            Effect.gen(function* () {
              expect(yield* valuesOf(topics, "t")).toEqual(["a", "b"])
              expect(yield* topics.produce("t", 0, [record("again")])).toBe(2)
            })
          )
          expect(yield* opened(folder)((topics) => valuesOf(topics, "t"))).toEqual(["a", "b", "again"])
        }
      })
    )
  )

  it.live("is cut off whichever of its bytes did not reach the disk", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const { ends, bytes, dyingInLast } = yield* threeFrames(folder, fs)
        for (let at = ends[1]!; at < ends[2]!; at++) {
          yield* fs.writeFile(first(folder), flipped(bytes, at))
          yield* dyingInLast
          expect(yield* opened(folder)((topics) => valuesOf(topics, "t"))).toEqual(["a", "b"])
        }
      })
    )
  )

  it.live("may begin before frames of the same append that did reach the disk", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* opened(folder)((topics) =>
          Effect.gen(function* () {
            yield* topics.create("t", { partitions: 1 })
            yield* topics.produce("t", 0, [record("a")])
          })
        )
        const start = Number((yield* fs.stat(first(folder))).size)
        const dyingInLast = yield* durableAsNow(folder, fs)
        yield* opened(folder)((topics) =>
          topics.produce(
            "t",
            0,
            Array.from({ length: 4 }, () => record(new Uint8Array(60_000)))
          )
        )
        const bytes = yield* fs.readFile(first(folder))
        for (const at of [start, start + 100, start + 70_000]) {
          yield* fs.writeFile(first(folder), flipped(bytes, at))
          yield* dyingInLast
          expect(yield* opened(folder)((topics) => valuesOf(topics, "t"))).toEqual(["a"])
          expect(Number((yield* fs.stat(first(folder))).size)).toBe(start)
        }
      })
    )
  )

  it.live("is told from damage although its record holds the bytes of a whole frame", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const { ends, bytes } = yield* threeFrames(folder, fs)
        const dyingInLast = yield* durableAsNow(folder, fs)
        yield* opened(folder)((topics) => topics.produce("t", 0, [record(bytes.slice(ends[0]!, ends[2]!))]))
        const longer = yield* fs.readFile(first(folder))
        yield* fs.writeFile(first(folder), flipped(longer, ends[2]! + 20))
        yield* dyingInLast
        expect(yield* opened(folder)((topics) => valuesOf(topics, "t"))).toEqual(["a", "b", "c"])
      })
    )
  )

  it.live("of a segment that was being begun leaves the segment before it", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const small = { segmentBytesMax: 1 }
        yield* opened(
          folder,
          small
        )((topics) =>
          Effect.gen(function* () {
            yield* topics.create("t", { partitions: 1 })
            for (const value of ["a", "b"]) yield* topics.produce("t", 0, [record(value)])
          })
        )
        yield* fs.writeFile(`${folder}/t/0/00000000000000000002.log`, new Uint8Array(17))
        yield* opened(
          folder,
          small
        )((topics) =>
          Effect.gen(function* () {
            expect(yield* topics.produce("t", 0, [record("c")])).toBe(2)
            expect(yield* valuesOf(topics, "t")).toEqual(["a", "b", "c"])
          })
        )
      })
    )
  )
})

describe("a creation that a crash ended", () => {
  it.live("is done again, and strange files are no topics", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* fs.makeDirectory(`${folder}/t/0`, { recursive: true })
        yield* fs.writeFileString(`${folder}/t/@topic.json.new`, "{")
        yield* fs.writeFileString(`${folder}/stray`, "")
        yield* opened(folder)((topics) =>
          Effect.gen(function* () {
            expect(yield* topics.list).toEqual([])
            expect(yield* Effect.flip(topics.describe("stray"))).toMatchObject({ _tag: "UnknownTopic" })
            yield* topics.create("t", { partitions: 1 })
            expect(yield* topics.produce("t", 0, [record("a")])).toBe(0)
            expect((yield* topics.list).map(({ topic }) => topic)).toEqual(["t"])
          })
        )
      })
    )
  )
})

describe("damage", () => {
  it.live("to what was durable is an error with file and position, and nothing is changed", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const { ends, bytes } = yield* threeFrames(folder, fs)
        for (let at = ends[0]!; at < ends[1]!; at++) {
          yield* fs.writeFile(first(folder), flipped(bytes, at))
          const failure = yield* Effect.flip(opened(folder)((topics) => valuesOf(topics, "t")))
          expect(failure).toMatchObject({ _tag: "LogCorrupted", file: first(folder), position: ends[0]! })
          expect(new Uint8Array(yield* fs.readFile(first(folder)))).toEqual(flipped(bytes, at))
        }
      })
    )
  )

  it.live("to a segment that is not the last is found when it is read", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const small = { segmentBytesMax: 1 }
        yield* opened(
          folder,
          small
        )((topics) =>
          Effect.gen(function* () {
            yield* topics.create("t", { partitions: 1 })
            for (const value of ["a", "b", "c"]) yield* topics.produce("t", 0, [record(value)])
          })
        )
        const second = `${folder}/t/0/00000000000000000001.log`
        const bytes = yield* fs.readFile(second)
        const reading = opened(folder, small)((topics) => valuesOf(topics, "t"))
        for (let at = 0; at < bytes.length; at++) {
          yield* fs.writeFile(second, flipped(bytes, at))
          expect(yield* Effect.flip(reading)).toMatchObject({ _tag: "LogCorrupted", file: second })
        }
        yield* fs.writeFile(second, bytes.slice(0, bytes.length - 4))
        expect(yield* Effect.flip(reading)).toMatchObject({ _tag: "LogCorrupted", file: second })
        yield* fs.remove(second)
        expect(yield* Effect.flip(reading)).toMatchObject({ _tag: "LogCorrupted", file: first(folder) })
      })
    )
  )

  it.live("to the last append, once it was answered, is an error wherever it is, and nothing is cut off", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const { ends, bytes } = yield* threeFrames(folder, fs)
        const damaged = [
          ...Array.from({ length: ends[2]! - ends[1]! }, (_, i) => flipped(bytes, ends[1]! + i)),
          ...Array.from({ length: ends[2]! - ends[1]! }, (_, i) => bytes.slice(0, ends[1]! + i))
        ]
        for (const one of damaged) {
          yield* fs.writeFile(first(folder), one)
          const failure = yield* Effect.flip(opened(folder)((topics) => topics.describe("t")))
          expect(failure).toMatchObject({ _tag: "LogCorrupted", file: first(folder), position: ends[1] })
          expect(new Uint8Array(yield* fs.readFile(first(folder)))).toEqual(new Uint8Array(one))
        }
      })
    )
  )

  it.live("that removed the last segment is an error", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* threeFrames(folder, fs)
        yield* fs.remove(first(folder))
        const failure = yield* Effect.flip(opened(folder)((topics) => topics.describe("t")))
        expect(failure).toMatchObject({ _tag: "LogCorrupted", file: first(folder) })
      })
    )
  )

  it.live("to what says how far the log is durable takes nothing from the log", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* threeFrames(folder, fs)
        const line = yield* fs.readFile(durable(folder))
        for (const one of [line.slice(0, 0), line.slice(0, 20), flipped(line, 30), new Uint8Array(50)]) {
          yield* fs.writeFile(durable(folder), one)
          expect(yield* opened(folder)((topics) => valuesOf(topics, "t"))).toEqual(["a", "b", "c"])
        }
      })
    )
  )

  it.live("to one partition of an epoch that was answered is an error, and the other keeps its part", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const dyingInLast = yield* opened(folder)((topics) =>
          Effect.gen(function* () {
            const writer = yield* topics.epochWriter("t", opening(1, 0))
            yield* writer.write(1, parts("one"))
            const dying = yield* durableAsNow(folder, fs, 0)
            yield* writer.write(2, parts("two"))
            return dying
          })
        )
        const lost = yield* fs.readFile(first(folder, "t", 0))
        const kept = yield* fs.readFile(first(folder, "t", 1))
        yield* fs.writeFile(first(folder, "t", 0), lost.slice(0, -8))
        yield* dyingInLast
        const failure = yield* Effect.flip(opened(folder)((topics) => topics.describe("t")))
        expect(failure).toMatchObject({ _tag: "LogCorrupted", file: first(folder, "t", 1) })
        expect(yield* fs.readFile(first(folder, "t", 1))).toEqual(kept)
      })
    )
  )

  it.live("that removed a whole partition is an error", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* threeFrames(folder, fs)
        yield* fs.remove(`${folder}/t/0`, { recursive: true })
        const failure = yield* Effect.flip(opened(folder)((topics) => topics.describe("t")))
        expect(failure).toMatchObject({ _tag: "LogCorrupted", file: `${folder}/t/0` })
      })
    )
  )

  it.live("to the description of a topic never makes its records disappear", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* threeFrames(folder, fs)
        yield* fs.writeFileString(`${folder}/t/@topic.json`, "{")
        const describing = opened(folder)((topics) => topics.describe("t"))
        expect(yield* Effect.flip(describing)).toMatchObject({ _tag: "LogCorrupted", file: `${folder}/t/@topic.json` })
        yield* fs.remove(`${folder}/t/@topic.json`)
        const creating = opened(folder)((topics) => topics.create("t", { partitions: 1 }))
        expect(yield* Effect.flip(creating)).toMatchObject({ _tag: "LogCorrupted", file: `${folder}/t/@topic.json` })
      })
    )
  )
})

const opening = (generation: number, epoch: number, intentEpochs: ReadonlyArray<number> = []) => ({
  stamp: { job: "job", sink: "out", lineage: 1, generation, epoch },
  intentEpochs,
  position: null,
  partitions: 2
})
const parts = (value: string) =>
  new Map([
    [0, [record(`${value} 0`)]],
    [1, [record(`${value} 1`)]]
  ])
const bothOf = (topics: TopicsService) => Effect.all([valuesOf(topics, "t", 0), valuesOf(topics, "t", 1)])

describe("an epoch that was in one of its partitions when the process died", () => {
  for (const lost of [0, 1])
    it.live(`is seen in none, and is written to both when it is asked for again (partition ${lost} lost it)`, () =>
      inFolder((folder, fs) =>
        Effect.gen(function* () {
          const { dyingInLast, sizeBefore } = yield* opened(folder)((topics) =>
            Effect.gen(function* () {
              const writer = yield* topics.epochWriter("t", opening(1, 0))
              yield* writer.write(1, parts("one"))
              const { size } = yield* fs.stat(first(folder, "t", lost))
              const dying = yield* Effect.forEach([0, 1], (partition) => durableAsNow(folder, fs, partition))
              yield* writer.write(2, parts("two"))
              return { dyingInLast: Effect.all(dying), sizeBefore: Number(size) }
            })
          )
          const whole = yield* fs.readFile(first(folder, "t", lost))
          const other = yield* fs.readFile(first(folder, "t", 1 - lost))
          for (let size = sizeBefore; size < whole.length; size += 7) {
            yield* fs.writeFile(first(folder, "t", lost), whole.slice(0, size))
            yield* fs.writeFile(first(folder, "t", 1 - lost), other)
            yield* dyingInLast
            yield* opened(folder)((topics) =>
              Effect.gen(function* () {
                expect(yield* bothOf(topics)).toEqual([["one 0"], ["one 1"]])
                const writer = yield* topics.epochWriter("t", opening(2, 1, [2]))
                expect(yield* writer.write(2, parts("two"))).toBe("written")
              })
            )
            expect(yield* opened(folder)(bothOf)).toEqual([
              ["one 0", "two 0"],
              ["one 1", "two 1"]
            ])
          }
        })
      )
    )
})

describe("another process with the same folder", () => {
  it.live("fences the owner of a sink that it took over, and refuses other writes of it", () =>
    inFolder((folder) =>
      opened(folder)((old) =>
        Effect.gen(function* () {
          const paused = yield* old.epochWriter("t", opening(1, 0))
          yield* paused.write(1, parts("one"))
          yield* opened(folder)((topics) =>
            Effect.gen(function* () {
              const writer = yield* topics.epochWriter("t", opening(2, 1))
              yield* writer.write(2, parts("two"))
            })
          )
          expect(yield* Effect.flip(paused.write(2, parts("zombie")))).toMatchObject({ _tag: "Fenced", newer: 2 })
          expect(yield* Effect.flip(old.produce("t", 0, [record("zombie")]))).toMatchObject({ _tag: "StorageFailed" })
          expect(yield* opened(folder)(bothOf)).toEqual([
            ["one 0", "two 0"],
            ["one 1", "two 1"]
          ])
        })
      )
    )
  )
})

/** A disk that can be made to fail. */
const faulty = () => {
  const disk = { full: false, stuck: false, readOnly: false, faults: 0 }
  const gate = { closed: Effect.unsafeMakeLatch(true), reached: Effect.unsafeMakeLatch(false) }
  const failure = (method: string) =>
    Effect.suspend(() => {
      disk.faults++
      return Effect.fail(
        new PlatformError.SystemError({ module: "FileSystem", method, reason: "Unknown", description: "no space left" })
      )
    })
  const fileOf = (file: FileSystem.File): FileSystem.File => ({
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    fd: file.fd,
    stat: file.stat,
    seek: (offset, from) => file.seek(offset, from),
    sync: Effect.zipRight(gate.reached.open, Effect.zipRight(gate.closed.await, file.sync)),
    read: (buffer) => file.read(buffer),
    readAlloc: (size) => file.readAlloc(size),
    truncate: (size) => Effect.suspend(() => (disk.stuck ? failure("truncate") : file.truncate(size))),
    write: (bytes) => file.write(bytes),
    writeAll: (bytes) =>
      Effect.suspend(() =>
        disk.full
          ? Effect.zipRight(file.writeAll(bytes.subarray(0, bytes.length >> 1)), failure("writeAll"))
          : file.writeAll(bytes)
      )
  })
  const fs = (real: FileSystem.FileSystem): FileSystem.FileSystem => ({
    ...real,
    open: (path, options) =>
      disk.readOnly && options?.flag !== "r" ? failure("open") : Effect.map(real.open(path, options), fileOf)
  })
  return { disk, gate, fs }
}

it.live("acknowledges nothing of a file whose name cannot be made durable", () =>
  inFolder((folder) =>
    Effect.gen(function* () {
      const withoutFolders = (real: FileSystem.FileSystem): FileSystem.FileSystem => ({
        ...real,
        open: (path, options) =>
          options?.flag === "r" && !path.endsWith(".log")
            ? new PlatformError.SystemError({ module: "FileSystem", method: "open", reason: "Unknown" })
            : real.open(path, options)
      })
      yield* opened(folder)((topics) => topics.create("t", { partitions: 1 }))
      const produced = opened(folder, { fs: withoutFolders })((topics) => topics.produce("t", 0, [record("a")]))
      expect(yield* Effect.flip(produced)).toMatchObject({ _tag: "StorageFailed" })
    })
  )
)

it.live("shows no record before it is synced", () =>
  inFolder((folder) =>
    Effect.gen(function* () {
      const { gate, fs } = faulty()
      yield* opened(folder, { fs })((topics) =>
        Effect.gen(function* () {
          yield* topics.create("t", { partitions: 1 })
          yield* topics.produce("t", 0, [record("a")])
          yield* Effect.zipRight(gate.closed.close, gate.reached.close)
          const producing = yield* Effect.fork(topics.produce("t", 0, [record("b")]))
          // It comes to a sync, or is done without one.
          yield* Effect.race(gate.reached.await, Fiber.await(producing))
          expect(yield* valuesOf(topics, "t")).toEqual(["a"])
          yield* gate.closed.open
          expect(yield* Fiber.join(producing)).toBe(1)
          expect(yield* valuesOf(topics, "t")).toEqual(["a", "b"])
        }).pipe(Effect.ensuring(gate.closed.open))
      )
    })
  )
)

describe("a disk that fails", () => {
  it.live("in the middle of an append leaves the log as it was, and it goes on when there is room again", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const { disk, fs } = faulty()
        yield* opened(folder, { fs })((topics) =>
          Effect.gen(function* () {
            const writer = yield* topics.epochWriter("t", opening(1, 0))
            yield* topics.produce("t", 0, [record("a")])
            disk.full = true
            const failure = yield* Effect.flip(topics.produce("t", 0, [record("b")]))
            expect(failure).toMatchObject({ _tag: "StorageFailed", path: first(folder) })
            expect(yield* Effect.flip(writer.write(1, parts("one")))).toMatchObject({ _tag: "StorageFailed" })
            expect(yield* bothOf(topics)).toEqual([["a"], []])
            disk.full = false
            expect(yield* topics.produce("t", 0, [record("c")])).toBe(1)
            expect(yield* writer.write(1, parts("one"))).toBe("written")
          })
        )
        expect(disk.faults).toBe(3)
        expect(yield* opened(folder)(bothOf)).toEqual([["a", "c", "one 0"], ["one 1"]])
      })
    )
  )

  it.live("to take an append back makes the partition refuse further ones until the log is opened again", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const { disk, fs } = faulty()
        yield* opened(folder, { fs })((topics) =>
          Effect.gen(function* () {
            yield* topics.create("t", { partitions: 2 })
            yield* topics.produce("t", 0, [record("a")])
            disk.full = disk.stuck = true
            yield* Effect.flip(topics.produce("t", 0, [record("b")]))
            disk.full = disk.stuck = false
            const failure = yield* Effect.flip(topics.produce("t", 0, [record("c")]))
            expect(failure).toMatchObject({ _tag: "StorageFailed", message: expect.stringContaining("truncate") })
            expect(yield* topics.produce("t", 1, [record("d")])).toBe(0)
            expect(yield* bothOf(topics)).toEqual([["a"], ["d"]])
          })
        )
        expect(disk.faults).toBe(2)
        yield* opened(folder)((topics) =>
          Effect.gen(function* () {
            expect(yield* topics.produce("t", 0, [record("e")])).toBe(1)
            expect(yield* bothOf(topics)).toEqual([["a", "e"], ["d"]])
          })
        )
      })
    )
  )

  it.live("because it is read-only can still be read", () =>
    inFolder((folder, real) =>
      Effect.gen(function* () {
        yield* threeFrames(folder, real)
        const { disk, fs } = faulty()
        disk.readOnly = true
        yield* opened(folder, { fs })((topics) =>
          Effect.gen(function* () {
            expect(yield* valuesOf(topics, "t")).toEqual(["a", "b", "c"])
            const failure = yield* Effect.flip(topics.produce("t", 0, [record("d")]))
            expect(failure).toMatchObject({ _tag: "StorageFailed", path: first(folder) })
          })
        )
      })
    )
  )
})

describe("retention", () => {
  it.effect("removes whole segments whose records are too old, never the active one, and says what is held", () =>
    inFolder((folder, fs) =>
      opened(folder, { segmentBytesMax: 1 })((topics) =>
        Effect.gen(function* () {
          yield* topics.create("t", { partitions: 1, retentionMillis: 10_000 })
          for (const value of ["a", "b", "c"]) {
            yield* topics.produce("t", 0, [record(value)])
            yield* TestClock.adjust("6 seconds")
          }
          const reader = yield* topics.reader("t")
          expect(yield* reader.partitions).toEqual([{ partition: 0, oldest: 1, latest: 3 }])
          const failure = yield* Effect.flip(reader.read(0, 0, 1))
          expect(failure).toMatchObject({ _tag: "OffsetOutOfRange", wanted: 0, oldest: 1, latest: 3 })
          yield* TestClock.adjust("1 hour")
          expect((yield* topics.describe("t")).partitions).toEqual([{ partition: 0, oldest: 2, latest: 3 }])
          expect((yield* fs.readDirectory(`${folder}/t/0`)).filter((name) => name.endsWith(".log"))).toHaveLength(1)
        })
      )
    )
  )

  it.effect("keeps the fence of a sink whose records are gone", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const small = { segmentBytesMax: 1 }
        yield* opened(
          folder,
          small
        )((topics) =>
          Effect.gen(function* () {
            yield* topics.create("t", { partitions: 2, retentionMillis: 10_000 })
            const writer = yield* topics.epochWriter("t", opening(1, 0))
            yield* writer.write(1, parts("one"))
            yield* TestClock.adjust("1 hour")
            for (const value of ["a", "b"]) yield* topics.produce("t", 1, [record(value)])
            yield* TestClock.adjust("1 hour")
            expect((yield* topics.describe("t")).partitions[1]).toEqual({ partition: 1, oldest: 2, latest: 3 })
          })
        )
        yield* opened(
          folder,
          small
        )((topics) =>
          Effect.gen(function* () {
            // Partition 0 ends with the epoch, partition 1 holds no record of it any more: it is whole all the same.
            expect(yield* valuesOf(topics, "t", 0)).toEqual(["one 0"])
            expect(yield* Effect.flip(topics.epochWriter("t", opening(1, 1)))).toMatchObject({ _tag: "Fenced" })
            const writer = yield* topics.epochWriter("t", opening(2, 0, [1]))
            expect(yield* writer.write(1, parts("one"))).toBe("already there")
          })
        )
      })
    )
  )
})

it.live("stores and reads a record of 20 MB", () =>
  inFolder((folder) =>
    Effect.gen(function* () {
      const value = new Uint8Array(20_000_000)
      for (let i = 0; i < value.length; i += 97) value[i] = i
      yield* opened(folder)((topics) =>
        Effect.gen(function* () {
          yield* topics.create("t", { partitions: 1 })
          yield* topics.produce("t", 0, [record("before"), record(value), record("after")])
        })
      )
      yield* opened(folder)((topics) =>
        Effect.gen(function* () {
          const reader = yield* topics.reader("t")
          const batch = yield* reader.read(0, 1, 1)
          const found = batch!.bytes.subarray(batch!.valueStarts[0], batch!.valueEnds[0])
          expect(found.every((byte, i) => byte === value[i])).toBe(true)
          expect(found.length).toBe(value.length)
          expect(text((yield* topics.fetch("t", 0, 2, 1))[0]!.value)).toBe("after")
        })
      )
    })
  )
)

it.live("gives a topic that was created again another identity", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      const identity = opened(folder)((topics) => Effect.map(topics.reader("t"), (reader) => reader.identity))
      const before = yield* identity
      expect(yield* identity).toBe(before)
      yield* fs.remove(`${folder}/t`, { recursive: true })
      expect(yield* identity).not.toBe(before)
    })
  )
)

it.live("refuses a reader of offsets that were never written", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      yield* threeFrames(folder, fs)
      const outcome = yield* opened(folder)((topics) => Effect.either(topics.fetch("t", 0, 4, 1)))
      expect(Either.isLeft(outcome) && (outcome.left as Errors.OffsetOutOfRange).latest).toBe(3)
    })
  )
)
