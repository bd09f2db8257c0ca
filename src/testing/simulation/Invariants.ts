/**
 * What must hold of a world at every moment at which a reader could look: after each transaction that the database
 * kept, and after each epoch that was written to a topic. The first that is broken ends the world, so that the story
 * ends where it went wrong.
 */
import { Effect, Either, type Schema } from "effect"
import { reading } from "../../connectors/sql/SqlLookup.ts"
import type { TablesService } from "../../flow/Tables.ts"
import type { Database } from "./Database.ts"
import * as EpochInvariants from "./EpochInvariants.ts"
import type { SimulatedJob } from "./Jobs.ts"
import type * as Recording from "./Recording.ts"
import { dialect } from "./Sqlite.ts"
import type { Stage } from "./Stage.ts"

/** What a job's tables must keep, by the words of whoever wrote the job. */
export interface Invariant {
  readonly name: string
  /** What it found: nothing to look at yet, that it holds, or why it does not. */
  readonly look: (database: Database) => Look
}

export type Look =
  | { readonly _tag: "Nothing"; readonly why: string }
  | { readonly _tag: "Holds" }
  | { readonly _tag: "Broken"; readonly why: string }

export interface InvariantOptions<A, I> {
  /** A table, or a query if the text has a space in it. Until there is such a table the invariant holds. */
  readonly of: string
  /** Of its rows: a column has the name of its field, or that name in `snake_case`. */
  readonly schema: Schema.Schema<A, I>
  /** Do all rows together, as they are at one moment, keep it? A text says why they do not. */
  readonly holds: (rows: ReadonlyArray<A>) => boolean | string
}

/**
 * What must hold whenever somebody reads the tables, in the middle of faults too.
 *
 *     Simulate.invariant("money is moved, never made", {
 *       of: "balances",
 *       schema: Balance,
 *       holds: (balances) => balances.reduce((sum, { balance }) => sum + balance, 0n) === 0n
 *     })
 */
export const invariant = <A, I>(name: string, { holds, of, schema }: InvariantOptions<A, I>): Invariant => {
  const read = reading(of, schema)
  const look = (database: Database): Look => {
    const rows = Effect.runSync(Effect.either(read(readerOf(database))))
    if (Either.isLeft(rows))
      return rows.left._tag === "StatementRefused"
        ? { _tag: "Nothing", why: rows.left.message }
        : { _tag: "Broken", why: rows.left.message }
    const verdict = holds(rows.right)
    if (verdict === true) return { _tag: "Holds" }
    return { _tag: "Broken", why: verdict === false ? shown(rows.right) : verdict }
  }
  return { name, look }
}

/** Looks at a world all the time. */
export interface Watch {
  /** The first that was broken: when, after what, which one and how. `null`: all hold. */
  readonly broken: () => string | null
  /** Those of whom nothing was ever seen: they would hold whatever happened. */
  readonly unseen: () => ReadonlyArray<string>
}

export interface WatchOptions {
  readonly jobs: ReadonlyArray<SimulatedJob>
  /** What became durable in a store that is not in the database. */
  readonly recording: Recording.Recording
  readonly invariants: ReadonlyArray<Invariant>
  /** More of what must hold of this stage: each answers what is broken, or `null`. */
  readonly looks: ReadonlyArray<(stage: Stage) => () => string | null>
}

export const watch = (stage: Stage, { invariants, jobs, looks, recording }: WatchOptions): Watch => {
  const { database, world } = stage
  const began = world.now()
  const nothing = new Map<string, string>(invariants.map(({ name }) => [name, "nobody could look"]))
  const always = [EpochInvariants.make(stage, { jobs, recording }), ...looks.map((look) => look(stage))]
  let broken: string | null = null
  const users = (): string | null => {
    for (const { look, name } of invariants) {
      const found = look(database)
      if (found._tag === "Nothing") {
        if (nothing.has(name)) nothing.set(name, found.why)
        continue
      }
      nothing.delete(name)
      if (found._tag === "Broken") return `${name}: ${found.why}`
    }
    return null
  }
  stage.watch((done) => {
    if (broken !== null) return
    const why = firstOf(always) ?? users()
    if (why === null) return
    broken = `at ${((world.now() - began) / 1000).toFixed(3)} s, after ${done()}: ${why}`
  })
  return {
    broken: () => broken,
    unseen: () => [...nothing].map(([name, why]) => `the invariant '${name}' never saw a row: ${why}`)
  }
}

/** The first that is not `null`; those behind it do not look. */
const firstOf = (looks: ReadonlyArray<() => string | null>): string | null => {
  for (const look of looks) {
    const why = look()
    if (why !== null) return why
  }
  return null
}

/** Rows of a message, at most. */
const rowsShown = 20

const shown = (rows: ReadonlyArray<unknown>): string => {
  const texts = rows
    .slice(0, rowsShown)
    .map((row) => JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)))
  return `it does not hold of ${texts.join(", ")}${rows.length > rowsShown ? ` and ${rows.length - rowsShown} more` : ""}`
}

/** The tables without a network between. */
const readerOf = (database: Database): Pick<TablesService, "dialect" | "query"> => ({
  dialect,
  query: (statement) => database.query(statement)
})
