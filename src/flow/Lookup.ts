/**
 * The contract of a lookup: a table at hand while events pass.
 *
 * It is loaded as a whole. A `fixed` one is loaded once for a lineage; a `refreshed` one again and again, beside the
 * flow, and a new version takes effect at a barrier. Which version an epoch saw is recorded with the epoch, and its
 * rows are stored before: a replay sees the same rows, whatever became of the file or table since.
 */
import { Duration, type Effect, Schema } from "effect"
import type { KeyValue } from "../model/Columns.ts"
import * as Limits from "../model/Limits.ts"
import * as SchemaFingerprint from "./SchemaFingerprint.ts"
import type { DurationInput } from "./Window.ts"

/** `fixed`: loaded once for a lineage; `refreshed`: every so often, and at each start. */
export type Policy = "fixed" | "refreshed"

/**
 * Which of several rows of one key counts. `refuse`: none, the load fails and names both; `first`, `last`: in the order
 * of the rows; a comparison: the greatest, of equal ones the first.
 */
export type Duplicates<A> = "refuse" | "first" | "last" | ((left: A, right: A) => number)

/** The rows as they were loaded. */
export interface Loaded<out A> {
  readonly rows: ReadonlyArray<A>
  /** Where the row at an index was found, for messages: `line 3`; `null`: the system does not say. */
  readonly placeOf: ((index: number) => string) | null
}

/** A description: rows of type A, the columns of their key, what can fail, what loading needs, how it changes. */
export interface Lookup<out Key, out A, out E, out R, out P extends Policy = Policy> {
  /** Names its versions in checkpoints: unique in a job, and the same for ever. */
  readonly name: string
  /** For the drawing: `file shops.csv by shopid, refreshed every 1m`. */
  readonly label: string
  /** Rows are stored by it. */
  readonly schema: Schema.Schema<any, any>
  /** Names of the columns that identify a row. */
  readonly key: ReadonlyArray<string>
  readonly policy: P
  /** Milliseconds between two loads; `null`: fixed. */
  readonly everyMillis: number | null
  readonly duplicates: Duplicates<never>
  /** All rows as they are now: `Limits.lookupRowsMax` at most. May wait; ended after `Limits.lookupMillisMax`. */
  readonly load: Effect.Effect<Loaded<A>, E, R>
  /** A type only. */
  readonly keyRow?: Key
}

/** Any lookup, as an engine sees it. */
export type AnyLookup = Lookup<unknown, unknown, unknown, unknown>

/** The columns that can be a key. */
export type KeyColumn<A> = { readonly [P in keyof A]-?: A[P] extends KeyValue ? P : never }[keyof A] & string

/** How often it is loaded: `fixed`, or every so often. */
export type Refresh = "fixed" | DurationInput
export type PolicyOf<T extends Refresh> = T extends "fixed" ? "fixed" : "refreshed"

/** What every connector's lookup can be told. */
export interface Options<A, K extends KeyColumn<A>, T extends Refresh> {
  /** The columns that identify a row. */
  readonly key: ReadonlyArray<K>
  /** Default: `fixed`. A duration loads the whole table each time: as long as its changes may wait. */
  readonly refresh?: T
  /** Default: `refuse`. */
  readonly duplicates?: Duplicates<A>
  /** Names its versions in checkpoints. Default: what it is loaded from. */
  readonly name?: string
}

/** How the rows of its versions are written, and by what they are found: one that differs may not read them. */
export const fingerprintOf = ({ key, schema }: AnyLookup): string =>
  `by ${key.join(", ")}; ${SchemaFingerprint.make(Schema.encodedSchema(schema))}`

/** Throws `RangeError` for a name, a key or a duration that no lookup can have. */
export const make = <A, I, E, R, const K extends KeyColumn<A>, const T extends Refresh = "fixed">(
  of: {
    /** What it is loaded from: its name, unless the options give another. */
    readonly from: string
    /** For the drawing: `file shops.csv`. */
    readonly label: string
    readonly schema: Schema.Schema<A, I>
    readonly load: Effect.Effect<Loaded<A>, E, R>
  },
  options: Options<A, K, T>
): Lookup<Pick<A, K>, A, E, R, PolicyOf<T>> => {
  const name = options.name ?? of.from
  if (name === "" || name.length > Limits.lookupNameMax)
    throw new RangeError(
      `A lookup: its name must have 1 to ${Limits.lookupNameMax} characters: give it one by \`name\``
    )
  if (options.key.length === 0) throw new RangeError(`Lookup ${name}: its key needs at least one column`)
  const everyMillis = millisOf(name, options.refresh ?? "fixed")
  const policy = everyMillis === null ? "fixed" : "refreshed"
  const said = everyMillis === null ? "fixed" : `refreshed every ${Duration.format(everyMillis)}`
  return {
    name,
    label: `${of.label} by ${options.key.join(", ")}, ${said}`,
    schema: of.schema,
    key: options.key,
    policy: policy as PolicyOf<T>,
    everyMillis,
    duplicates: options.duplicates ?? "refuse",
    load: of.load
  }
}

const millisOf = (lookup: string, refresh: Refresh): number | null => {
  if (refresh === "fixed") return null
  const millis = Duration.toMillis(refresh)
  if (!Number.isInteger(millis) || millis < 1 || millis > Limits.windowMillisMax)
    throw new RangeError(
      `Lookup ${lookup}: refresh must be a whole number of milliseconds above 0, not ${Duration.format(refresh)}`
    )
  return millis
}
