/**
 * How what a step kept under an older code becomes what it keeps under this one. A job names them by the step's id, the
 * oldest first; each stays for as long as a checkpoint or a savepoint from before it may be started from.
 *
 *     Job.make("orders", {
 *       migrations: {
 *         income: [Migration.added("totalOrders"), Migration.renamed("items", "totalItems")],
 *         baskets: [Migration.from(BasketV1, (old) => ({ ...old, coupons: [] }))]
 *       },
 *
 * A migration runs while the state is restored; the first epoch afterwards writes all of it anew. Until that epoch is
 * durable the old state stays as it was, and a restart migrates it again: so a migration is a function of the old value
 * alone.
 */
import { Schema } from "effect"
import * as SchemaFingerprint from "./SchemaFingerprint.ts"

export type Migration = ValueMigration | AggregateMigration

/** The migrations of a job: for each step by its id, the oldest first. */
export type Migrations = Readonly<Record<string, ReadonlyArray<Migration>>>

/** Of values that a Schema describes. */
export interface ValueMigration {
  readonly kind: "value"
  /** The form of the old values, as they are in a program. */
  readonly from: string
  /** The form in which a step with a Schema keeps them, and how they are read. */
  readonly fromEncoded: string
  readonly decode: (kept: unknown) => unknown
  readonly map: (old: never) => unknown
}

/** Of the aggregates of a step, by name. */
export type AggregateMigration =
  | { readonly kind: "added"; readonly aggregate: string }
  | { readonly kind: "removed"; readonly aggregate: string }
  | { readonly kind: "renamed"; readonly aggregate: string; readonly to: string }
  | { readonly kind: "changed"; readonly aggregate: string; readonly value: ValueMigration }

/** Values that were kept under an older Schema. `map` gives what the next migration takes, the last one what the step keeps. */
export const from = <Old, I>(schema: Schema.Schema<Old, I>, map: (old: Old) => unknown): ValueMigration => ({
  kind: "value",
  from: SchemaFingerprint.make(schema),
  fromEncoded: SchemaFingerprint.make(Schema.encodedSchema(schema)),
  decode: Schema.decodeUnknownSync(schema),
  map: map as (old: never) => unknown
})

/**
 * An aggregate that is new. Keys that are there already have it empty, as before their first event: a count or a sum
 * begins at 0, a minimum is `null` until the next event of its key.
 */
export const added = (aggregate: string): AggregateMigration => ({ kind: "added", aggregate })

/** An aggregate that is gone: its states are dropped, those of the others stay. */
export const removed = (aggregate: string): AggregateMigration => ({ kind: "removed", aggregate })

/** An aggregate that has another name now. */
export const renamed = (aggregate: string, to: string): AggregateMigration => ({ kind: "renamed", aggregate, to })

/** An aggregate of one's own whose state has another Schema now. */
export const changed = (aggregate: string, value: ValueMigration): AggregateMigration => ({
  kind: "changed",
  aggregate,
  value
})
