/**
 * Tables in the embedded PostgreSQL: PGlite, in a folder or in memory.
 *
 * One session, in this process's own thread: a statement keeps the event loop until it is done, and nothing can cancel
 * it, `statement_timeout` included. It never asks the disk to sync: rows survive the death of the process, not a power
 * cut. It has no lock: two processes on one folder lose rows silently, so whoever opens one must own it.
 */

import { FileSystem } from "@effect/platform"
import { PGlite } from "@electric-sql/pglite"
import { Clock, Duration, Effect, Layer, type Scope } from "effect"
import {
  type FoundTable,
  type SqlValue,
  type Statement,
  Tables,
  type TablesError,
  type TablesService
} from "../../flow/Tables.ts"
import { RowsUnexpected, StorageFailed, type TablesUnavailable } from "../../model/Errors.ts"
import * as Ask from "./Ask.ts"
import * as Postgres from "./Postgres.ts"
import * as PostgresParameter from "./PostgresParameter.ts"
import * as PostgresValue from "./PostgresValue.ts"

/**
 * Tables in `folder`, which is made if it is missing; `null`: in memory, gone with the scope. Opening takes 0.2
 * seconds, the first time 2. Closing ends the session.
 */
export const layerPGlite = (options: {
  readonly folder: string | null
}): Layer.Layer<Tables, StorageFailed | TablesUnavailable, FileSystem.FileSystem> =>
  Layer.scoped(
    Tables,
    options.folder === null ? open(null) : Effect.zipRight(makeFolder(options.folder), open(options.folder))
  )

/** Tables in memory: for tests, and for jobs whose tables need not outlive them. */
export const layerMemory: Layer.Layer<Tables, StorageFailed | TablesUnavailable> = Layer.scoped(
  Tables,
  Effect.suspend(() => open(null))
)

/** Rows that one `maintain` vacuums at most before it leaves the rest to the next: about a second of work. */
const maintainRowsMax = 1_000_000
/** Dead or changed rows below which a table is left alone. */
const maintainRowsMin = 1_000

// Opening

const open = (folder: string | null): Effect.Effect<TablesService, StorageFailed | TablesUnavailable, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({
        try: () => PGlite.create({ ...(folder === null ? {} : { dataDir: folder }), parsers: PostgresValue.parsers }),
        catch: (cause) => unopened(folder ?? "memory", cause)
      }),
      // A session that was broken before cannot be closed any better.
      (session) => Effect.ignore(Effect.tryPromise(() => session.close()))
    ),
    (session) => make(session, folder === null ? `pglite:memory:${nextMemory()}` : `pglite:${folder}`)
  )

const nextMemory = (
  (count: number) => () =>
    ++count
)(0)

/** What a folder of PostgreSQL holds from the first moment of its making on. */
const ownNames = ["PG_VERSION", "base", "global", "pg_wal", "postgresql.conf"]
/** Written and removed to see whether the folder can be written; a process that was killed between leaves it there. */
const probe = ".weir-probe"
/** The major version that the embedded server is. */
const majorVersion = "18"

const makeFolder = (folder: string): Effect.Effect<void, StorageFailed, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* files.makeDirectory(folder, { recursive: true })
    const found = (yield* files.readDirectory(folder)).filter((name) => name !== probe)
    if (found.length > 0 && !found.some((name) => ownNames.includes(name))) {
      return yield* Effect.fail(new Error("it holds other files and no database"))
    }
    if (found.includes("PG_VERSION")) {
      const version = (yield* files.readFileString(`${folder}/PG_VERSION`)).trim()
      if (version !== majorVersion && version !== "") {
        return yield* Effect.fail(new Error(`it holds a database of PostgreSQL ${version}, this is ${majorVersion}`))
      }
    }
    // Opening a read-only folder would fail later, and less clearly.
    yield* Effect.uninterruptible(
      Effect.zipRight(files.writeFileString(`${folder}/${probe}`, "x"), files.remove(`${folder}/${probe}`))
    )
  }).pipe(Effect.mapError((cause) => unopened(folder, cause)))

const unopened = (folder: string, cause: unknown): StorageFailed =>
  new StorageFailed({
    path: folder,
    message: `The embedded database in ${folder} cannot be opened: ${PostgresValue.shorten(reasonOf(cause), 300)}`,
    hint: "Check that the folder can be written, that the disk is not full, and that it is a database of this version; or point WEIR_DATA to another folder."
  })

const reasonOf = (cause: unknown): string =>
  cause instanceof Error && cause.message !== "" ? cause.message : "the server did not start"

// The service

