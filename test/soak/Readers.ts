/** Looks again and again at what jobs write, as strangers do: by the drivers of the databases. */
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, ManagedRuntime } from "effect"
import { createConnection, type RowDataPacket } from "mysql2/promise"
import postgres from "postgres"
import { layerKafka } from "../../src/connectors/kafka/index.ts"
import { type StoredRecord, Topics } from "../../src/flow/Topics.ts"
import * as LocalWeir from "./LocalWeir.ts"
import type { Watch } from "./Watch.ts"

type Row = Readonly<Record<string, unknown>>

export interface Reader {
  readonly stop: () => Promise<void>
}

/** Milliseconds from one look to the next. */
const lookMillis = 200
/** Records of a partition at one look, at most. */
const recordsMax = 1_000
/** Every so many looks the two tables of a bank are compared: the rows of one are counted. */
const comparedEvery = 10

/** Looks at the tables of a bank. `query` rejects while nobody answers, and then there is no look. */
export const tables = (job: string, watch: Watch, { close, query }: Asking): Reader => {
  let looks = 0
  const look = async (): Promise<void> => {
    const isCompared = ++looks % comparedEvery === 0
    // One statement sees one moment.
    const counted = isCompared ? "(select count(*) from booked)" : "0"
    const sums = "select sum(balance) as balance, sum(movements) as movements"
    const [bank] = await query(`${sums}, ${counted} as booked from balances`)
    const { balance, booked, movements } = bank!
    watch.holds(`${job}: the balances sum up to ${balance}`, Number(balance) === 0)
    if (isCompared)
      watch.holds(
        `${job}: ${movements} movements of accounts, and ${booked} transfers`,
        Number(movements) === 2 * Number(booked)
      )
    for (const { epoch, generation, sink } of await query(
      `select sink, generation, epoch from weir_fence where job = '${job}'`
    )) {
      watch.neverFalls(`${job}: the epoch of sink ${sink}`, Number(epoch))
      watch.neverFalls(`${job}: the generation of sink ${sink}`, Number(generation))
    }
    for (const { committed, generation, intended } of await query(
      `select generation, intended, committed from weir_job where job = '${job}'`
    )) {
      watch.neverFalls(`${job}: its generation`, Number(generation))
      watch.neverFalls(`${job}: its epoch`, Number(committed))
      watch.holds(
        `${job}: epoch ${committed} is committed, and ${intended} the last intent`,
        Number(intended) >= Number(committed)
      )
    }
    const [last] = await query(`select body from weir_progress where job = '${job}' order by epoch desc limit 1`)
    if (last !== undefined) watermark(watch, job, JSON.parse(String(last.body)))
    watch.read(job)
  }
  return looking(look, close)
}

export interface Asking {
  readonly query: (sql: string) => Promise<ReadonlyArray<Row>>
  readonly close: () => Promise<unknown>
}

/** Says statements to the server of this address, over one connection that is made anew when it is lost. */
export const asking = (url: string): Asking => (url.startsWith("postgres") ? askingPostgres(url) : askingMysql(url))

/** Looks at the progress of a job by way of the process that runs it. `folder`: where its data is at that time. */
export const progress = (job: string, watch: Watch, folder: () => string): Reader => {
  const look = async (): Promise<void> => {
    const [last] = (await LocalWeir.ask(folder(), `/api/jobs/${job}/progress?last=1`)) as ReadonlyArray<Progress>
    if (last === undefined) return
    watch.neverFalls(`${job}: its generation`, last.generation)
    watermark(watch, job, last)
    watch.read(job)
  }
  return looking(look, () => Promise.resolve())
}

/** What an embedded database answers: a process asks it for whoever may ask. */
export const askingLocally = (folder: () => string): Asking => ({
  query: async (sql) => {
    const { columns, rows } = (await LocalWeir.ask(folder(), "/api/query", {
      type: "application/json",
      text: JSON.stringify({ sql })
    })) as {
      readonly columns: ReadonlyArray<string>
      readonly rows: ReadonlyArray<ReadonlyArray<string | null>>
    }
    return rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])))
  },
  close: () => Promise.resolve()
})

