/**
 * Gives all rows at each epoch in which one of them changed: for a console, or a small table.
 *
 * - **Emits** at the barrier of an epoch with changes every row there is, as `{key, after}`, with `before` if it is
 *   another than at the barrier before, and every row that is gone since then, as `{key, before}`, sorted by the step
 *   that made them and their key; at other barriers nothing. A change that leaves the row as it was is none
 * - **Keeps** the rows, by the step that made each and its key; an event that a merge took for a row has its place instead
 * - **Sets aside** nothing
 * - **Restores** the rows
 * - **Fails with** `StateLimitExceeded` above `Limits.completeRowsMax` rows (user fault, no retry)
 *
 *     (a, 1) new, (b, 1) new │                     │ (a, 1 → 2)      │
 *                            │ (a, 1) (b, 1)       │ nothing         │ (a, 2) (b, 1)
 */
import type { KeyValue } from "../model/Columns.ts"
import { StateLimitExceeded } from "../model/Errors.ts"
import type { Change } from "../model/Event.ts"
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import { Classes } from "../state/Classes.ts"
import { Entry, type EntryCodec, StateStore } from "../state/StateStore.ts"
import { hashOfKey, KeyTable } from "./KeyTable.ts"
import * as MadeBatch from "./MadeBatch.ts"
import type { Collector, Operator } from "./Operator.ts"
import { stepFailedAtBarrier } from "./StepFailure.ts"
import { ValueBytes } from "./ValueBytes.ts"

export interface Options {
  readonly id: string
  /** Of the classes that rows may be instances of. */
  readonly prototypes?: ReadonlyArray<object>
  /** Default `Limits.completeRowsMax`. */
  readonly rowsMax?: number
}

export const make = (options: Options): Operator => {
  const { id } = options
  const rowsMax = options.rowsMax ?? Limits.completeRowsMax
  const classes = new Classes(options.prototypes ?? [])
  const bytes = new ValueBytes(options.prototypes ?? [])
  const isSame = (left: unknown, right: unknown): boolean => !differ(left, right) && bytes.compare(left, right) === 0
  const table = new KeyTable<RowEntry>()
  const store = new StateStore<RowEntry>(codecOf(table, classes))
  let touched: Array<RowEntry> = []
  // Null once a row has come or gone: rows are sorted again only then.
  let sorted: ReadonlyArray<RowEntry> | null = null

  const entryOf = (key: Key, changeKey: unknown): RowEntry => {
    const hash = hashOfKey(key)
    const known = table.find(hash, key)
    if (known !== undefined) return known
    const entry = new RowEntry(key, hash, changeKey)
    table.add(entry)
    return entry
  }

  const onBatch = (batch: Batch): void => {
    for (let i = 0; i < batch.values.length; i++) {
      const change = batch.values[i] as Change
      const entry = entryOf(identityOf(batch, i, change.key), change.key)
      if (entry.changes.length === 0) touched.push(entry)
      entry.changes.push(change)
    }
  }

  /** Applies the changes of an epoch to their row; answers whether it is another now. */
  const settle = (entry: RowEntry): boolean => {
    const before = entry.row
    entry.before = before
    const after = rowAfter(before, entry.changes, isSame)
    entry.changes = []
    entry.row = after
    if (after === undefined) {
      sorted = null
      table.remove(entry.hash, entry.key)
      if (entry.slot >= 0) store.remove(entry)
      return before !== undefined
    }
    if (before !== undefined && isSame(before, after)) {
      entry.before = undefined
      return false
    }
    if (entry.slot >= 0) store.change(entry)
    else {
      sorted = null
      store.add(entry)
    }
    return true
  }

  const onBarrier = (barrier: Barrier, out: Collector): void => {
    const settled = touched
    touched = []
    let isChanged = false
    for (const entry of settled) if (settle(entry)) isChanged = true
    if (!isChanged) return
    if (store.size > rowsMax) throw full(id, rowsMax)
    sorted ??= [...table.all()].sort(inOrder)
    const gone = settled.filter((entry) => entry.row === undefined && entry.before !== undefined).sort(inOrder)
    emit(out, barrier, [...gone, ...sorted].map(changeOf))
    for (const entry of settled) entry.before = undefined
  }

  const emit = (out: Collector, barrier: Barrier, changes: ReadonlyArray<Change>): void => {
    for (let from = 0; from < changes.length; from += Limits.batchRecordsMax) {
      const values = changes.slice(from, from + Limits.batchRecordsMax)
      const made = MadeBatch.make({ origin: id, partition: 0, barrier, values, from, times: null })
      out.emit("out", { ...made, isComplete: true })
    }
  }

  return {
    id,
    onBatch: (batch) => onBatch(batch as Batch),
    onBarrier: (barrier, out) => {
      try {
        onBarrier(barrier, out)
      } catch (error) {
        throw stepFailedAtBarrier(id, barrier.epoch, error)
      }
      return barrier
    },
    state: {
      fingerprint: "complete 1",
      snapshot: (epoch) => {
        try {
          return store.snapshot()
        } catch (error) {
          throw stepFailedAtBarrier(id, epoch, error)
        }
      },
      restore: (parts) => store.restore(parts)
    },
    counts: () => ({ keys: store.size })
  }
}

