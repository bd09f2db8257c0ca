/**
 * Lets the first event of each key through.
 *
 * - **Emits** at the barrier of the epoch in which a key first came: its event, of those in the same epoch the one with
 *   the lowest place (origin, partition, offset, row), with its event time, own watermark and place as it came
 * - **Keeps** each key, without its event, for good; with `timeToLive` until the first barrier that closed so long after
 *   the one at which the key was emitted: events of that epoch still find it, those of the next are new
 * - **Sets aside** nothing; repeats are dropped, and counted. Events that a step below set aside and that come through
 *   the job again are let through at once
 * - **Restores** the keys and when they came; the columns of the key must not change between restarts
 * - **Fails with** `StateLimitExceeded`, and `StepFailed` where a key's function throws (user fault, no retry)
 *
 *     a1 b1 a2 │ b2 c1 a3 │          emits  a1 b1 │ c1 │
 */
import type { SpecOf } from "../flow/Topology.ts"
import { StateLimitExceeded } from "../model/Errors.ts"
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import { Entry, type EntryCodec, StateStore } from "../state/StateStore.ts"
import { type Due, DueEntries } from "./DueEntries.ts"
import { hashOfKey, KeyReader, KeyTable } from "./KeyTable.ts"
import type { Collector, Operator } from "./Operator.ts"
import * as Selection from "./Selection.ts"
import { stepFailed, stepFailedAtBarrier } from "./StepFailure.ts"

export interface Options {
  readonly id: string
  readonly keyBy: SpecOf<"keyBy">
  readonly timeToLiveMillis: number | null
  /** Default `Limits.stateKeysMax`. */
  readonly stateKeysMax?: number
  /** Default `Limits.stateEntriesMax`. */
  readonly stateEntriesMax?: number
}

export const make = (options: Options): Operator => {
  const { id, timeToLiveMillis } = options
  const keysMax = options.stateKeysMax ?? Limits.stateKeysMax
  const keys = new KeyReader(options.keyBy.columns)
  const table = new KeyTable<Seen>()
  const due = new DueEntries<Seen>()
  const dueAt = ({ seenAt }: Seen): number =>
    timeToLiveMillis === null ? Number.POSITIVE_INFINITY : seenAt + timeToLiveMillis
  /** To be called with every entry that the table takes, once it is known when it came. */
  const putDue = (entry: Seen): void => {
    if (timeToLiveMillis !== null) due.put(entry, dueAt(entry))
  }
  const codec = codecOf({ table, columns: options.keyBy.columns.length, due, putDue, dueAt })
  const store = new StateStore(codec, { entriesMax: options.stateEntriesMax ?? Limits.stateEntriesMax })
  let fresh: Array<Seen> = []
  let repeats = 0
  let offset = 0

  const onBatch = (batch: Batch): void => {
    for (let i = 0; i < batch.values.length; i++) {
      offset = batch.offsets[i]!
      const hash = keys.read(batch.values[i] as never)
      const seen = table.find(hash, keys.columns) ?? recalled(hash)
      if (seen === null) {
        if (store.size >= keysMax) throw full(id, keysMax)
        const entry = new Seen(keys.columns.slice(), hash)
        entry.batch = batch
        entry.index = i
        table.add(entry)
        store.add(entry)
        fresh.push(entry)
        continue
      }
      repeats++
      if (seen.batch === null || compare(batch, i, seen.batch, seen.index) >= 0) continue
      seen.batch = batch
      seen.index = i
    }
  }

  /** The entry of the key that was read last, if it is packed. */
  const recalled = (hash: number): Seen | null => {
    if (store.packed === 0) return null
    const entry = new Seen(keys.columns.slice(), hash)
    if (!store.recall(entry)) return null
    table.add(entry)
    putDue(entry)
    return entry
  }

  const onBarrier = (barrier: Barrier, out: Collector): void => {
    const first = fresh
    fresh = []
    for (const [batch, indexes] of byBatch(first)) out.emit("out", Selection.select(batch, indexes))
    for (const entry of first) {
      entry.batch = null
      entry.seenAt = barrier.closedAt
      putDue(entry)
    }
    for (const entry of due.takeUntil(barrier.closedAt)) {
      table.remove(entry.hash, entry.key)
      store.remove(entry)
    }
    for (const entry of store.recallDue(0, barrier.closedAt)) store.remove(entry)
  }

  return {
    id,
    onBatch: (batch, out) => {
      // What a step below set aside has been let through before: it is no repeat.
      if ((batch.again?.step ?? null) !== null) return out.emit("out", batch as Batch)
      try {
        onBatch(batch as Batch)
      } catch (error) {
        throw stepFailed(id, batch as Batch, offset, error)
      }
    },
    onBarrier: (barrier, out) => {
      onBarrier(barrier, out)
      return barrier
    },
    state: {
      fingerprint: `distinct 1; by ${options.keyBy.columns.map((column) => column.name).join(", ")}`,
      snapshot: (epoch) => {
        try {
          return store.snapshot()
        } catch (error) {
          throw stepFailedAtBarrier(id, epoch, error)
        }
      },
      restore: (parts) => store.restore(parts)
    },
    counts: () => ({ keys: store.size, repeats })
  }
}

