/**
 * Collects the events of one key into windows and gives one row per key and window: key columns, `windowStart`,
 * `windowEnd`, results.
 *
 * - **Emits** at barriers only, a batch for each key group, sorted by key and window. `onUpdate`: a `Change` for each
 *   row that differs from what was emitted, its key the key columns and `windowStart`; the row of a session that
 *   went into another is removed. `onClose`: the row itself, once, at the first barrier with watermark ≥
 *   `windowEnd + allowedLateness`; a session's at `windowEnd + gap + allowedLateness`, until when an event that is
 *   not late can still join it. At a final barrier also the rows of open windows; where those are appended, and of
 *   sessions, they are closed with it: what comes for them later is late
 * - **Keeps** one state for each aggregate, key and open window, until the window closes; the watermark; and until when
 *   windows have been forgotten
 * - **Sets aside** on `late` the events that are late for all their windows, as they came. An event is late for a
 *   window if `windowEnd + allowedLateness` ≤ the larger of its own partition's watermark before it and the job's at
 *   the start of its epoch; a session event by its own `[t, t + gap)`. One of a window that has been forgotten is late
 *   even if `allowedLateness` is longer after a restart: a row that was whole is not replaced by a part of it
 * - **Passes on** in `onClose` mode a watermark that is `allowedLateness` (and a session's gap) lower: rows come that
 *   much later than the events they are made of. With it, no row is late for the window after it
 * - **Restores** what it keeps; key and window must not change between restarts, aggregates by a `Migration`
 * - **Fails with** `StateLimitExceeded`, and `StepFailed` where a function of the job throws (user fault, no retry)
 *
 *     key a   ──1────2─────│──3──────│────       watermark ─────────────▲ 12:01
 *             12:00        12:01     12:02       emits (a, 12:00, 3)
 */
import type { Mode } from "../flow/Flow.ts"
import type { SpecOf } from "../flow/Topology.ts"
import type * as Windows from "../flow/Window.ts"
import { StepFailed } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import * as AggregateMigration from "./AggregateMigration.ts"
import * as AlignedWindows from "./AlignedWindows.ts"
import { KeyReader } from "./KeyTable.ts"
import type { Collector, Operator } from "./Operator.ts"
import * as ResultRows from "./ResultRows.ts"
import * as Selection from "./Selection.ts"
import * as SessionWindows from "./SessionWindows.ts"
import { stepFailed, stepFailedAtBarrier } from "./StepFailure.ts"
import { known } from "./Waiting.ts"
import { compare, type WindowEntry } from "./WindowEntry.ts"
import { type WindowIndex, WindowState } from "./WindowState.ts"

export interface Options {
  readonly id: string
  readonly keyBy: SpecOf<"keyBy">
  readonly window: SpecOf<"window">
  readonly aggregate: Omit<SpecOf<"aggregate">, "timeToLiveMillis">
  readonly mode: Mode
  /**
   * Can a row not be replaced where it goes? True for append-only sinks and for any step that takes rows as events.
   * Then what a final barrier emitted is closed: later events of that key and window are late.
   */
  readonly appends: boolean
  /** Default `Limits.stateKeysMax`. */
  readonly stateKeysMax?: number
  /** Default `Limits.stateEntriesMax`. */
  readonly stateEntriesMax?: number
}

