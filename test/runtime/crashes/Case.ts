/**
 * A small job of one operator, the records that it reads, and what it must have written when all of them are read.
 */
import type * as Job from "../../../src/flow/Job.ts"
import type { Tables } from "../../../src/flow/Tables.ts"
import type { Topics } from "../../../src/flow/Topics.ts"
import type { Read } from "./Records.ts"

export interface Case {
  /** What is tried, as its tests are called. */
  readonly name: string
  /** Records by topic. */
  readonly topics: Readonly<Record<string, ReadonlyArray<Read>>>
  /** `now` is the world's clock: a table that is looked up changes with it. */
  readonly job: (now: () => number) => Job.Job<unknown, Tables | Topics, {}>
  readonly expected: (told: Told) => Expected
}

/** What an oracle may know: the records, and of the engine's choices those that are in no record. */
export interface Told {
  readonly topics: Readonly<Record<string, ReadonlyArray<Read>>>
  /** The epochs in order, as their intents say: when each was closed, and where it was cut. */
  readonly epochs: ReadonlyArray<Epoch>
}

export interface Epoch {
  readonly closedAt: number
  /** What came in it, by topic, in the order of partitions and offsets. */
  readonly came: Readonly<Record<string, ReadonlyArray<Read>>>
  /** The rows of the version of the lookup that was in force; empty for a job without one. */
  readonly lookup: ReadonlyArray<Readonly<Record<string, unknown>>>
}

export type Value = string | number | bigint | boolean | null
export type Row = Readonly<Record<string, Value>>

export interface Expected {
  /** Rows by table, in any order. */
  readonly tables: Readonly<Record<string, ReadonlyArray<Row>>>
  /** Texts of records by topic, in any order. */
  readonly topics?: Readonly<Record<string, ReadonlyArray<string>>>
  /** How often something happened that the rows do not show. Never: then the case shows nothing of it. */
  readonly happened?: Readonly<Record<string, number>>
}
