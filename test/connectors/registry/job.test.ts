/**
 * A job over records in Avro, on the embedded log and on Kafka, beside the same job over the same orders in JSON. The
 * bytes that go in, and those that come out, are made and read here by hand.
 */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schema } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as SqlCheckpointStore from "../../../src/checkpoint/SqlCheckpointStore.ts"
import { Avro } from "../../../src/connectors/avro/index.ts"
import { layerKafka } from "../../../src/connectors/kafka/index.ts"
import * as Log from "../../../src/connectors/log/index.ts"
import { layerRegistry } from "../../../src/connectors/registry/index.ts"
import { layerMemory, Sql } from "../../../src/connectors/sql/index.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import * as Aggregate from "../../../src/flow/Aggregate.ts"
import * as Codec from "../../../src/flow/Codec.ts"
import * as Flow from "../../../src/flow/Flow.ts"
import * as Job from "../../../src/flow/Job.ts"
import { Tables } from "../../../src/flow/Tables.ts"
import { type ProducedRecord, Topics } from "../../../src/flow/Topics.ts"
import * as Trigger from "../../../src/flow/Trigger.ts"
import { Decimal, InstantFromMillis, Int64 } from "../../../src/model/Columns.ts"
import * as Life from "../../runtime/Life.ts"
import { ask } from "../../services/asked.ts"
import { topicNamed } from "../kafka/World.ts"
import { framed } from "./Framing.ts"
import { type RegistryServer, start } from "./RegistryServer.ts"

const found = await ask("kafka")
const brokers = "missing" in found ? "" : found.address

let server: RegistryServer
beforeAll(async () => {
  server = await start()
})
afterAll(() => server.stop())

class Order extends Schema.Class<Order>("Order")({
  orderid: Int64,
  region: Schema.String,
  price: Decimal(12, 2),
  at: InstantFromMillis,
  note: Schema.optionalWith(Schema.String, { default: () => "none" })
}) {}
const Income = Schema.Struct({ region: Schema.String, grossIncome: Decimal(18, 2), orders: Int64, noted: Int64 })

const isLarge = ({ price }: Order) => price > 90_00n

/** Sums by region into a table, large orders into a topic, each under the number of its order. */
const jobOf = <E, R>(
  name: string,
  topic: string,
  codec: Codec.Codec<E, R>,
  sinkCodec: Codec.Codec<E, R>,
  keyCodec: Codec.Codec<E, R>
) =>
  Job.make(name, {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => {
      const orders = Flow.from(Topic.source(topic)).pipe(
        Flow.decodeRecord(
          { key: Int64, value: Order },
          { codec, keyCodec: Codec.text, invalid: Topic.deadLetter(`${topic}.invalid`) }
        ),
        Flow.filter(({ key, value }) => key === value.orderid),
        Flow.map(({ value }) => value)
      )
      const incomes = orders.pipe(
        Flow.keyBy("region"),
        Flow.aggregate("income", {
          grossIncome: Aggregate.sum((order: Order) => order.price),
          orders: Aggregate.count,
          noted: Aggregate.sum((order: Order) => (order.note === "none" ? 0n : 1n) as Int64)
        })
      )
      const key = Topic.key((order: Order) => order.orderid, Int64, keyCodec)
      return [
        incomes.pipe(Flow.to(Sql.upsert(name, Income, { key: ["region"] }))),
        orders.pipe(Flow.filter(isLarge), Flow.to(Topic.sink(`${topic}.large`, Order, { codec: sinkCodec, key })))
      ]
    }
  })

// By hand: Avro as its standard says

const zigzag = (value: bigint): Array<number> => {
  const bytes: Array<number> = []
  for (let left = value < 0n ? -2n * value - 1n : 2n * value; ; left >>= 7n) {
    if (left < 128n) return [...bytes, Number(left)]
    bytes.push(Number(left & 127n) | 128)
  }
}
const avroText = (text: string): Array<number> => [...zigzag(BigInt(Buffer.byteLength(text))), ...Buffer.from(text)]
/** Of four bytes: any length that holds it is right. */
const avroDecimal = (cents: bigint): Array<number> => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(Number(cents))
  return [8, ...bytes]
}

class Hand {
  at = 0
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
  long(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(this.bytes[this.at++]!)
      value += (byte & 127n) << shift
      if (byte < 128n) return value % 2n === 0n ? value / 2n : -(value + 1n) / 2n
    }
  }
  take(): Buffer {
    const length = Number(this.long())
    this.at += length
    return Buffer.from(this.bytes.slice(this.at - length, this.at))
  }
}

interface Given {
  readonly orderid: bigint
  readonly region: string
  readonly cents: bigint
  readonly at: number
  readonly note: string | null
}

