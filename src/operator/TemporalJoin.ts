/**
 * Joins each left event with the version of its key at the event's time: the latest right event at or before it, of
 * equal times the one with the highest place.
 *
 * - **Emits** at barriers only, a batch for each key group, sorted by time and place of the left events:
 *   `{ left, right }` with the left event's time, at the first barrier whose watermark is above that time
 *   `+ allowedLateness`; at a final barrier all that wait, with the versions known so far, and never again. Without a
 *   version: `left` gives `null` for it, `inner` no row
 * - **Keeps** left events until they leave, versions until a newer one holds for every left event that can still come,
 *   the newest of each key for good; the watermark;
 *   and the time from which on all versions are known
 * - **Sets aside** on `late` (left) and `side late right` (versions) the events with `time + allowedLateness` below the
 *   larger of their own partition's watermark before them and the job's at the start of their epoch; and, even if
 *   `allowedLateness` is longer after a restart, those of a time whose versions may have been forgotten
 * - **Passes on** a watermark that is `allowedLateness` lower. With it, no row is late for the step after it
 * - **Restores** what it keeps; the key must not change between restarts
 * - **Fails with** `StateLimitExceeded`; `StepFailed` where a key cannot be read or an event cannot be kept (user
 *   fault, no retry)
 *
 *     versions  ──v1──────────v2───────────     watermark ─────▲ past l2
 *     left      ──────l1──l2───────l3──────     emits (l1, v1) (l2, v1)
 */
import type { KeyColumn, SpecOf } from "../flow/Topology.ts"
import * as Limits from "../model/Limits.ts"
import { indexAfterTime, type JoinEvent, left, right } from "./JoinEvent.ts"
import * as JoinOperator from "./JoinOperator.ts"
import { JoinRows } from "./JoinRows.ts"
import { JoinState } from "./JoinState.ts"
import type { Operator } from "./Operator.ts"
import { TimeQueue } from "./TimeQueue.ts"

export interface Options {
  readonly id: string
  readonly join: Omit<SpecOf<"temporalJoin">, "kind" | "id">
  /** The key columns of left events and of versions: of the same names, in the same order. */
  readonly keys: readonly [ReadonlyArray<KeyColumn>, ReadonlyArray<KeyColumn>]
  /** The prototypes of classes that events may be instances of. */
  readonly prototypes: ReadonlyArray<object>
  /** Default `Limits.stateKeysMax`. */
  readonly entriesMax?: number
  /** Default `Limits.joinRowsMax`. */
  readonly rowsMax?: number
}

export const make = (options: Options): Operator => {
  const { id, join } = options
  const state = new JoinState({
    step: id,
    keys: options.keys,
    prototypes: options.prototypes,
    allowedLatenessMillis: join.allowedLatenessMillis,
    entriesMax: options.entriesMax ?? Limits.stateKeysMax
  })
  const rows = new JoinRows(id, options.rowsMax ?? Limits.joinRowsMax)
  // Left events that are kept, and versions that one that is kept or comes may replace.
  const waiting = new TimeQueue<JoinEvent>()
  const versions = new TimeQueue<JoinEvent>()
  /** Left events that wait. */
  let held = 0

  const came = (event: JoinEvent): void => {
    if (event.side === right) event.of.insert(event)
    else held++
  }

  const keep = (event: JoinEvent): void => (event.side === left ? waiting : versions).put(event)

  const leave = (event: JoinEvent): void => {
    held--
    const known = event.of.eventsOf(right)
    const version = known[indexAfterTime(known, event.eventTime) - 1] ?? null
    if (version !== null || join.type === "left") rows.add(event.of.keyGroup, event, version)
  }

  /** Lets the left events before a time go. */
  const leaveBefore = (until: number): void => {
    waiting.takeBefore(until, (event) => {
      leave(event)
      state.remove(event)
    })
    state.settle((event) => {
      const leaves = event.side === left && event.eventTime < until
      if (leaves) leave(event)
      else keep(event)
      return leaves
    })
  }

  /** Forgets the versions that one of a time up to this one replaces for all that can still come. */
  const forgetVersions = (until: number): void =>
    versions.takeBefore(until + 1, ({ of }) => {
      const known = of.eventsOf(right)
      const older = Math.max(0, indexAfterTime(known, until) - 1)
      for (let i = 0; i < older; i++) state.remove(known[i]!)
      of.dropFirst(right, older)
    })

  return JoinOperator.make({
    id,
    state,
    rows,
    fingerprint: `temporal join 3; by ${options.keys[left].map(({ name }) => name).join(", ")}`,
    lowersMillis: 0,
    came,
    restored: (event) => {
      came(event)
      keep(event)
    },
    passed: (final) => {
      const until = state.forgottenUntil
      leaveBefore(final ? Number.POSITIVE_INFINITY : until)
      forgetVersions(until)
    },
    waits: () => {
      const eventTime = Math.min(waiting.earliest, state.freshEarliest[left])
      const first = held === 0 ? null : { eventTime, until: eventTime + join.allowedLatenessMillis + 1 }
      return { waiting: held, first }
    }
  })
}
