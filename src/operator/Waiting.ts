/**
 * What a step waits for, as a person asks: which partition holds time back, which windows are open until when, and how
 * many events wait for the watermark.
 */
import type { PartitionState } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"

/** How far a partition has come. Times that are not known yet are `null`. */
export interface PartitionTime {
  readonly source: string
  readonly partition: number
  /** The highest event time that it has given. */
  readonly highest: Millis | null
  readonly watermark: Millis | null
  /** As of the last barrier since the start; `null` before it. */
  readonly state: PartitionState | null
}

/** A window that holds rows. */
export interface OpenWindow {
  readonly start: Millis
  readonly end: Millis
  /** It closes when the watermark comes here. */
  readonly closesAt: Millis
  readonly rows: number
}

/** Events that are kept until the watermark has passed them, or all that they could be joined with. */
export interface EventsWaiting {
  readonly kind: "events"
  readonly watermark: Millis | null
  readonly waiting: number
  /** The one that is let go first; `null`: none waits. */
  readonly first: WaitingEvent | null
}

export interface WaitingEvent {
  readonly eventTime: Millis
  /** It is let go at the first barrier whose watermark has come here. */
  readonly until: Millis
}

export type Waiting =
  | {
      readonly kind: "time"
      readonly watermark: Millis | null
      readonly partitions: ReadonlyArray<PartitionTime>
      /** The active partition that holds the watermark, and since when, by the clock of barriers; `null`: none does. */
      readonly holder: { readonly source: string; readonly partition: number; readonly since: Millis } | null
    }
  | {
      readonly kind: "windows"
      readonly watermark: Millis | null
      readonly open: number
      /** The first to close, at most `Limits.windowsToldMax`. */
      readonly first: ReadonlyArray<OpenWindow>
    }
  | EventsWaiting

/** A time of an operator, where infinity stands for none. */
export const known = (at: Millis): Millis | null => (Number.isFinite(at) ? at : null)
