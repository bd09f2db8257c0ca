/** Records made of a Schema and a seed: the same again, mostly taken, and odd in each of the ways that are promised. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import orders, { Order } from "../../actors/orders.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Codec from "../../src/flow/Codec.ts"
import { Flow, Instant, Int64, Job, Trigger } from "../../src/index.ts"
import { Arbitraries, JobTest, Simulate } from "../../src/testing/index.ts"

const Reading = Schema.Struct({
  sensor: Schema.String,
  value: Schema.NullOr(Schema.Number),
  count: Int64,
  note: Schema.optionalWith(Schema.String, { exact: true }),
  at: Instant
})
const digestOf = (records: ReadonlyArray<Uint8Array>): string => {
  const hash = createHash("sha256")
  for (const record of records) hash.update(record).update("\n")
  return hash.digest("hex")
}

const { read } = Codec.json.reader(Reading)
const readAll = (records: ReadonlyArray<Uint8Array>) =>
  records.map((bytes) => {
    try {
      return read(bytes, 0, bytes.length)
    } catch {
      return null
    }
  })

const valueOf = (record: unknown): Uint8Array => (record as { readonly value: Uint8Array }).value

const none = { odd: 0, malformed: 0, repeated: 0, outOfOrder: 0, late: 0, farFuture: 0 }
const most = 2_000
const countOf = (shares: Partial<Arbitraries.Shares>) =>
  readAll(Arbitraries.records(Reading, { count: most, seed: 3, shares: { ...none, ...shares } }))

describe("arbitrary records", () => {
  it("are the same for the same seed, on every machine, and others for another", () => {
    const of = (seed: number) => digestOf(Arbitraries.records(Reading, { seed }))
    expect(of(1)).toBe("15e7b5161bdb44632d47c0b8aef07a7bb864f7f39aff2b6b610036cf5723221a")
    expect(of(2)).not.toBe(of(1))
  })

  it("are all taken by their Schema where nothing is done to them", () => {
    const rows = countOf({})
    expect(rows.length).toBe(most)
    expect(rows.filter((row) => row === null)).toEqual([])
    const times = rows.map((row) => row!.at)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[0]! - Date.UTC(2026, 0, 1)).toBeLessThanOrEqual(2_000)
  })

  it("are odd only where their Schema takes it, and mixed only where it takes that", () => {
    const Span = Schema.Struct({
      name: Schema.String.pipe(Schema.pattern(/^[a-z]{1,8}$/)),
      from: Schema.Int,
      to: Schema.Int
    })
    const Ordered = Span.pipe(Schema.filter(({ from, to }) => from <= to))
    const { read } = Codec.json.reader(Ordered)
    const sent = Arbitraries.records(Ordered, { count: 500, shares: { ...none, odd: 0.5 } })
    for (const bytes of sent) expect(read(bytes, 0, bytes.length).name).toMatch(/^[a-z]{1,8}$/)
    expect(sent.map((bytes) => new TextDecoder().decode(bytes)).join()).toContain("2147483648")
  })

  it("have keys of several records, and fields with and without a value", () => {
    const rows = countOf({})
    const keys = new Map<string, number>()
    for (const row of rows) keys.set(row!.sensor, (keys.get(row!.sensor) ?? 0) + 1)
    expect([...keys.values()].filter((count) => count > most / 20).length).toBeGreaterThan(2)
    for (const has of [true, false]) {
      expect(rows.some((row) => (row!.value === null) === has)).toBe(true)
      expect(rows.some((row) => "note" in row! === has)).toBe(true)
    }
  })

  it("are odd in the shares that were asked for, and in no other way", () => {
    const about = (count: number, share: number) => {
      expect(count).toBeGreaterThan(most * share * 0.7)
      expect(count).toBeLessThan(most * share * 1.3)
    }
    about(countOf({ malformed: 0.1 }).filter((row) => row === null).length, 0.1)
    about(countOf({ farFuture: 0.1 }).filter((row) => row!.at > Date.UTC(9000, 0, 1)).length, 0.1)
    const behind = (shares: Partial<Arbitraries.Shares>, least: number, under: number) => {
      let highest = 0
      return countOf(shares).filter((row) => {
        highest = Math.max(highest, row!.at)
        return highest - row!.at >= least && highest - row!.at < under
      }).length
    }
    about(behind({ late: 0.1 }, 58_000, 1_802_000), 0.1)
    expect(behind({ outOfOrder: 0.3 }, 1, 5_000)).toBeGreaterThan(most * 0.1)
    const texts = Arbitraries.records(Reading, { count: most, shares: { ...none, repeated: 0.1 } }).map(String)
    about(most - new Set(texts).size, 0.1)
    const odd = countOf({ odd: 0.3 })
    expect(odd.filter((row) => row === null)).toEqual([])
    for (const count of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n])
      expect(odd.some((row) => row!.count === count)).toBe(true)
    for (const text of ["", "null", "\u0000", "e\u0301", "x".repeat(1_000)])
      expect(odd.some((row) => row!.sensor === text)).toBe(true)
  })

  it.effect("are of all topics that a job reads, with the keys that it decodes", () => {
    const Row = Schema.Struct({ key: Int64, value: Reading })
    const keyed = Job.make("keyed", {
      parameters: {},
      trigger: Trigger.every("1 second"),
      outputs: () => {
        const invalid = Topic.deadLetter("invalid")
        const left = Flow.from(Topic.source("left")).pipe(
          Flow.decodeRecord({ key: Int64, value: Reading }, { invalid })
        )
        const right = Flow.from(Topic.source("right")).pipe(
          Flow.decodeRecord({ key: Int64, value: Reading }, { invalid })
        )
        return left.pipe(Flow.merge(right), Flow.to(Topic.sink("out", Row)))
      }
    })
    const input = Arbitraries.input(keyed, { count: 50, shares: { malformed: 0 } })
    expect(Object.keys(input)).toEqual(["left", "right"])
    expect(digestOf(input.left!.map(valueOf))).not.toBe(digestOf(input.right!.map(valueOf)))
    return Effect.map(JobTest.run(keyed, { input, expect: { invalid: [] } }), ({ out }) => {
      expect(out!.length).toBe(100)
      expect(new Set(out!.map(({ key }) => key)).size).toBeGreaterThan(3)
    })
  })

  it("refuse a job with wrong parameters, and a time that is none", () => {
    expect(() => Arbitraries.input(orders, { set: { window: "long" } })).toThrow("'long' is no duration")
    expect(() => Arbitraries.records(Order, { start: "soon" })).toThrow("'start' is 'soon'")
  })

  it.effect("come to a job as tables: each is a row, or set aside", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 5; seed++) {
        const input = Arbitraries.input(orders, { seed })
        const written = yield* JobTest.run(orders, {
          input,
          expect: { "orders.invalid": JobTest.anything, "orders.late": JobTest.anything }
        })
        const counted = written.shop_item_income!.reduce((sum, row) => sum + Number(row.total_orders), 0)
        expect(counted).toBeGreaterThan(75)
        expect(counted + written["orders.invalid"]!.length + written["orders.late"]!.length).toBe(150)
        expect(written["orders.invalid"]!.length).toBeGreaterThan(0)
      }
    })
  )

  it.effect("are an input of its own for each simulated world", () => {
    const seeds: Array<number> = []
    const input = (seed: number) => {
      seeds.push(seed)
      return Arbitraries.input(orders, { seed, count: 60 })
    }
    return Effect.map(Simulate.job(orders, { input, seeds: 3, seed: 7 }), (summary) => {
      expect(seeds).toEqual([7, 8, 9])
      expect(summary.seeds).toBe(3)
      expect(summary.epochs).toBeGreaterThan(10)
    })
  })
})