/** Of a topic: what names a record, if it is to come once. */
export type Naming = (record: { readonly value: string; readonly headers: Readonly<Record<string, string>> }) => string

/**
 * Reads committed records of topics as they come: each comes once, and what `weir.epochs` says never falls.
 *
 * By Weir's own reader: that of kafkajs lets records of aborted transactions through where it goes on behind the
 * beginnings of two (of those, it takes up one for each record that it passes).
 */
export const topics = (brokers: string, watch: Watch, named: Readonly<Record<string, Naming>>): Reader => {
  const runtime = ManagedRuntime.make(layerKafka({ brokers: [brokers] }))
  const next = new Map<string, number>()
  const seen = (topic: string, { headers, key, value }: StoredRecord): void => {
    if (topic === "weir.epochs") {
      const { epoch, generation } = JSON.parse(textOf(value)) as Row
      watch.neverFalls(`topic weir.epochs: the epoch of ${textOf(key!)}`, Number(epoch))
      watch.neverFalls(`topic weir.epochs: the generation of ${textOf(key!)}`, Number(generation))
    } else {
      const texts = Object.fromEntries(headers.map(({ name, value }) => [name, textOf(value)]))
      watch.once(`topic ${topic}`, named[topic]!({ value: textOf(value), headers: texts }))
    }
  }
  const lookAt = (topic: string) =>
    Effect.gen(function* () {
      const service = yield* Topics
      for (const { partition } of (yield* service.describe(topic)).partitions) {
        const place = `${topic}/${partition}`
        const records = yield* service.fetch(topic, partition, next.get(place) ?? 0, recordsMax)
        for (const record of records) seen(topic, record)
        if (records.length > 0) next.set(place, records.at(-1)!.offset + 1)
      }
    })
  const look = Effect.forEach(["weir.epochs", ...Object.keys(named)], lookAt, { discard: true })
  return looking(
    () => runtime.runPromise(look).then(() => watch.read("topics")),
    () => runtime.dispose()
  )
}

// Private

interface Progress {
  readonly generation: number
  readonly epoch: number
  readonly watermark: number | null
}

const watermark = (watch: Watch, job: string, { epoch, watermark }: Progress): void => {
  watch.neverFalls(`${job}: the epoch of its progress`, epoch)
  watch.neverFalls(`${job}: its watermark`, watermark ?? Number.NEGATIVE_INFINITY)
}

const decoder = new TextDecoder()
const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

const looking = (look: () => Promise<void>, close: () => Promise<unknown>): Reader => {
  let isOver = false
  const looks = (async () => {
    while (!isOver) {
      // Nobody answers, or the table is not there yet.
      await look().catch(() => {})
      await sleep(lookMillis)
    }
  })()
  return {
    stop: async () => {
      isOver = true
      await looks
      await close()
    }
  }
}

const askingPostgres = (url: string): Asking => {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 5 })
  return {
    query: async (text: string) => [...(await sql.unsafe(text))] as ReadonlyArray<Row>,
    close: () => sql.end({ timeout: 5 })
  }
}

const askingMysql = (url: string): Asking => {
  let made: ReturnType<typeof createConnection> | null = null
  return {
    query: async (text: string): Promise<ReadonlyArray<Row>> => {
      made ??= createConnection({ uri: url, connectTimeout: 5_000 }).then((connection) =>
        // The next statement tells it, too.
        connection.on("error", () => {})
      )
      try {
        const connection = await made
        const [rows] = await connection.query<Array<RowDataPacket>>(text)
        return rows
      } catch (cause) {
        const failed = made
        made = null
        void failed.then((connection) => connection.destroy()).catch(() => {})
        throw cause
      }
    },
    close: async () => void (await made?.catch(() => null))?.destroy()
  }
}