const make = (session: PGlite, identity: string): TablesService => {
  const query: TablesService["query"] = (statement) =>
    Effect.map(
      attempt(statement.sql, () => run(session, statement)),
      (result) => result.rows
    )
  return {
    identity,
    dialect: Postgres.dialect,
    transaction: (statements) => transaction(session, statements),
    query,
    ask: (sql, bounds) => Ask.ask(session, sql, bounds),
    describe: (table) => describe(query, table),
    list: Effect.map(query({ sql: listed, parameters: [] }), (rows) => rows.map((row) => String(row.name))),
    maintain: maintain(session, query)
  }
}

type Query = TablesService["query"]
type Session = Pick<PGlite, "query">

const run = (session: Session, statement: Statement) =>
  session.query<Record<string, unknown>>(statement.sql, statement.parameters as Array<SqlValue>, { serializers })

/** PGlite asks by the parameter's type; every type is answered. */
const serializers = new Proxy<Record<number, (value: any) => string>>(
  {},
  { get: (_, type) => (value: Exclude<SqlValue, null>) => PostgresParameter.encode(Number(type), value) as string }
)

/** Runs to its end even if the fiber is interrupted: what the database does cannot be called back. */
const attempt = <A>(sql: string, body: () => Promise<A>): Effect.Effect<A, TablesError> =>
  Effect.uninterruptible(Effect.tryPromise({ try: body, catch: (cause) => PostgresValue.failure(sql, cause) }))

/** Lets timers and sockets in between two statements: PGlite's promises never do. */
const breathe = (): Promise<void> => Effect.runPromise(Clock.make().sleep(Duration.zero))

/** Array elements of a statement from which on others are let in after it. */
const breatheRowsMin = 1_000

const isLarge = (statement: Statement): boolean =>
  statement.parameters.some((value) => Array.isArray(value) && value.length >= breatheRowsMin)

const transaction = (
  session: PGlite,
  statements: ReadonlyArray<Statement>
): Effect.Effect<ReadonlyArray<number>, TablesError | RowsUnexpected> => {
  let running = ""
  const body = () =>
    session.transaction(async (held) => {
      const counts: Array<number> = []
      for (const [i, statement] of statements.entries()) {
        running = statement.sql
        const found = (await run(held, statement)).affectedRows ?? 0
        if (statement.rowsExpected !== undefined && statement.rowsExpected !== found) {
          throw rowsUnexpected(i, statement.rowsExpected, found)
        }
        counts.push(found)
        if (isLarge(statement)) await breathe()
      }
      running = "commit"
      return counts
    })
  return Effect.uninterruptible(
    Effect.tryPromise({
      try: body,
      catch: (cause) => (cause instanceof RowsUnexpected ? cause : PostgresValue.failure(running, cause))
    })
  )
}

const rowsUnexpected = (statement: number, expected: number, found: number): RowsUnexpected =>
  new RowsUnexpected({
    statement,
    expected,
    found,
    message: `Statement ${statement} of a transaction was to change ${expected} rows and changed ${found}: nothing was kept`,
    hint: "Another owner may have written in between; the row that it expected is read before anything is tried again."
  })

// What is there

const described = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
    array_position(i.indkey::smallint[], a.attnum) as place
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_index i on i.indrelid = c.oid and i.indisprimary
  where c.relname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f') and pg_table_is_visible(c.oid)
  order by a.attnum`

const describe = (query: Query, table: string): Effect.Effect<FoundTable | null, TablesError> =>
  Effect.map(query({ sql: described, parameters: [table] }), (rows) => {
    if (rows.length === 0) return null
    const keyed = rows.filter((row) => row.place !== null)
    keyed.sort((left, right) => Number(left.place) - Number(right.place))
    return {
      columns: rows.map((row) => ({
        name: String(row.name),
        type: String(row.type),
        nullable: row.nullable === true
      })),
      primaryKey: keyed.map((row) => String(row.name))
    }
  })

const listed = `
  select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
    and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
    and c.relname not like 'weir\\_%' and pg_table_is_visible(c.oid)
  order by 1`

// What nothing else does: PGlite has no autovacuum

const churned = `
  select relname as name, n_live_tup + n_dead_tup as size from pg_stat_user_tables
  where greatest(n_dead_tup, n_mod_since_analyze) >= $1 + n_live_tup / 5 and pg_table_is_visible(relid)
  order by greatest(n_dead_tup, n_mod_since_analyze) desc`

const maintain = (session: PGlite, query: Query): Effect.Effect<void, TablesError> =>
  Effect.gen(function* () {
    // Counts reach the statistics late by themselves.
    yield* query({ sql: "select pg_stat_force_next_flush()", parameters: [] })
    let left = maintainRowsMax
    for (const { name, size } of yield* query({ sql: churned, parameters: [maintainRowsMin] })) {
      const sql = `vacuum (analyze) ${Postgres.dialect.quote(String(name))}`
      yield* attempt(sql, () => session.query(sql).then(breathe))
      left -= Number(size)
      if (left <= 0) return
    }
  })
