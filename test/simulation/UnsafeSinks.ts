/** Sinks that write right as long as nothing happens: what a crash or a zombie makes of them must be found. */
import { Effect } from "effect"
import type { OwnWriter, Prepared, Sink } from "../../src/flow/Sink.ts"
import { Tables, type TablesError, type TablesService } from "../../src/flow/Tables.ts"

export interface Note {
  readonly id: number
}

/** Writes an epoch whenever it is told to: without a look at what is there already. */
export const unfenced: Sink<Note, TablesError, Tables> = sink("unfenced", (tables, epoch, ids) =>
  Effect.as(write(tables, epoch, ids), "written" as const)
)

/** Looks whether the epoch is there, then writes it: in two requests, between which anything may happen. */
export const lookingFirst: Sink<Note, TablesError, Tables> = sink("looking first", (tables, epoch, ids) =>
  Effect.gen(function* () {
    const [found] = yield* tables.query({ sql: "select max(epoch) as last from note_epoch", parameters: [] })
    if (Number(found?.last ?? 0) >= epoch) return "already there"
    yield* write(tables, epoch, ids)
    return "written"
  })
)

type Commit = (
  tables: TablesService,
  epoch: number,
  ids: ReadonlyArray<number>
) => Effect.Effect<"written" | "already there", TablesError>

function sink(name: string, commit: Commit): Sink<Note, TablesError, Tables> {
  return {
    name,
    label: name,
    guarantee: "at least once",
    replaces: false,
    key: [],
    clear: null,
    open: () =>
      Effect.gen(function* () {
        const tables = yield* Tables
        yield* Effect.orDie(
          tables.transaction([
            { sql: "create table if not exists note (id integer)", parameters: [] },
            { sql: "create table if not exists note_epoch (epoch integer)", parameters: [] }
          ])
        )
        return writerOf(tables, commit)
      })
  }
}

const write = (tables: TablesService, epoch: number, ids: ReadonlyArray<number>): Effect.Effect<void, TablesError> =>
  tables
    .transaction([
      { sql: "insert into note_epoch (epoch) values (?1)", parameters: [epoch] },
      ...ids.map((id) => ({ sql: "insert into note (id) values (?1)", parameters: [id] }))
    ])
    .pipe(Effect.catchTag("RowsUnexpected", Effect.die), Effect.asVoid)

const writerOf = (tables: TablesService, commit: Commit): OwnWriter => {
  const waiting = new Map<number, ReadonlyArray<number>>()
  return {
    _tag: "OwnWriter",
    prepare: ({ barrier: { epoch }, batches }) =>
      Effect.sync((): Prepared => {
        const ids = batches.flatMap(({ values }) => values.map((value) => (value as Note).id)).sort((a, b) => a - b)
        waiting.set(epoch, ids)
        return { epoch, rows: ids.length, bytes: 8 * ids.length, digest: ids.join(" "), invalid: [] }
      }),
    commit: ({ epoch }) => commit(tables, epoch, waiting.get(epoch) ?? []),
    position: Effect.succeed(null)
  }
}
