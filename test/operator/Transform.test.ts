import { describe, expect, test } from "vitest"
import { StepFailed } from "../../src/model/Errors.ts"
import type { Change, RawEvent } from "../../src/model/Event.ts"
import { batchRecordsMax, rowsOfEventMax } from "../../src/model/Limits.ts"
import type { Batch } from "../../src/model/Message.ts"
import * as Transform from "../../src/operator/Transform.ts"
import { batchOf, collect, recordsOf } from "./Messages.ts"

const map = (f: (event: never) => unknown, changes = false) =>
  Transform.make({ id: "map", spec: { kind: "map", f } }, { changes })
const filter = (predicate: (event: never) => boolean, changes = false) =>
  Transform.make({ id: "filter", spec: { kind: "filter", predicate } }, { changes })
const flatMap = (f: (event: never) => Iterable<unknown>) =>
  Transform.make({ id: "flatMap", spec: { kind: "flatMap", f } }, { changes: false })

describe("map", () => {
  test("makes one value of each, which keeps its place and time", () => {
    const batch = batchOf([1, 2, 3], [5, 6, 6], [0, 0, 1])
    const [out, ...others] = collect(
      map((n: number) => n * 10),
      batch
    )
    expect(others).toEqual([])
    expect(out).toEqual({ ...batch, values: [10, 20, 30], port: "out" })
  })

  test("makes rows of both rows of a change", () => {
    const changes: ReadonlyArray<Change> = [
      { key: "a", after: 1 },
      { key: "b", before: 1, after: 2 },
      { key: "c", before: 3 }
    ]
    const [out] = collect(
      map((n: number) => n * 10, true),
      batchOf(changes, [1, 2, 3])
    )
    expect(out!.values).toStrictEqual([
      { key: "a", after: 10 },
      { key: "b", before: 10, after: 20 },
      { key: "c", before: 30 }
    ])
  })

  test("names step, partition and offset where the function throws", () => {
    const run = () =>
      collect(
        map((n: number) => {
          if (n === 2) throw new Error("two")
          return n
        }),
        batchOf([1, 2], [5, 9])
      )
    expect(run).toThrow(StepFailed)
    expect(run).toThrow("Step 'map' failed at orders, partition 3, offset 9: two")
  })
})

describe("filter", () => {
  test("hands on what passes, with everything that stands beside it", () => {
    const [out] = collect(
      filter((n: number) => n !== 2),
      batchOf([1, 2, 3], [5, 6, 6], [0, 0, 1])
    )
    expect(out!.values).toEqual([1, 3])
    expect([...out!.offsets]).toEqual([5, 6])
    expect([...out!.rows!]).toEqual([0, 1])
    expect([...out!.eventTimes!]).toEqual([500, 600])
    expect([...out!.ownWatermarks!]).toEqual([495, 595])
  })

  test("emits nothing where nothing passes", () => {
    expect(
      collect(
        filter(() => false),
        batchOf([1], [1])
      )
    ).toEqual([])
  })

  test.each<[string, Change, ReadonlyArray<Change>]>([
    ["takes back a row that no longer passes", { key: "a", before: 5, after: 1 }, [{ key: "a", before: 5 }]],
    ["says no before of a row that newly passes", { key: "a", before: 1, after: 5 }, [{ key: "a", after: 5 }]],
    ["hands on a row that still passes", { key: "a", before: 5, after: 6 }, [{ key: "a", before: 5, after: 6 }]],
    ["says nothing of a row that never passed", { key: "a", before: 1, after: 2 }, []],
    ["hands on a new row that passes", { key: "a", after: 5 }, [{ key: "a", after: 5 }]],
    ["says nothing of a new row that does not pass", { key: "a", after: 1 }, []],
    ["takes back a removed row that had passed", { key: "a", before: 5 }, [{ key: "a", before: 5 }]],
    ["says nothing of a removed row that had not passed", { key: "a", before: 1 }, []]
  ])("%s", (_, change, expected) => {
    const out = collect(
      filter((n: number) => n > 3, true),
      batchOf([change], [7])
    )
    expect(out.flatMap((batch) => batch.values)).toStrictEqual(expected)
  })

  test("names step, partition and offset where the predicate throws", () => {
    const throwing = filter(() => {
      throw new Error("no")
    })
    expect(() => collect(throwing, batchOf([1], [5]))).toThrow(
      "Step 'filter' failed at orders, partition 3, offset 5: no"
    )
  })
})

