/**
 * Calls a user's own functions for each event and timer of a key.
 *
 * - **Emits** at barriers only what the functions return, on `out`, and what they give to other outputs, on
 *   `side <name>`; a batch for each port and key group, in the order in which rows were made. A row of a timed flow has
 *   the time of its event or timer; of a processing-time timer, that of the watermark
 * - **Takes** events of timed flows once the watermark has passed them, in the order of `InOrder`, and event-time timers
 *   among them: a timer after the events of its time and before later ones, those of one time by key. Then, by time
 *   and key, the processing-time timers up to the barrier's `closedAt`; one that a timer of this barrier sets waits for
 *   the next. Events of untimed flows are taken at the barrier of their epoch
 * - **Keeps** for each key its state and timers, until there is neither; and events that wait
 * - **Sets aside** on `late` the events whose time has been passed
 * - **At a final barrier** hands in all events that wait and fires the timers before the last of them, which is passed
 *   then; later timers stay. Where all partitions have finished, every timer fires; one that a timer sets waits for the
 *   next barrier, else one that sets itself again would never end
 * - **Restores** all of this; the columns of the key must not change between restarts, the state by a `Migration`
 * - **Fails with** `StateLimitExceeded`, and `StepFailed` where a function of the job throws (user fault, no retry)
 *
 *     events    1    3     4           watermark ──────────▲ 5
 *     timers      2  3                 calls  e1 t2 e3 t3 e4
 */
import type { Context } from "../flow/Process.ts"
import { millisOf } from "../flow/Process.ts"
import type { SpecOf } from "../flow/Topology.ts"
import type { Instant } from "../model/Columns.ts"
import { StateLimitExceeded } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import { eventTimeMax, eventTimeMin, isEventTime } from "../model/Time.ts"
import { EmittedRows } from "./EmittedRows.ts"
import { InOrder, type Waiting } from "./InOrder.ts"
import type { Collector, Operator } from "./Operator.ts"
import { type KeptEntry, ProcessState, timerClocks } from "./ProcessState.ts"
import * as Selection from "./Selection.ts"
import { stepFailed, stepFailedAtBarrier } from "./StepFailure.ts"
import * as ValueMigration from "./ValueMigration.ts"

export interface Options {
  readonly id: string
  readonly keyBy: SpecOf<"keyBy">
  readonly process: SpecOf<"process">
  /** Do its events have event time? */
  readonly timed: boolean
  /** Of the classes that events may be instances of. */
  readonly prototypes?: ReadonlyArray<object>
  /** Default `Limits.stateKeysMax`. */
  readonly stateKeysMax?: number
  /** Default `Limits.waitingEventsMax`. */
  readonly waitingEventsMax?: number
  /** Default `Limits.stateEntriesMax`. */
  readonly stateEntriesMax?: number
}

type AnyHandler = (given: unknown, context: unknown) => Iterable<unknown> | undefined

