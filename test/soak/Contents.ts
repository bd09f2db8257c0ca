/** What the jobs have left in the end, and whether it is what the oracle makes of what they have read. */
import { NodeContext } from "@effect/platform-node"
import { Effect } from "effect"
import { layerPGlite } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { compared } from "../crash/KillPaths.ts"
import * as KillReader from "../crash/KillReader.ts"
import * as Bank from "./Bank.ts"
import type { Feed } from "./Feed.ts"
import type { Path } from "./Paths.ts"
import * as Readers from "./Readers.ts"
import * as World from "./World.ts"

export interface Found {
  readonly differences: ReadonlyArray<string>
  /** Records of the transfers' topic, by path. */
  readonly records: ReadonlyMap<string, number>
}

/** A record, whoever has read it. */
interface Read extends Bank.Stored {
  readonly headers: Readonly<Record<string, string>>
}

type Log = ReadonlyMap<string, ReadonlyArray<Read>>

/** `feeds`: by the name of the path; those of Kafka have one together. */
export const found = async (
  world: World.World,
  paths: ReadonlyArray<Path>,
  feeds: ReadonlyMap<string, Feed>
): Promise<Found> => {
  const differences: Array<string> = []
  const records = new Map<string, number>()
  const overKafka = paths.filter(({ servers }) => servers.length > 0)
  const topics = new Set(overKafka.flatMap(({ reads, writes }) => [reads, ...writes]))
  const ofKafka: Log = world.brokers === null ? new Map() : await readKafka(world.brokers, [...topics])
  for (const path of paths) {
    const isEmbedded = path.servers.length === 0
    const place = world.placeOf(path)
    const log = isEmbedded ? await readLog(place, [path.reads, ...path.writes]) : ofKafka
    const input = log.get("transfers")!
    const expected = Bank.expectedOf(input)
    records.set(path.name, input.length)
    const wrong = [
      ...lost(input, feeds.get(isEmbedded ? path.name : "kafka")!),
      ...(path.job === "statements" ? ofTopics(log, expected) : []),
      ...(path.job === "statements"
        ? []
        : await ofTables(expected, isEmbedded ? askingFolder(place) : Readers.asking(place.database!))),
      // What was copied is a transfer: no copy is a dead letter.
      ...compared(
        "dead letter",
        path.reads === "transfers" ? expected.invalid : [],
        placesOf(log, `${path.job}.invalid`)
      )
    ]
    differences.push(...wrong.map((one) => `${path.name}: ${one}`))
  }
  return { differences, records }
}

// Private

/** A server that has lost what it had confirmed would make all that follows a comparison with less. */
const lost = (input: ReadonlyArray<Read>, feed: Feed): ReadonlyArray<string> => {
  const there = new Set(input.map(({ text }) => (JSON.parse(text) as { readonly id: number }).id))
  return [...feed.confirmed()]
    .filter((id) => !there.has(id))
    .map((id) => `transfer ${id} was confirmed, and is not in the topic`)
}

const placesOf = (log: Log, topic: string): ReadonlyArray<string> =>
  log.get(topic)!.map(({ headers }) => `${headers["weir.partition"]}/${headers["weir.offset"]}`)

const ofTopics = (log: Log, expected: Bank.Expected): ReadonlyArray<string> => {
  const copies = log.get("statements.copies")!.map(({ text }) => bookedOf(text))
  const paid = log.get("statements.paid")!.map(({ text }) => paidOf(text))
  return [
    ...compared("copy", expected.booked, copies),
    ...compared("payment", expected.paid, paid),
    ...compared("late transfer", expected.late, placesOf(log, "statements.late"))
  ]
}

/** `id|debtor|creditor|amount` of a record that is a transfer. */
export const bookedOf = (text: string): string => {
  const { amount, creditor, debtor, id } = JSON.parse(text) as Record<string, number | string>
  return `${id}|${debtor}|${creditor}|${amount}`
}

const paidOf = (text: string): string => {
  const { amount, debtor, transfers, windowStart } = JSON.parse(text) as Record<string, number | string>
  return `${debtor}|${Date.parse(String(windowStart)) / 1_000}|${amount}|${transfers}`
}

/** What names a payment: the account, and the minute. */
export const keyOfPayment = (text: string): string => paidOf(text).split("|").slice(0, 2).join("|")

const ofTables = async (expected: Bank.Expected, { close, query }: Readers.Asking): Promise<ReadonlyArray<string>> => {
  try {
    const textsOf = async (table: string, columns: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
      (await query(`select ${columns.join(", ")} from ${table}`)).map((row) =>
        columns.map((column) => String(row[column])).join("|")
      )
    const booked = await textsOf("booked", ["id", "debtor", "creditor", "amount"])
    const balances = await textsOf("balances", ["account", "balance", "movements"])
    return [...compared("row", expected.booked, booked), ...compared("balance", expected.balances, balances)]
  } finally {
    await close()
  }
}

/** The built-in database of a path, which no process has at that time. */
const askingFolder = ({ home }: World.Place): Readers.Asking => ({
  query: (sql) =>
    Effect.flatMap(Tables, (tables) => tables.query({ sql, parameters: [] })).pipe(
      Effect.provide(layerPGlite({ folder: `${home}/first/postgres` })),
      Effect.provide(NodeContext.layer),
      Effect.runPromise
    ),
  close: () => Promise.resolve()
})

const readKafka = async (brokers: string, topics: ReadonlyArray<string>): Promise<Log> => {
  const found = await KillReader.committed(brokers, topics)
  return new Map(
    [...found].map(([topic, records]) => [
      topic,
      records
        .filter(({ value }) => String(value) !== "")
        .map(({ headers, offset, partition, value }) => ({
          partition,
          offset: Number(offset),
          text: String(value),
          headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]))
        }))
    ])
  )
}

const utf8 = new TextDecoder()

const readLog = (place: World.Place, names: ReadonlyArray<string>): Promise<Log> =>
  World.inLog(
    place,
    Effect.gen(function* () {
      const topics = yield* Topics
      const log = new Map<string, ReadonlyArray<Read>>()
      for (const name of names) {
        const read: Array<Read> = []
        for (const { latest, oldest, partition } of (yield* topics.describe(name)).partitions) {
          for (let next = oldest; next < latest; ) {
            const some = yield* topics.fetch(name, partition, next, latest - next)
            for (const { headers, offset, value } of some) {
              const texts = headers.map(({ name, value }) => [name, utf8.decode(value)])
              read.push({ partition, offset, text: utf8.decode(value), headers: Object.fromEntries(texts) })
              next = offset + 1
            }
            if (some.length === 0) break
          }
        }
        log.set(name, read)
      }
      return log
    })
  )