/** A row. It is in the store once it is there at a barrier. */
class RowEntry extends Entry {
  /** The step that made it, and its key or place. */
  readonly key: Key
  readonly hash: number
  /** The key of its changes, as they came. */
  changeKey: unknown
  /** Undefined: there is none. */
  row: unknown
  /** At the barrier before, if it has been another; undefined otherwise. */
  before: unknown
  /** Of this epoch. */
  changes: Array<Change> = []

  constructor(key: Key, hash: number, changeKey: unknown) {
    super(Keys.keyGroupOf(key))
    this.key = key
    this.hash = hash
    this.changeKey = changeKey
  }
}

/** Do two rows differ in a column that is easily compared? Most that replace each other do; `false` says nothing. */
const differ = (left: unknown, right: unknown): boolean => {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false
  for (const name in left) {
    const [one, other] = [left[name as never] as unknown, right[name as never] as unknown]
    if (one === other || typeof one !== typeof other) continue
    if (typeof one === "bigint" || typeof one === "string") return true
    if (typeof one === "number" && !Number.isNaN(one) && !Number.isNaN(other)) return true
  }
  return false
}

const inOrder = (left: RowEntry, right: RowEntry): number => Keys.compare(left.key, right.key)

const changeOf = ({ before, changeKey: key, row }: RowEntry): Change => {
  if (row === undefined) return { key, before }
  return before === undefined ? { key, after: row } : { key, before, after: row }
}

const identityOf = (batch: Batch, i: number, key: unknown): Key =>
  Array.isArray(key)
    ? [batch.origin, ...(key as ReadonlyArray<KeyValue>)]
    : [batch.origin, batch.partition, batch.offsets[i]!, batch.rows?.[i] ?? 0]

/**
 * A row after some changes of it, in any order: of the row before and those that changes bring, the one that no
 * change takes away.
 */
const rowAfter = (
  row: unknown,
  changes: ReadonlyArray<Change>,
  isSame: (left: unknown, right: unknown) => boolean
): unknown => {
  if (changes.length === 1) return changes[0]!.after
  const rows = [row, ...changes.map(({ after }) => after)].filter((one) => one !== undefined)
  for (const { before } of changes) {
    const at = before === undefined ? -1 : rows.findIndex((one) => isSame(one, before))
    if (at >= 0) rows.splice(at, 1)
  }
  return rows.at(-1)
}

const codecOf = (table: KeyTable<RowEntry>, classes: Classes): EntryCodec<RowEntry> => ({
  classes,
  writeKey: (entry, writer) => writer.value(entry.key),
  writeValue: (entry, writer) => {
    writer.value(entry.changeKey)
    writer.value(entry.row)
  },
  readKey: (reader) => {
    const key = reader.value() as Key
    const hash = hashOfKey(key)
    return table.find(hash, key) ?? new RowEntry(key, hash, null)
  },
  readValue: (entry, reader) => {
    entry.changeKey = reader.value()
    entry.row = reader.value()
    if (table.find(entry.hash, entry.key) === undefined) table.add(entry)
  },
  forget: (entry) => table.remove(entry.hash, entry.key),
  writeHeader: () => {},
  readHeader: () => {}
})

const full = (step: string, rowsMax: number): StateLimitExceeded =>
  new StateLimitExceeded({
    step,
    keysMax: rowsMax,
    message: `Step '${step}' would give more than ${rowsMax} rows at each epoch`,
    hint: 'Use Flow.emit("onUpdate"), which gives only the rows that changed, or filter the rows before it.'
  })
