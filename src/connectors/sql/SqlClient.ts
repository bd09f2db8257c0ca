/**
 * Tables in the embedded PostgreSQL: PGlite, in a folder or in memory.
 *
 * One session, in a thread of its own or in this one: there a statement keeps the event loop until it is done. Nothing
 * can cancel a statement, `statement_timeout` included. It never asks the disk to sync: rows survive the death of the
 * process, not a power cut. It has no lock: two processes on one folder lose rows silently, so whoever opens one must
 * own it.
 */

import { FileSystem } from "@effect/platform"
import { Clock, Duration, Effect, Layer, type Scope } from "effect"
import { Tables, type TablesError, type TablesService } from "../../flow/Tables.ts"
import { StorageFailed, type TablesUnavailable } from "../../model/Errors.ts"
import * as Postgres from "./Postgres.ts"
import * as PostgresTables from "./PostgresTables.ts"
import * as SqlFailure from "./SqlFailure.ts"
import type { SqlSession } from "./SqlSession.ts"
import * as SqlThread from "./SqlThread.ts"

/**
 * Tables in `folder`, which is made if it is missing; `null`: in memory, gone with the scope. Opening takes 0.2
 * seconds, the first time 2. Closing ends the session. `thread` starts the thread that it runs in; absent: this one.
 */
export const layerPGlite = (options: {
  readonly folder: string | null
  readonly thread?: SqlThread.StartSqlThread | undefined
}): Layer.Layer<Tables, StorageFailed | TablesUnavailable, FileSystem.FileSystem> =>
  Layer.scoped(
    Tables,
    options.folder === null
      ? open(null, options.thread)
      : Effect.zipRight(makeFolder(options.folder), open(options.folder, options.thread))
  )

/** Tables in memory: for tests, and for jobs whose tables need not outlive them. */
export const layerMemory: Layer.Layer<Tables, StorageFailed | TablesUnavailable> = Layer.scoped(
  Tables,
  Effect.suspend(() => open(null, undefined))
)

/** Rows that one `maintain` vacuums at most before it leaves the rest to the next: about a second of work. */
const maintainRowsMax = 1_000_000
/** Dead or changed rows below which a table is left alone. */
const maintainRowsMin = 1_000

// Opening

const open = (
  folder: string | null,
  thread: SqlThread.StartSqlThread | undefined
): Effect.Effect<TablesService, StorageFailed | TablesUnavailable, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.flatMap(Effect.clock, (clock) =>
        Effect.tryPromise({
          try: () => (thread === undefined ? openHere(folder, clock) : SqlThread.open(thread, folder)),
          catch: (cause) => unopened(folder ?? "memory", cause)
        })
      ),
      // A session that was broken before cannot be closed any better.
      (session) => Effect.ignore(Effect.tryPromise(() => session.close()))
    ),
    (session) =>
      PostgresTables.make(session, {
        identity: folder === null ? `pglite:memory:${nextMemory()}` : `pglite:${folder}`,
        maintain
      })
  )

/** In this thread: where another has the database, it is never loaded here. */
const openHere = async (folder: string | null, clock: Clock.Clock): Promise<SqlSession> => {
  const session = await import("./SqlSession.ts")
  return session.open({ folder, now: () => clock.unsafeCurrentTimeMillis(), breathe })
}

/** Lets timers and sockets in between two statements: PGlite's promises never do. */
const breathe = (): Promise<void> => Effect.runPromise(Clock.make().sleep(Duration.zero))

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
    message: `The embedded database in ${folder} cannot be opened: ${SqlFailure.shorten(reasonOf(cause), 300)}`,
    hint: "Check that the folder can be written, that the disk is not full, and that it is a database of this version; or point WEIR_DATA to another folder."
  })

const reasonOf = (cause: unknown): string =>
  cause instanceof Error && cause.message !== "" ? cause.message : "the server did not start"

// What nothing else does: PGlite has no autovacuum

const churned = `
  select relname as name, n_live_tup + n_dead_tup as size from pg_stat_user_tables
  where greatest(n_dead_tup, n_mod_since_analyze) >= $1 + n_live_tup / 5 and pg_table_is_visible(relid)
  order by greatest(n_dead_tup, n_mod_since_analyze) desc`

const maintain = (query: TablesService["query"]): Effect.Effect<void, TablesError> =>
  Effect.gen(function* () {
    // Counts reach the statistics late by themselves.
    yield* query({ sql: "select pg_stat_force_next_flush()", parameters: [] })
    let left = maintainRowsMax
    for (const { name, size } of yield* query({ sql: churned, parameters: [maintainRowsMin] })) {
      yield* query({ sql: `vacuum (analyze) ${Postgres.dialect.quote(String(name))}`, parameters: [] })
      yield* Effect.promise(breathe)
      left -= Number(size)
      if (left <= 0) return
    }
  })
