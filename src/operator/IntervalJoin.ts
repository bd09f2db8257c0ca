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
import { indexAtTime, type JoinEntry, left, right, type Side } from "./JoinEntry.ts"
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
  const queues = [new TimeQueue<JoinEntry>(), new TimeQueue<JoinEntry>()] as const

  const add = (entry: JoinEntry, partner: JoinEntry | null): void =>
    entry.side === left ? rows.add(entry.keyGroup, entry, partner) : rows.add(entry.keyGroup, partner, entry)

  const match = (entry: JoinEntry): void => {
    if (!leaves[entry.side] || entry.matched) return
    entry.matched = true
    state.change(entry)
  }

  const came = (entry: JoinEntry): void => {
    const { eventTime, of, side } = entry
    const others = of.sides[side === left ? right : left]
    const latest = eventTime + later[side]
    for (let i = indexAtTime(others, eventTime - earlier[side]); i < others.length; i++) {
      const other = others[i]!
      if (other.eventTime > latest) break
      if (appends && other.emitted) continue
      add(entry, other)
      match(entry)
      match(other)
    }
    queues[side].put(eventTime, entry)
  }

  const isAlone = (entry: JoinEntry): boolean => leaves[entry.side] && !entry.matched && !entry.emitted

  /** Lets go of the events for which no partner can come any more. */
  const expire = (side: Side): void => {
    const queue = queues[side]
    const until = state.forgottenUntil - later[side]
    while (queue.earliest < until) {
      const first = queue.take()
      // It went with an earlier one of its key.
      if (first.slot < 0) continue
      const taken = state.takeBefore(first.of, side, indexAtTime(first.of.sides[side], until))
      for (const entry of taken) if (isAlone(entry)) add(entry, null)
    }
  }

  const emitAlone = (): void => {
    for (let keyGroup = 0; keyGroup < Limits.keyGroups; keyGroup++) {
      for (const entry of state.store.entriesOf(keyGroup)) {
        if (!isAlone(entry)) continue
        add(entry, null)
        entry.emitted = true
        state.change(entry)
      }
    }
  }

  /** The event of these sides that is let go first. */
  const firstOf = (...sides: ReadonlyArray<Side>): WaitingEvent | null =>
    sides.reduce<WaitingEvent | null>((first, side) => {
      const eventTime = queues[side].earliest
      const until = eventTime + later[side] + allowedLatenessMillis + 1
      return until < (first?.until ?? Number.POSITIVE_INFINITY) ? { eventTime, until } : first
    }, null)

  return JoinOperator.make({
    id,
    state,
    rows,
    fingerprint: `join 2; ${type}; ${beforeMillis} before, ${afterMillis} after; by ${options.keys[left].map(({ name }) => name).join(", ")}`,
    lowersMillis: Math.max(leaves[left] ? later[left] : 0, leaves[right] ? later[right] : 0),
    came,
    restored: (entry) => queues[entry.side].put(entry.eventTime, entry),
    passed: (final) => {
      expire(left)
      expire(right)
      if (final) emitAlone()
    },
    waits: () => ({ waiting: state.store.size, first: firstOf(left, right) })
  })
}
