/**
 * Collects all events of one key and gives one row per key: key columns, results.
 *
 * - **Emits** at barriers only, a batch for each key group, sorted by key: a `Change` for each row that a reader would
 *   see differ from what was emitted, its key the key columns
 * - **Over changes** it takes back `before` from the key that it has, and adds `after` to its own, in any order
 *   within an epoch. A key without rows at a barrier is forgotten, and its row is removed
 * - **Keeps** one state for each aggregate and key, how many rows the key has, and when its last event came: for good,
 *   or, with `timeToLive`, until the first barrier that is closed so long after the epoch of the key's last event.
 *   Then the row is removed, and a later event of the key begins anew
 * - **Sets aside** nothing
 * - **Restores** entries; the key must not change between restarts, aggregates by a `Migration`, `timeToLive` may
 * - **Fails with** `StateLimitExceeded`, and `StepFailed` where a function of the job throws, or where more rows of a
 *   key are taken back than came (user fault, no retry)
 *
 *     events  ──a1──b5──a2──│──a3─────│── (−a3) ──│
 *     emits                 +a 3       a 3 → 6      a 6 → 3
 *                           +b 5
 */
import type { SpecOf } from "../flow/Topology.ts"
import { StepFailed } from "../model/Errors.ts"
import type { Change } from "../model/Event.ts"
import * as Keys from "../model/Key.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import * as AggregateMigration from "./AggregateMigration.ts"
import type { AnyAggregate } from "./AggregateState.ts"
import type { KeyedEntry } from "./KeyedEntry.ts"
import { KeyedState } from "./KeyedState.ts"
import { KeyReader } from "./KeyTable.ts"
import type { Collector, Operator } from "./Operator.ts"
import * as ResultRows from "./ResultRows.ts"
import { stepFailed, stepFailedAtBarrier } from "./StepFailure.ts"

export interface Options {
  readonly id: string
  readonly keyBy: SpecOf<"keyBy">
  readonly aggregate: SpecOf<"aggregate">
  /** Do rows come that replace earlier rows? */
  readonly changes: boolean
  /** Default `Limits.stateKeysMax`. */
  readonly stateKeysMax?: number
  /** Default `Limits.stateEntriesMax`. */
  readonly stateEntriesMax?: number
}

export const make = (options: Options): Operator => {
  const { aggregate, changes, id, keyBy } = options
  const state = new KeyedState({
    step: id,
    keys: new KeyReader(keyBy.columns),
    columns: keyBy.columns.map((column) => column.name),
    aggregates: changes ? overChanges(aggregate.aggregates) : aggregate.aggregates,
    keysMax: options.stateKeysMax ?? Limits.stateKeysMax,
    entriesMax: options.stateEntriesMax ?? Limits.stateEntriesMax,
    timeToLiveMillis: aggregate.timeToLiveMillis
  })

  const putChange = ({ after, before }: Change): void => {
    if (before !== undefined) {
      const entry = state.entryOf(before as never)
      state.take(entry, before as never)
      entry.live--
    }
    if (after === undefined) return
    const entry = state.entryOf(after as never)
    state.add(entry, after as never)
    entry.live++
  }

  const onBatch = ({ eventTimes, offsets, origin, partition, rows, values }: Batch): void => {
    const { place } = state
    place.origin = origin
    place.partition = partition
    for (let i = 0; i < values.length; i++) {
      place.eventTime = eventTimes === null ? 0 : eventTimes[i]!
      place.offset = offsets[i]!
      place.row = rows === null ? 0 : rows[i]!
      if (changes) putChange(values[i] as Change)
      else state.add(state.entryOf(values[i] as never), values[i] as never)
    }
  }

  const onBarrier = (barrier: Barrier, out: Collector): Barrier => {
    const changed = state.changed()
    for (const entry of changed) {
      if (entry.live < 0) throw overdrawn(id, entry)
      if (changes && entry.live === 0) state.drop(entry)
      else state.cameAt(entry, barrier.closedAt)
    }
    ResultRows.emit(out, changed.concat(state.forget(barrier.closedAt)), {
      origin: id,
      barrier,
      compare: (left, right) => Keys.compare(left.key, right.key),
      valueOf: (entry) => state.changeOf(entry, entry.key),
      times: null
    })
    return barrier
  }

  return {
    id,
    onBatch: (batch) => {
      try {
        onBatch(batch as Batch)
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
    counts: () => ({ keys: state.store.size }),
    dueAt: () => state.dueAt()
  }
}

const overChanges = (aggregates: Readonly<Record<string, AnyAggregate>>): Readonly<Record<string, AnyAggregate>> =>
  Object.fromEntries(Object.entries(aggregates).map(([name, one]) => [name, one.overChanges ?? one]))

const fingerprintOf = ({ aggregate, changes, keyBy }: Options): string =>
  ["keyed 1", changes ? "changes" : "events", `by ${keyBy.columns.map((column) => column.name).join(", ")}`].join(
    "; "
  ) + AggregateMigration.said(changes ? overChanges(aggregate.aggregates) : aggregate.aggregates)

const overdrawn = (step: string, entry: KeyedEntry): StepFailed =>
  new StepFailed({
    step,
    message: `Step '${step}' took back ${-entry.live} more rows than came for the key (${entry.key.map(String).join(", ")})`,
    hint: "A function before this step gives something else for the same row at another time: make it depend on the row alone."
  })
