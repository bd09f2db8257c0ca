/**
 * Pairs events of equal key whose times are close: `right.time` in `[left.time - before, left.time + after]`.
 *
 * - **Emits** at barriers only, a batch for each key group, sorted by time and places: `{ left, right }`, each pair
 *   once, in the epoch in which its later one came; its event time is the larger of the two. `left` and `outer`: an
 *   event without a partner, with `null` for it, at the first barrier whose watermark is above the time of the last
 *   partner that it could have, `+ allowedLateness`. At a final barrier also those that could still have one
 * - **Keeps** the events of both sides until no partner can come; the watermark; and the time from which on no event
 *   misses a partner that was forgotten
 * - **Sets aside** on `late` (left) and `side late right` (right) the events with `time + allowedLateness` below the
 *   larger of their own partition's watermark before them and the job's at the start of their epoch; and, even if
 *   `allowedLateness` is longer after a restart, those whose partners may have been forgotten
 * - **Passes on** a watermark that is lower by `allowedLateness`, with `left` by `after` too, with `outer` by the
 *   larger of `before` and `after`. With it, no row is late for the step after it
 * - **Restores** what it keeps; key, type, `before` and `after` must not change between restarts
 * - **Fails with** `StateLimitExceeded`; `StepFailed` where a key cannot be read or an event cannot be kept (user
 *   fault, no retry)
 *
 *     left   ──l1─────────l2──────────────────     watermark ────────▲ l2's time + after
 *     right  ──────r1─────────────────────────     emits (l2, null)
 *                  emits (l1, r1)
 */
import type { KeyColumn, SpecOf } from "../flow/Topology.ts"
import * as Limits from "../model/Limits.ts"
import { indexAtTime, type JoinEvent, left, right, type Side } from "./JoinEvent.ts"
import * as JoinOperator from "./JoinOperator.ts"
import { JoinRows } from "./JoinRows.ts"
import { JoinState } from "./JoinState.ts"
import type { Operator } from "./Operator.ts"
import { TimeQueue } from "./TimeQueue.ts"
import type { WaitingEvent } from "./Waiting.ts"

export interface Options {
  readonly id: string
  readonly join: Omit<SpecOf<"join">, "kind" | "id">
  /** The key columns of left and right events: of the same names, in the same order. */
  readonly keys: readonly [ReadonlyArray<KeyColumn>, ReadonlyArray<KeyColumn>]
  /** The prototypes of classes that events may be instances of. */
  readonly prototypes: ReadonlyArray<object>
  /**
   * Can a row not be replaced where it goes? Then an event that left without a partner at a final barrier takes none
   * any more; else its pairs follow when they come.
   */
  readonly appends: boolean
  /** Default `Limits.stateKeysMax`. */
  readonly entriesMax?: number
  /** Default `Limits.joinRowsMax`. */
  readonly rowsMax?: number
}

export const make = (options: Options): Operator => {
  const { appends, id, join } = options
  const { afterMillis, allowedLatenessMillis, beforeMillis, type } = join
  const state = new JoinState({
    step: id,
    keys: options.keys,
    prototypes: options.prototypes,
    allowedLatenessMillis,
    entriesMax: options.entriesMax ?? Limits.stateKeysMax
  })
  const rows = new JoinRows(id, options.rowsMax ?? Limits.joinRowsMax)
  // By side: how much earlier and later than the event its partners may be.
  const earlier = [beforeMillis, afterMillis] as const
  const later = [afterMillis, beforeMillis] as const
  // By side: does an event without a partner make a row?
  const leaves = [type !== "inner", type === "outer"] as const
  // By side: what is kept.
  const queues = [new TimeQueue<JoinEvent>(), new TimeQueue<JoinEvent>()] as const

  const add = (event: JoinEvent, partner: JoinEvent | null): void =>
    event.side === left ? rows.add(event.of.keyGroup, event, partner) : rows.add(event.of.keyGroup, partner, event)

  const match = (event: JoinEvent): void => {
    if (!leaves[event.side] || event.matched) return
    event.matched = true
    state.change(event)
  }

  const came = (event: JoinEvent): void => {
    const { eventTime, of, side } = event
    const others = of.eventsOf(side === left ? right : left)
    const latest = eventTime + later[side]
    for (let i = indexAtTime(others, eventTime - earlier[side]); i < others.length; i++) {
      const other = others[i]!
      if (other.eventTime > latest) break
      if (appends && other.emitted) continue
      add(event, other)
      match(event)
      match(other)
    }
    of.insert(event)
  }

  const isAlone = (event: JoinEvent): boolean => leaves[event.side] && !event.matched && !event.emitted

  /** No partner of an event of the side can come any more if its time is before this. */
  const untilOf = (side: Side): number => state.forgottenUntil - later[side]

  const keep = (event: JoinEvent): void => queues[event.side].put(event)

  const leave = (event: JoinEvent): void => {
    const { of, side } = event
    // All of its key that are before the time go in this epoch.
    of.dropFirst(side, indexAtTime(of.eventsOf(side), untilOf(side)))
    if (isAlone(event)) add(event, null)
  }

  /** Lets go of the events for which no partner can come any more. */
  const expire = (): void => {
    for (const side of [left, right])
      queues[side].takeBefore(untilOf(side), (event) => {
        state.remove(event)
        leave(event)
      })
    state.settle((event) => {
      const isOver = event.eventTime < untilOf(event.side)
      if (isOver) leave(event)
      else keep(event)
      return isOver
    })
  }

  const emitAlone = (): void => {
    for (let keyGroup = 0; keyGroup < Limits.keyGroups; keyGroup++) {
      for (const { event } of state.store.entriesOf(keyGroup)) {
        if (!isAlone(event)) continue
        add(event, null)
        event.emitted = true
        state.change(event)
      }
    }
  }

  /** The event of these sides that is let go first. */
  const firstOf = (...sides: ReadonlyArray<Side>): WaitingEvent | null =>
    sides.reduce<WaitingEvent | null>((first, side) => {
      const eventTime = Math.min(queues[side].earliest, state.freshEarliest[side])
      const until = eventTime + later[side] + allowedLatenessMillis + 1
      return until < (first?.until ?? Number.POSITIVE_INFINITY) ? { eventTime, until } : first
    }, null)

  return JoinOperator.make({
    id,
    state,
    rows,
    fingerprint: `join 3; ${type}; ${beforeMillis} before, ${afterMillis} after; by ${options.keys[left].map(({ name }) => name).join(", ")}`,
    lowersMillis: Math.max(leaves[left] ? later[left] : 0, leaves[right] ? later[right] : 0),
    came,
    restored: (event) => {
      event.of.insert(event)
      keep(event)
    },
    passed: (final) => {
      expire()
      if (final) emitAlone()
    },
    waits: () => ({ waiting: state.size, first: firstOf(left, right) })
  })
}