const field = (name: string, type: unknown) => ({ name, type })
const decimal = { type: "bytes", logicalType: "decimal", precision: 12, scale: 2 }
const timestamp = { type: "long", logicalType: "timestamp-millis" }
const first = {
  type: "record",
  name: "Order",
  fields: [field("orderid", "long"), field("region", "string"), field("price", decimal), field("at", timestamp)]
}
/** Later: in another order, with a note, and a column that the job does not want. */
const second = {
  type: "record",
  name: "Order",
  fields: [
    field("at", timestamp),
    field("note", ["null", "string"]),
    field("clerk", "string"),
    field("orderid", "long"),
    field("region", "string"),
    field("price", decimal)
  ]
}

const avroOf = (order: Given, isSecond: boolean): Uint8Array => {
  const { at, cents, note, orderid, region } = order
  const main = [...zigzag(orderid), ...avroText(region), ...avroDecimal(cents)]
  if (!isSecond) return Uint8Array.from([...main, ...zigzag(BigInt(at))])
  return Uint8Array.from([
    ...zigzag(BigInt(at)),
    ...(note === null ? [0] : [2, ...avroText(note)]),
    ...avroText("clerk"),
    ...main
  ])
}

const jsonOf = ({ at, cents, note, orderid, region }: Given): Uint8Array =>
  new TextEncoder().encode(
    `{"orderid":${orderid},"region":"${region}","price":${Number(cents) / 100},"at":${at}${note === null ? "" : `,"note":"${note}"`}}`
  )

const regions = ["TW", "SG", "Åland"]
const given = Array.from(
  { length: 400 },
  (_, i): Given => ({
    orderid: 9_007_199_254_740_993n + BigInt(i),
    region: regions[i % 3]!,
    cents: BigInt((i * 7919) % 10_000) - 500n,
    at: 1_537_514_430_123 + i,
    // Only those that are written with the second schema have one.
    note: i >= 200 && i % 5 === 0 ? `note ${i}` : null
  })
)

const keyed = (order: Given, value: Uint8Array): ProducedRecord => ({
  key: new TextEncoder().encode(String(order.orderid)),
  value,
  headers: []
})

/** Orders in both forms, and between those in Avro what nobody can read. */
const produced = (topics: Topics["Type"], avro: string, json: string) =>
  Effect.gen(function* () {
    const ids = [first, second].map((schema) => server.add(`${avro}-value`, { schema: JSON.stringify(schema) }))
    const records = given.map((order, i) => keyed(order, framed(ids[i < 200 ? 0 : 1]!, avroOf(order, i >= 200))))
    const whole = records[0]!
    const bad: ReadonlyArray<ProducedRecord> = [
      { ...whole, value: jsonOf(given[0]!) },
      { ...whole, value: framed(123_456, avroOf(given[0]!, false)) },
      { ...whole, value: whole.value.slice(0, -3) },
      { ...whole, key: null },
      { ...whole, key: Uint8Array.of(255) }
    ]
    yield* topics.create(avro, { partitions: 2 })
    yield* topics.create(json, { partitions: 2 })
    for (const partition of [0, 1]) {
      const own = <A>(all: ReadonlyArray<A>) => all.filter((_, i) => i % 2 === partition)
      yield* topics.produce(avro, partition, [...own(records).slice(0, 50), ...own(bad), ...own(records).slice(50)])
      yield* topics.produce(json, partition, own(given.map((order) => keyed(order, jsonOf(order)))))
    }
  })

/** What the tables must hold: summed here. */
const expected = regions
  .map((region) => {
    const own = given.filter((order) => order.region === region)
    const cents = own.reduce((sum, order) => sum + order.cents, 0n)
    return { region, gross_income: cents, orders: own.length, noted: own.filter(({ note }) => note !== null).length }
  })
  .sort((a, b) => (a.region < b.region ? -1 : 1))

const rowsOf = (table: string) =>
  Effect.gen(function* () {
    const sql = `select region, (gross_income * 100)::bigint::text as cents, orders, noted from "${table}"`
    const rows = yield* (yield* Tables).query({ sql, parameters: [] })
    return rows
      .map(({ cents, noted, orders, region }) => ({
        region: String(region),
        gross_income: BigInt(String(cents)),
        orders: Number(orders),
        noted: Number(noted)
      }))
      .sort((a, b) => (a.region < b.region ? -1 : 1))
  })

const recordsOf = (topics: Topics["Type"], topic: string) =>
  Effect.gen(function* () {
    const { partitions } = yield* topics.describe(topic)
    return (yield* Effect.forEach(partitions, ({ partition }) => topics.fetch(topic, partition, 0, 10_000))).flat()
  })

const numberOf = (bytes: Uint8Array): number => Buffer.from(bytes).readUInt32BE(1)