export const make = (options: Options): Operator => {
  const { id, mode } = options
  const { window, allowedLatenessMillis } = options.window
  // A session's row may later belong to another session; where rows are not changes, it could not be taken back.
  const finalCloses = options.appends || window.kind === "session"
  const state: WindowState = new WindowState({
    step: id,
    keys: new KeyReader(options.keyBy.columns),
    columns: options.keyBy.columns.map((column) => column.name),
    aggregates: options.aggregate.aggregates,
    keepsBefore: mode === "onUpdate",
    keysMax: options.stateKeysMax ?? Limits.stateKeysMax,
    // An event finds the sessions beside it by their times, not by their keys: none of them could be packed.
    entriesMax:
      window.kind === "session" ? Number.POSITIVE_INFINITY : (options.stateEntriesMax ?? Limits.stateEntriesMax),
    index: () => index
  })
  const index = indexOf(state, window, allowedLatenessMillis)
  let late = 0
  let lateByOthers = 0

  const onBatch = (batch: Batch, out: Collector): void => {
    const { eventTimes, ownWatermarks, values, offsets, rows } = batch
    if (eventTimes === null || ownWatermarks === null) throw untimed(id)
    const { place, watermark } = state
    const lateIndexes: Array<number> = []
    place.origin = batch.origin
    place.partition = batch.partition
    for (let i = 0; i < values.length; i++) {
      const own = ownWatermarks[i]!
      place.eventTime = eventTimes[i]!
      place.offset = offsets[i]!
      place.row = rows === null ? 0 : rows[i]!
      if (index.add(values[i] as never, place.eventTime, own > watermark ? own : watermark)) continue
      lateIndexes.push(i)
      if (own < watermark) lateByOthers++
    }
    if (lateIndexes.length === 0) return
    late += lateIndexes.length
    out.emit("late", Selection.select(batch, lateIndexes))
  }

  // No row that is still to come is of a window that has been forgotten.
  const passedOn = (): number => (mode === "onClose" ? state.forgottenUntil : state.watermark)

  const valueOf = (entry: WindowEntry): unknown =>
    mode === "onClose" ? state.rowOf(entry) : state.changeOf(entry, [...entry.key, entry.start])

  // A row's event time is the last millisecond of its window.
  const emit = (out: Collector, barrier: Barrier, entries: ReadonlyArray<WindowEntry>, watermark: number): void =>
    ResultRows.emit(out, entries, {
      origin: id,
      barrier,
      compare,
      valueOf,
      times: { of: (entry) => entry.end - 1, watermark }
    })

  const emitChanged = (out: Collector, barrier: Barrier, watermark: number): void => {
    const changed = state.absorbed.concat(state.changed())
    state.absorbed = []
    emit(out, barrier, changed, watermark)
  }

  const closeOpen = (): ReadonlyArray<WindowEntry> => {
    const open: Array<WindowEntry> = []
    for (const entry of state.recallUntil(Number.POSITIVE_INFINITY)) index.insert(entry)
    for (let keyGroup = 0; keyGroup < Limits.keyGroups; keyGroup++) {
      for (const entry of state.store.entriesOf(keyGroup)) if (!entry.emitted) open.push(entry)
    }
    for (const entry of open) state.store.change(entry)
    return open
  }

  const onBarrier = (barrier: Barrier, out: Collector): Barrier => {
    const before = passedOn()
    state.advance(barrier.watermark, index.closesAfterMillis)
    if (mode === "onUpdate") emitChanged(out, barrier, before)
    const closing = index.close(state.watermark)
    const rows = mode === "onClose" ? closing.filter((entry) => !entry.emitted) : []
    for (const entry of closing) state.store.remove(entry)
    if (mode === "onClose" && barrier.final) {
      const open = closeOpen()
      emit(out, barrier, [...rows, ...open], before)
      if (finalCloses) for (const entry of open) seal(entry)
    } else emit(out, barrier, rows, before)
    const watermark = passedOn()
    return watermark === barrier.watermark ? barrier : { ...barrier, watermark }
  }

  return {
    id,
    onBatch: (batch, out) => {
      try {
        onBatch(batch as Batch, out)
      } catch (error) {
        throw stepFailed(id, batch as Batch, state.place.offset, error)
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
      fingerprint: fingerprintOf(options),
      snapshot: (epoch) => {
        try {
          return state.store.snapshot()
        } catch (error) {
          throw stepFailedAtBarrier(id, epoch, error)
        }
      },
      restore: (parts) => state.store.restore(parts),
      migrate: (was, migrations) => state.migrate(was, fingerprintOf(options), migrations)
    },
    waiting: () => ({
      kind: "windows",
      watermark: known(state.watermark),
      open: index.open(),
      first: index.first(Limits.windowsToldMax)
    }),
    counts: () => ({ late, lateByOthers, windowsOpen: index.open(), keys: state.store.size })
  }
}

const indexOf = (state: WindowState, window: Windows.Window, allowedLatenessMillis: number): WindowIndex => {
  switch (window.kind) {
    case "tumbling":
      return AlignedWindows.make(state, { ...window, everyMillis: window.sizeMillis, allowedLatenessMillis })
    case "sliding":
      return AlignedWindows.make(state, { ...window, allowedLatenessMillis })
    case "session":
      return SessionWindows.make(state, { ...window, allowedLatenessMillis })
  }
}

/** Remembers of an emitted entry only that it is closed. */
const seal = (entry: WindowEntry): void => {
  entry.closed = true
  entry.states = []
}

const fingerprintOf = (options: Options): string =>
  [
    "window 2",
    options.mode,
    JSON.stringify(options.window.window),
    `by ${options.keyBy.columns.map((column) => column.name).join(", ")}`
  ].join("; ") + AggregateMigration.said(options.aggregate.aggregates)

const untimed = (step: string): StepFailed =>
  new StepFailed({
    step,
    message: `Step '${step}' received events without event time`,
    hint: "Put Flow.eventTime before Flow.window."
  })