describe("flatMap", () => {
  test("counts the rows of each record", () => {
    const [out] = collect(
      flatMap((n: number) => Array.from({ length: n }, (_, i) => `${n}.${i}`)),
      batchOf([2, 0, 1], [5, 6, 7])
    )
    expect(out!.values).toEqual(["2.0", "2.1", "1.0"])
    expect([...out!.offsets]).toEqual([5, 5, 7])
    expect([...out!.rows!]).toEqual([0, 1, 0])
    expect([...out!.eventTimes!]).toEqual([500, 500, 700])
  })

  test("numbers the rows of what is a row already by it and their index, in order", () => {
    const [out] = collect(
      flatMap((n: number) => [n, n]),
      batchOf([1, 2, 3], [5, 5, 6], [0, 1, 0])
    )
    expect([...out!.offsets]).toEqual([5, 5, 5, 5, 6, 6])
    expect([...out!.rows!]).toEqual([0, 1, rowsOfEventMax, rowsOfEventMax + 1, 0, 1])
  })

  test("gives the rows of a record one number each, however they were cut into batches", () => {
    const count = batchRecordsMax + 100
    const parts = collect(
      flatMap(() => Array.from({ length: count }, (_, i) => i)),
      batchOf([0], [5])
    )
    expect(parts.length).toBe(2)
    const twice = flatMap((n: number) => [n, n])
    const rows = parts.flatMap((part) => collect(twice, part)).flatMap((batch) => [...batch.rows!])
    expect(new Set(rows).size).toBe(2 * count)
    expect(rows).toEqual([...rows].sort((left, right) => left - right))
    const whole = batchOf(
      parts.flatMap(({ values }) => values),
      new Array(count).fill(5),
      Array.from({ length: count }, (_, i) => i)
    )
    expect(collect(twice, whole).flatMap((batch) => [...batch.rows!])).toEqual(rows)
  })

  test("makes as many rows as it likes of a record, but no more than its limit of one of several rows", () => {
    const many = flatMap((n: number) => new Array(n).fill("x"))
    const last = (out: ReadonlyArray<Batch>) => out.at(-1)!.rows!.at(-1)
    expect(last(collect(many, batchOf([rowsOfEventMax + 1], [5])))).toBe(rowsOfEventMax)
    expect(last(collect(many, batchOf([rowsOfEventMax], [5], [1])))).toBe(2 * rowsOfEventMax - 1)
    expect(() => collect(many, batchOf([rowsOfEventMax + 1], [5], [1]))).toThrow(
      "Step 'flatMap' failed at orders, partition 3, offset 5: it makes more than 65536 rows of one event that is one of several rows of its record"
    )
  })

  test("refuses a row whose number would not be exact, and no event of which it makes nothing", () => {
    const largest = 2 ** 37 - 1
    const repeated = flatMap((n: number) => new Array(n).fill("x"))
    expect(
      collect(repeated, batchOf([rowsOfEventMax], [5], [largest]))
        .at(-1)!
        .rows!.at(-1)
    ).toBe(Number.MAX_SAFE_INTEGER)
    expect(collect(repeated, batchOf([0], [5], [largest + 1]))).toEqual([])
    const tooDeep = () => collect(repeated, batchOf([1], [5], [largest + 1]))
    expect(tooDeep).toThrow(StepFailed)
    expect(tooDeep).toThrow("offset 5: the number of a row of it would reach 2^53")
  })

  test("parts what does not fit into one batch", () => {
    const out = collect(
      flatMap(() => new Array(batchRecordsMax).fill("x")),
      batchOf([1, 2], [5, 6])
    )
    expect(out.map((batch) => batch.values.length)).toEqual([batchRecordsMax, batchRecordsMax])
    expect(out[1]!.rows![batchRecordsMax - 1]).toBe(batchRecordsMax - 1)
    expect(out[1]!.offsets[0]).toBe(6)
  })

  test("names the record where the function throws between two rows", () => {
    const throwing = flatMap(function* () {
      yield 1
      throw new Error("no")
    })
    expect(() => collect(throwing, batchOf([1], [5]))).toThrow("partition 3, offset 5: no")
  })
})

describe("materialise", () => {
  test("makes an event of each record, with views of its key and value", () => {
    const records = recordsOf(["x", "y"], ["k"])
    const [out] = collect(Transform.materialise("raw"), records)
    const [first, second] = out!.values as ReadonlyArray<RawEvent>
    expect(first).toMatchObject({ partition: 3, offset: 10, timestamp: 1000 })
    expect(first!.value.buffer).toBe(records.records.bytes.buffer)
    expect([first!.key, first!.value].map((bytes) => new TextDecoder().decode(bytes!))).toEqual(["k", "x"])
    expect(second!.key).toBeNull()
    expect(out!.records).toBe(records.records)
    expect([...out!.recordIndexes!]).toEqual([0, 1])
  })
})
