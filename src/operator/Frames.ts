/**
 * Gives each event with aggregates over its row and the rows of its key before it: moving averages and their like.
 *
 * - **Emits** at barriers, for each event that the watermark has passed, a row: the event's columns and the result of
 *   each frame, with the event's time; a batch for each key group, in the order of `InOrder`. A frame of n rows before
 *   the current one takes in fewer at the start; below its `minRows` its result is null
 * - **Keeps** of each key the last rows that its largest frame takes in, for good, each written once; the states of the
 *   aggregates that slide; and events that wait
 * - **Sets aside** on `late` the events whose time has been passed
 * - **At a final barrier** takes all events that wait: what is earlier is late from then on
 * - **Restores** all of this; the columns of the key, and sizes and aggregates of frames must not change between restarts
 * - **Fails with** `StateLimitExceeded`, and `StepFailed` where a function of the job throws (user fault, no retry)
 *
 *     close of key a, by time    3   5   4   8
 *     average over -1..0         3   4   4.5 6
 */
import type { Place } from "../flow/Aggregate.ts"
import type { Frame } from "../flow/Frame.ts"
import type { SpecOf } from "../flow/Topology.ts"
import { StateLimitExceeded } from "../model/Errors.ts"
import * as Keys from "../model/Key.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import { EmittedRows } from "./EmittedRows.ts"
import { type FrameEntry, KeyEntry, Restored, RowEntry } from "./FrameState.ts"
import { InOrder, type Waiting } from "./InOrder.ts"
import { KeyReader, KeyTable } from "./KeyTable.ts"
import type { Collector, Operator } from "./Operator.ts"
import * as Selection from "./Selection.ts"
import { stepFailed, stepFailedAtBarrier } from "./StepFailure.ts"

export interface Options {
  readonly id: string
  readonly keyBy: SpecOf<"keyBy">
  readonly frames: SpecOf<"frames">["frames"]
  /** Of the classes that events may be instances of. */
  readonly prototypes?: ReadonlyArray<object>
  /** Keys and rows together. Default `Limits.stateKeysMax`. */
  readonly stateKeysMax?: number
}

export const make = (options: Options): Operator => {
  const { id } = options
  const { columns } = options.keyBy
  const keysMax = options.stateKeysMax ?? Limits.stateKeysMax
  const names = Object.keys(options.frames)
  const frames = Object.values(options.frames)
  const rowsKept = Math.max(0, ...frames.map((frame) => frame.before))
  const keys = new KeyReader(columns)
  const table = new KeyTable<KeyEntry>()
  const restored = new Restored(table, columns.length)
  const inOrder: InOrder<FrameEntry> = new InOrder<FrameEntry>({
    step: id,
    timed: true,
    prototypes: options.prototypes ?? [],
    keyGroupOf: (event: Waiting) => {
      keys.read(event.value as never)
      return Keys.keyGroupOf(keys.columns)
    },
    own: restored.codec
  })
  const rows = new EmittedRows()

  const entryOf = (event: Waiting): KeyEntry => {
    const hash = keys.read(event.value as never)
    const known = table.find(hash, keys.columns)
    if (known !== undefined) return known
    const entry = new KeyEntry(keys.columns.slice(), hash)
    entry.states = frames.map(({ aggregate }) => (aggregate.remove === undefined ? null : aggregate.empty()))
    table.add(entry)
    inOrder.store.add(entry)
    return entry
  }

  const onEvent = (event: Waiting): void => {
    const entry = entryOf(event)
    const { eventTime, offset, origin, partition, row, value } = event
    const current = new RowEntry(entry, ++entry.count, value, { eventTime, origin, partition, offset, row })
    entry.rows.push(current)
    const made: Record<string, unknown> = { ...(value as object) }
    for (let i = 0; i < frames.length; i++) made[names[i]!] = resultOf(entry, frames[i]!, i, current)
    rows.add("out", entry.keyGroup, made, eventTime)
    keep(entry, current)
  }

  const keep = (entry: KeyEntry, current: RowEntry): void => {
    const { store } = inOrder
    store.change(entry)
    if (rowsKept > 0) store.add(current)
    if (entry.rows.length - entry.first > rowsKept) {
      const oldest = entry.shift()
      if (oldest.slot >= 0) store.remove(oldest)
    }
    if (store.size - inOrder.kept > keysMax) throw full(id, keysMax)
  }

  const onBarrier = (barrier: Barrier, out: Collector): void => {
    const before = inOrder.watermark
    for (const event of inOrder.take(barrier)) {
      try {
        onEvent(event)
      } catch (error) {
        throw stepFailed(id, event, event.offset, error)
      }
    }
    rows.emit(out, id, barrier, before)
  }

  return {
    id,
    onBatch: (message, out) => {
      const batch = message as Batch
      try {
        const late = inOrder.add(batch)
        if (late.length > 0) out.emit("late", Selection.select(batch, late))
      } catch (error) {
        throw stepFailed(id, batch, batch.offsets[0] ?? 0, error)
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
      restore: (parts) => {
        inOrder.restore(parts)
        restored.settle()
      }
    },
    counts: () => ({
      late: inOrder.late,
      lateByOthers: inOrder.lateByOthers,
      waiting: inOrder.size,
      keys: table.size
    }),
    waiting: () => inOrder.waiting()
  }
}

/** The result of a frame for the current row, the last of its entry's. A state that slides then lets the oldest row go. */
const resultOf = (entry: KeyEntry, frame: Frame<never, unknown>, index: number, current: RowEntry): unknown => {
  const { aggregate, before, minRows } = frame
  const { rows } = entry
  const oldest = Math.max(entry.first, rows.length - 1 - before)
  const isEnough = rows.length - oldest >= minRows
  if (aggregate.remove === undefined) return isEnough ? over(rows, oldest, frame) : null
  const state = aggregate.add(entry.states[index], current.event as never, current.place as Place)
  const result = isEnough ? aggregate.result(state) : null
  const isFull = rows.length - oldest > before
  entry.states[index] = isFull ? aggregate.remove(state, rows[oldest]!.event as never) : state
  return result
}

const over = (rows: ReadonlyArray<RowEntry>, from: number, { aggregate }: Frame<never, unknown>): unknown => {
  let state: unknown = aggregate.empty()
  for (let i = from; i < rows.length; i++) state = aggregate.add(state, rows[i]!.event as never, rows[i]!.place)
  return aggregate.result(state)
}

const fingerprintOf = ({ frames, keyBy }: Options): string =>
  [
    "frames 1",
    `by ${keyBy.columns.map((column) => column.name).join(", ")}`,
    ...Object.values(frames).map(({ aggregate, before }) => `${before} ${aggregate.keeps ?? "own"}`)
  ].join("; ")

const full = (step: string, keysMax: number): StateLimitExceeded =>
  new StateLimitExceeded({
    step,
    keysMax,
    message: `Step '${step}' would keep more than ${keysMax} keys and rows`,
    hint: "Make its frames smaller, or key by fewer distinct values."
  })