/** A record of the topic of large orders: its key and its value, by the schemas that the job registered. */
const largeOf = ({ key, value }: ProducedRecord) => {
  expect(JSON.parse(server.textOf(numberOf(key!)))).toBe("long")
  expect(JSON.parse(server.textOf(numberOf(value)))).toMatchObject({
    name: "Order",
    fields: [
      { name: "orderid", type: "long" },
      { name: "region", type: "string" },
      { name: "price", type: decimal },
      { name: "at", type: timestamp },
      { name: "note", type: ["null", "string"], default: null }
    ]
  })
  const hand = new Hand(value.slice(5))
  const orderid = hand.long()
  const region = hand.take().toString()
  const price = hand.take()
  const at = Number(hand.long())
  const note = hand.long() === 0n ? null : hand.take().toString()
  expect(hand.at).toBe(value.length - 5)
  return {
    key: new Hand(key!.slice(5)).long(),
    orderid,
    region,
    cents: BigInt(price.readIntBE(0, price.length)),
    at,
    note
  }
}

const run = (crashAt: number, job: Job.Job<unknown, never, {}>, topics: Topics["Type"]) =>
  Life.live(crashAt, (points) =>
    Life.job(job as never, { availableNow: true, set: { maxPerEpoch: "100" } }, []).pipe(
      Effect.provide(Layer.provideMerge(SqlCheckpointStore.layer, Life.services(points))),
      Effect.provideService(Topics, topics),
      Effect.provide(layerRegistry({ url: Redacted.make(server.url) }))
    )
  )

const story = (topics: Topics["Type"]) =>
  Effect.gen(function* () {
    const [avro, json] = [topicNamed("avro"), topicNamed("json")]
    yield* produced(topics, avro, json)
    const register = Avro.codec({ register: true })
    const inAvro = jobOf("in_avro", avro, Avro.codec(), register, register)
    const inJson = jobOf("in_json", json, Codec.json, Codec.json, Codec.text)
    yield* run(0, inJson as never, topics)
    // The registry is away when the job begins: it waits, and gives up no record.
    server.fails = 503
    const waiting = yield* Effect.fork(run(0, inAvro as never, topics))
    yield* Effect.sleep("1 second")
    expect(yield* Fiber.poll(waiting)).toMatchObject({ _tag: "None" })
    server.fails = null
    yield* Fiber.join(waiting)
    expect(yield* rowsOf("in_json")).toEqual(expected)
    expect(yield* rowsOf("in_avro")).toEqual(expected)
    const causes = (yield* recordsOf(topics, `${avro}.invalid`)).map(({ headers }) =>
      new TextDecoder().decode(headers.find(({ name }) => name === "weir.cause")!.value)
    )
    expect(causes.sort()).toEqual([
      "key: expected UTF-8 text, found other bytes",
      "key: the record has none",
      "value: expected a zero byte and the number of a schema, found other bytes",
      "value: the record ends within a value",
      "value: the schema registry knows no schema 123456"
    ])
    const large = (yield* recordsOf(topics, `${avro}.large`)).map(largeOf)
    const wanted = given
      .filter(({ cents }) => cents > 90_00n)
      .map((order) => ({ key: order.orderid, ...order, note: order.note ?? "none" }))
    expect(wanted.length).toBeGreaterThan(10)
    expect(large.sort((a, b) => (a.orderid < b.orderid ? -1 : 1))).toEqual(wanted)
    return avro
  })

describe("A job over Avro", () => {
  it.live(
    "on the embedded log gives what the same job over JSON gives, and is told what of it nobody can read",
    () =>
      Effect.gen(function* () {
        const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        yield* Effect.flatMap(Topics, story).pipe(Effect.provide(Log.layer({ folder })))
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(layerMemory, NodeContext.layer))),
    180_000
  )

  it.live.skipIf(brokers === "")(
    "on Kafka gives the same",
    () =>
      Effect.flatMap(Topics, story).pipe(
        Effect.scoped,
        Effect.provide(layerKafka({ brokers: brokers.split(",") })),
        Effect.provide(Layer.merge(layerMemory, NodeContext.layer))
      ),
    180_000
  )

  it.live(
    "that is killed at any step decodes again what it decoded, and writes each large order once",
    () =>
      Effect.gen(function* () {
        const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        yield* Effect.gen(function* () {
          const topics = yield* Topics
          const avro = topicNamed("avro")
          yield* produced(topics, avro, topicNamed("json"))
          const register = Avro.codec({ register: true })
          const job = jobOf("killed", avro, Avro.codec(), register, register) as never
          let crashes = 0
          for (let n = 0; ; n++) {
            const { crashedAt } = yield* run(n < 12 ? 3 + ((n * 5) % 13) : 0, job, topics)
            if (crashedAt === null) break
            crashes++
          }
          expect(crashes).toBeGreaterThan(5)
          expect(yield* rowsOf("killed")).toEqual(expected)
          const large = (yield* recordsOf(topics, `${avro}.large`)).map((record) => largeOf(record).orderid)
          expect(large.sort()).toEqual(given.filter(({ cents }) => cents > 90_00n).map(({ orderid }) => orderid))
          expect((yield* recordsOf(topics, `${avro}.invalid`)).length).toBe(5)
        }).pipe(Effect.provide(Log.layer({ folder })))
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(layerMemory, NodeContext.layer))),
    180_000
  )
})