export const make = (options: Options): Operator => {
  const { id, process, timed } = options
  const keysMax = options.stateKeysMax ?? Limits.stateKeysMax
  const kept: ProcessState = new ProcessState(options.keyBy.columns, process.state)
  const inOrder: InOrder<KeptEntry> = new InOrder<KeptEntry>({
    step: id,
    timed,
    prototypes: options.prototypes ?? [],
    keyGroupOf: (event: Waiting) => kept.keyGroupOf(event.value),
    own: kept.codec,
    entriesMax: options.stateEntriesMax ?? Limits.stateEntriesMax,
    ...(options.waitingEventsMax === undefined ? {} : { eventsMax: options.waitingEventsMax })
  })
  const { processingTimers, timers } = kept
  const recall = (of: KeptEntry): boolean => inOrder.store.recall(of)
  const rows = new EmittedRows()
  const ports = new Set(process.outputs)
  // Entries that the calls of this barrier made or changed.
  let touched: Array<KeptEntry> = []
  // Set while a function of the job runs.
  let entry: KeptEntry | null = null
  let now = 0
  let closedAt = 0
  let isTimer = false
  // Timers that timers have set where everything has been passed.
  let postponed: Array<readonly [KeptEntry, number]> | null = null
  let offset = 0

  const current = (): KeptEntry => {
    if (entry === null) throw new TypeError("the context was used after the call that it belongs to")
    return entry
  }
  const touch = (of: KeptEntry): void => {
    if (of.touched) return
    of.touched = true
    touched.push(of)
  }
  const setTimer = (at: number): undefined => {
    const of = current()
    if (!timed) throw new TypeError("a timer needs event time: put Flow.eventTime above, or use setProcessingTimer")
    if (process.onTimer === null) throw new TypeError("a timer was set, but there is no onTimer")
    if (!isEventTime(at)) throw new TypeError(`a timer cannot be set for ${at}: it is no instant in whole milliseconds`)
    if (isTimer && at <= now) throw new TypeError(`a timer of ${now} set a timer for ${at}: it must be later`)
    const due = Math.max(at, now)
    if (!addTime(of, of.timers, due)) return
    if (isTimer && postponed !== null) postponed.push([of, due])
    else timers.set(of, due)
  }
  const addTime = (of: KeptEntry, times: Array<number>, at: number): boolean => {
    if (times.includes(at)) return false
    if (times.length >= Limits.timersPerKeyMax) throw tooManyTimers(id)
    times.push(at)
    touch(of)
    return true
  }
  const dropTime = (of: KeptEntry, times: Array<number>, at: number): boolean => {
    const index = times.indexOf(at)
    if (index < 0) return false
    times.splice(index, 1)
    touch(of)
    return true
  }
  const context: Context<unknown, unknown, Record<string, unknown>> = {
    get key() {
      return kept.keyOf(current())
    },
    get state() {
      return current().state
    },
    get eventTime() {
      return timed ? (now as Instant) : null
    },
    get closedAt() {
      return closedAt as Instant
    },
    keep: (state) => {
      current().state = state
      touch(current())
    },
    forget: () => {
      current().state = undefined
      touch(current())
    },
    setTimer,
    cancelTimer: (at) => {
      if (dropTime(current(), current().timers, at)) timers.cancel(current(), at)
    },
    setProcessingTimer: (after) => {
      if (process.onProcessingTimer === null)
        throw new TypeError("a processing-time timer was set, but there is no onProcessingTimer")
      const due = closedAt + Math.ceil(millisOf(after))
      if (addTime(current(), current().processingTimers, due)) processingTimers.set(current(), due)
      return due as Instant
    },
    cancelProcessingTimer: (at) => {
      if (dropTime(current(), current().processingTimers, at)) processingTimers.cancel(current(), at)
    },
    emit: (output, row) => {
      if (!ports.has(output)) throw new TypeError(`there is no output '${output}'`)
      rows.add(`side ${output}`, current().keyGroup, row, now)
    }
  }

  const call = (of: KeptEntry, handler: unknown, given: unknown): void => {
    entry = of
    try {
      const returned = (handler as AnyHandler)(given, context)
      if (returned !== undefined) for (const row of returned) rows.add("out", of.keyGroup, row, now)
    } finally {
      entry = null
    }
  }
  /** Puts each entry into the state or takes it out of it, whichever it needs. */
  const settle = (): void => {
    const { store } = inOrder
    for (const of of touched) {
      of.touched = false
      if (of.isEmpty) {
        kept.forget(of)
        if (of.slot >= 0) store.remove(of)
      } else if (of.slot >= 0) store.change(of)
      else store.add(of)
    }
    touched = []
    if (store.size - inOrder.kept > keysMax) throw tooManyKeys(id, keysMax)
  }

  const onEvent = (event: Waiting): void => {
    now = event.eventTime
    isTimer = false
    try {
      const of = kept.entryOf(event.value, recall)
      if (of.slot < 0) touch(of)
      call(of, process.onEvent, event.value)
    } catch (error) {
      throw stepFailed(id, event, event.offset, error)
    }
  }
  /** Sets the packed timers that are due until then. */
  const recallDue = (clock: number, limit: number): void => {
    for (const of of inOrder.recallOwn(clock, limit)) kept.put(of)
  }
  const fireUntil = (limit: number): void => {
    isTimer = true
    while (timers.earliest <= limit) {
      const at = timers.earliest
      now = at
      for (const [, due] of timers.takeUntil(at)) {
        for (const of of due) if (dropTime(of, of.timers, at)) call(of, process.onTimer, at)
      }
    }
  }
  const fireProcessing = (): void => {
    isTimer = false
    now = timed ? Math.max(inOrder.passed, eventTimeMin) : 0
    for (const [at, due] of processingTimers.takeUntil(closedAt)) {
      for (const of of due) if (dropTime(of, of.processingTimers, at)) call(of, process.onProcessingTimer, at)
    }
  }

  const onBarrier = (barrier: Barrier, out: Collector): void => {
    closedAt = barrier.closedAt
    const before = inOrder.watermark
    const due = inOrder.take(barrier)
    const { limit } = inOrder
    const firedUntil = Math.min(limit, eventTimeMax + 1) - 1
    recallDue(timerClocks.timers, firedUntil)
    recallDue(timerClocks.processingTimers, closedAt)
    postponed = limit === Number.POSITIVE_INFINITY ? [] : null
    for (const event of due) {
      if (timed) fireUntil(event.eventTime - 1)
      onEvent(event)
    }
    if (timed) fireUntil(firedUntil)
    fireProcessing()
    settle()
    for (const [of, at] of postponed ?? []) if (of.timers.includes(at)) timers.set(of, at)
    postponed = null
    rows.emit(out, id, barrier, timed ? before : null)
  }

  return {
    id,
    onBatch: (message, out) => {
      const batch = message as Batch
      try {
        offset = batch.offsets[0] ?? 0
        const late = inOrder.add(batch)
        if (late.length > 0) out.emit("late", Selection.select(batch, late))
      } catch (error) {
        throw stepFailed(id, batch, offset, error)
      }
    },
    onBarrier: (barrier, out) => {
      try {
        onBarrier(barrier, out)
      } catch (error) {
        throw stepFailedAtBarrier(id, barrier.epoch, error)
      }
      return barrier
    },
    state: {
      fingerprint: fingerprintOf(options),
      snapshot: (epoch) => {
        try {
          return inOrder.store.snapshot()
        } catch (error) {
          throw stepFailedAtBarrier(id, epoch, error)
        }
      },
      restore: (parts) => inOrder.restore(parts),
      migrate: (was, migrations) => {
        const head = headOf(options)
        const migrate = was.startsWith(head) ? ValueMigration.from(id, was.slice(head.length), migrations) : null
        if (migrate === null) return null
        return {
          says: "the state of each key is migrated, its timers stay",
          restore: (parts) => {
            kept.migrate = migrate
            inOrder.restore(parts, () => {})
            kept.migrate = null
          }
        }
      }
    },
    dueAt: () => Math.min(processingTimers.earliest, inOrder.packedOwnDueAt(timerClocks.processingTimers)),
    counts: () => ({
      late: inOrder.late,
      lateByOthers: inOrder.lateByOthers,
      waiting: inOrder.size,
      keys: inOrder.store.size - inOrder.kept
    }),
    ...(timed ? { waiting: () => inOrder.waiting() } : {})
  }
}

const headOf = ({ keyBy, timed }: Options): string =>
  `process 1; ${timed ? "timed" : "untimed"}; by ${keyBy.columns.map((column) => column.name).join(", ")}; `

const fingerprintOf = (options: Options): string => `${headOf(options)}${options.process.state.fingerprint}`

const tooManyKeys = (step: string, keysMax: number): StateLimitExceeded =>
  new StateLimitExceeded({
    step,
    keysMax,
    message: `Step '${step}' would keep more than ${keysMax} keys`,
    hint: "Forget the state of keys that are done with, by a timer, or key by fewer distinct values."
  })

const tooManyTimers = (step: string): StateLimitExceeded =>
  new StateLimitExceeded({
    step,
    keysMax: Limits.timersPerKeyMax,
    message: `Step '${step}' would set more than ${Limits.timersPerKeyMax} timers for one key`,
    hint: "Keep in the state what is to be done, and set a timer for the next of it only."
  })
