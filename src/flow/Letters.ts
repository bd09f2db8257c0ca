/**
 * What steps set aside, as the sink that keeps it gives it back: dead letters and late events, to be looked at and to be
 * put through the job again.
 */
import type { Effect, Scope } from "effect"
import type { Offset, RawEvent } from "../model/Event.ts"
import type { PartitionRange, SourceError } from "./Source.ts"

/** Records that could not be used, or events that came too late. */
export type LetterKind = "dead letters" | "late"

/** What a sink of letters can do beside writing them. */
export interface Letters<out E, out R> {
  readonly kind: LetterKind
  /** Called at each start of the job. The scope ends with the job. */
  readonly open: Effect.Effect<LetterReader, E, R | Scope.Scope>
}

/** One that was set aside. */
export interface Letter {
  /** Its own place among the letters. */
  readonly offset: Offset
  readonly job: string
  /** Id of the source whose record it was. */
  readonly source: string
  /** Id of the step that set it aside. */
  readonly step: string
  readonly reason: string
  /** The epoch that set it aside. */
  readonly epoch: number
  /** Which row of its record was set aside; `null`: the record. */
  readonly row: number | null
  /** The record as it came, at its own place; `null`: only a row of it was kept. */
  readonly event: RawEvent | null
}

/** Reads letters by partition, each in the order of their offsets. */
export interface LetterReader {
  /** The partitions as they are now; none where nothing was ever set aside. */
  readonly partitions: Effect.Effect<ReadonlyArray<PartitionRange>, SourceError>
  /** Some letters from `offset` on and where to go on; `nextOffset = offset`: there are none. Of any job that writes there. */
  readonly read: (
    partition: number,
    offset: Offset
  ) => Effect.Effect<{ readonly letters: ReadonlyArray<Letter>; readonly nextOffset: Offset }, SourceError>
}