/** A key that has come. */
class Seen extends Entry implements Due {
  readonly key: Key
  readonly hash: number
  /** When the epoch in which it first came was closed. */
  seenAt = 0
  /** Where its first event lies, until the barrier of that epoch. */
  batch: Batch | null = null
  index = 0
  dueAt = 0
  dueIndex = -1

  constructor(key: Key, hash: number) {
    super(Keys.keyGroupOf(key))
    this.key = key
    this.hash = hash
  }
}

/** By place: no two events have one. */
const compare = (left: Batch, leftIndex: number, right: Batch, rightIndex: number): number => {
  if (left.origin !== right.origin) return left.origin < right.origin ? -1 : 1
  return (
    left.partition - right.partition ||
    left.offsets[leftIndex]! - right.offsets[rightIndex]! ||
    (left.rows?.[leftIndex] ?? 0) - (right.rows?.[rightIndex] ?? 0)
  )
}

/** The events of the entries by the batches they lie in, in the order of places, whatever came first. */
const byBatch = (entries: ReadonlyArray<Seen>): Map<Batch, Array<number>> => {
  const sorted = [...entries].sort((left, right) => compare(left.batch!, left.index, right.batch!, right.index))
  const batches = new Map<Batch, Array<number>>()
  for (const { batch, index } of sorted) {
    const indexes = batches.get(batch!)
    if (indexes === undefined) batches.set(batch!, [index])
    else indexes.push(index)
  }
  return batches
}

const codecOf = (options: {
  readonly table: KeyTable<Seen>
  readonly columns: number
  readonly due: DueEntries<Seen>
  readonly putDue: (entry: Seen) => void
  readonly dueAt: (entry: Seen) => number
}): EntryCodec<Seen> => ({
  writeKey: (entry, writer) => {
    for (let i = 0; i < entry.key.length; i++) writer.value(entry.key[i])
  },
  writeValue: (entry, writer) => writer.double(entry.seenAt),
  readKey: (reader) => {
    const key = Array.from({ length: options.columns }, () => reader.value()) as Key
    const hash = hashOfKey(key)
    return options.table.find(hash, key) ?? new Seen(key, hash)
  },
  readValue: (entry, reader) => {
    entry.seenAt = reader.double()
  },
  place: (entry) => {
    if (options.table.find(entry.hash, entry.key) !== undefined) return
    options.table.add(entry)
    options.putDue(entry)
  },
  forget: (entry) => {
    options.table.remove(entry.hash, entry.key)
    options.due.remove(entry)
  },
  dueAt: [options.dueAt],
  writeHeader: () => {},
  readHeader: () => {}
})

const full = (step: string, keysMax: number): StateLimitExceeded =>
  new StateLimitExceeded({
    step,
    keysMax,
    message: `Step '${step}' would keep more than ${keysMax} keys`,
    hint: "Give Flow.distinct a timeToLive, or key by fewer distinct values."
  })
