/** A case of the suites of sinks into tables: rows of a table of incomes, and a sink that is opened and written to. */
import { Effect, Schema, type Scope } from "effect"
import type { Prepared, Sink, SinkOpening, SinkWriter, TablesWriter } from "../flow/Sink.ts"
import { Tables, type TablesService } from "../flow/Tables.ts"
import { Decimal, Instant, Int64 } from "../model/Columns.ts"
import type { Change } from "../model/Event.ts"
import type { Barrier, Batch } from "../model/Message.ts"

// What is written

export const Income = Schema.Struct({
  region: Schema.String,
  windowStart: Instant,
  grossIncome: Decimal(12, 2),
  totalItems: Int64,
  note: Schema.NullOr(Schema.String)
})
export type Income = typeof Income.Type

export const income = (
  region: string,
  minute: number,
  cents: bigint,
  fields: Partial<Record<keyof Income, unknown>> = {}
): Income =>
  ({ region, windowStart: minute * 60_000, grossIncome: cents, totalItems: 1n, note: null, ...fields }) as Income

export const key = ["region", "windowStart"] as const
export const closedAt = 1_600_000_000_123

const opening = (sink: string): SinkOpening => ({
  job: "suite",
  sink,
  lineage: 3,
  generation: 1,
  manifestEpoch: 0,
  intentEpochs: [],
  position: null
})

export const barrier = (epoch: number): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: closedAt - 1000,
  closedAt,
  final: false,
  partitions: [],
  watermark: 0,
  idle: false
})

/** A batch of values of one partition, whose offsets begin at `offset`. */
export const batch = (values: ReadonlyArray<unknown>, partition = 0, offset = 0): Batch => ({
  _tag: "Batch",
  origin: "orders",
  partition,
  openedAt: closedAt - 1000,
  values,
  offsets: Float64Array.from(values, (_, i) => offset + i),
  rows: null,
  eventTimes: null,
  ownWatermarks: null,
  records: null,
  recordIndexes: null
})

// A sink at work

interface Opened {
  readonly tables: TablesService
  readonly writer: TablesWriter
  /** Prepares and commits an epoch. */
  readonly write: (epoch: number, ...batches: ReadonlyArray<Batch>) => Effect.Effect<Prepared, unknown>
  readonly read: (columns?: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>, unknown>
}

export const onSink = <E, Takes>(
  sink: Sink<any, E, Tables, Takes>,
  body: (opened: Opened) => Effect.Effect<void, unknown, Tables | Scope.Scope>
): Effect.Effect<void, unknown, Tables | Scope.Scope> =>
  Effect.gen(function* () {
    const tables = yield* Tables
    yield* tables.transaction([{ sql: `drop table if exists ${tables.dialect.quote(sink.name)}`, parameters: [] }])
    const writer = yield* openTable(sink)
    const write: Opened["write"] = (epoch, ...batches) =>
      Effect.gen(function* () {
        const prepared = yield* writer.prepare({ barrier: barrier(epoch), batches })
        yield* tables.transaction(writer.statements(prepared))
        writer.committed(prepared)
        return prepared
      })
    const read: Opened["read"] = (columns = "*") =>
      tables.query({ sql: `select ${columns} from ${tables.dialect.quote(sink.name)} order by 1, 2`, parameters: [] })
    yield* body({ tables, writer, write, read })
  })

export const openTable = <E, Takes>(
  sink: Sink<any, E, Tables, Takes>
): Effect.Effect<TablesWriter, unknown, Tables | Scope.Scope> =>
  Effect.flatMap(sink.open(opening(sink.name)), (writer: SinkWriter) =>
    writer._tag === "TablesWriter" ? Effect.succeed(writer) : Effect.fail(new Error("it commits by itself"))
  )

export const put = (row: Income, before?: Income): Change<unknown, Income> =>
  before === undefined ? { key: row.region, after: row } : { key: row.region, before, after: row }
export const gone = (row: Income): Change<unknown, Income> => ({ key: row.region, before: row })
