/** What both joins do alike: take events in or set them aside, keep them, and say at which event or epoch they failed. */
import { lateRight } from "../flow/Topology.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import { type JoinEvent, left, right } from "./JoinEvent.ts"
import type { JoinRows } from "./JoinRows.ts"
import type { JoinState } from "./JoinState.ts"
import type { Operator } from "./Operator.ts"
import * as Selection from "./Selection.ts"
import { stepFailed, stepFailedAtBarrier } from "./StepFailure.ts"
import { type EventsWaiting, known } from "./Waiting.ts"

export interface Options {
  readonly id: string
  readonly state: JoinState
  readonly rows: JoinRows
  readonly fingerprint: string
  /** How much earlier than an event that is not late a row may be: the watermark that is passed on is so much lower. */
  readonly lowersMillis: number
  /** An event has come that is not late. */
  readonly came: (event: JoinEvent) => void
  /** An event was kept before a restart. */
  readonly restored: (event: JoinEvent) => void
  /** Time has come to `state.watermark`: makes the rows that are due, and settles what is kept. */
  readonly passed: (final: boolean) => void
  /** The events that wait for the watermark: all that are held, or those of one side. */
  readonly waits: () => Pick<EventsWaiting, "waiting" | "first">
}

export const make = (options: Options): Operator => {
  const { id, rows, state } = options
  let late = 0
  let lateOther = 0

  const onBarrier = (barrier: Barrier, out: Parameters<Operator["onBarrier"]>[1]): Barrier => {
    const before = state.forgottenUntil - options.lowersMillis
    state.advance(barrier.watermark)
    options.passed(barrier.final)
    rows.emit(barrier, before, out)
    const watermark = state.forgottenUntil - options.lowersMillis
    return watermark === barrier.watermark ? barrier : { ...barrier, watermark }
  }

  return {
    id,
    onBatch: (message, out, input) => {
      const batch = message as Batch
      try {
        const indexes = state.take(batch, input === 0 ? left : right, options.came)
        if (indexes.length === 0) return
        if (input === 0) late += indexes.length
        else lateOther += indexes.length
        out.emit(input === 0 ? "late" : lateRight, Selection.select(batch, indexes))
      } catch (error) {
        throw stepFailed(id, batch, state.place.offset, error)
      }
    },
    onBarrier: (barrier, out) => {
      try {
        return onBarrier(barrier, out)
      } catch (error) {
        throw stepFailedAtBarrier(id, barrier.epoch, error)
      }
    },
    state: {
      fingerprint: options.fingerprint,
      snapshot: (epoch) => {
        try {
          return state.store.snapshot()
        } catch (error) {
          throw stepFailedAtBarrier(id, epoch, error)
        }
      },
      restore: (parts) => state.restore(parts, options.restored)
    },
    waiting: () => ({ kind: "events", watermark: known(state.watermark), ...options.waits() }),
    counts: () => ({ late, lateOther, lateByOthers: state.lateByOthers, keys: state.keys, events: state.size })
  }
}
