/** What all steps with aggregates do with their entries, whatever these stand for: touch, add, take back, show. */
import type { Aggregate, Place } from "../flow/Aggregate.ts"
import type { Migration } from "../flow/Migration.ts"
import { StateLimitExceeded } from "../model/Errors.ts"
import type { Change } from "../model/Event.ts"
import type { Key } from "../model/Key.ts"
import * as Limits from "../model/Limits.ts"
import * as Values from "../model/Values.ts"
import type { StateStore } from "../state/StateStore.ts"
import type { AggregateEntry, Row } from "./AggregateEntry.ts"
import * as AggregateMigration from "./AggregateMigration.ts"
import type { KeyReader } from "./KeyTable.ts"
import type { Migrating } from "./Operator.ts"

export type AnyAggregate = Aggregate<never, any, unknown>

export interface AggregateStateOptions {
  readonly step: string
  readonly keys: KeyReader
  /** Names of the columns before the results: those of the key, then those that the step fills itself. */
  readonly columns: ReadonlyArray<string>
  readonly aggregates: Readonly<Record<string, AnyAggregate>>
  /** Is the row that an entry replaces said with it? */
  readonly keepsBefore: boolean
  readonly keysMax: number
  /** What to say of the bound, and of how to stay below it. */
  readonly bound: { readonly over: string; readonly hint: string }
}

export abstract class AggregateState<E extends AggregateEntry> {
  abstract readonly store: StateStore<E>
  readonly keys: KeyReader
  /** Where the event that is being added stands. */
  readonly place: { -readonly [P in keyof Place]: Place[P] } = {
    eventTime: 0,
    origin: "",
    partition: 0,
    offset: 0,
    row: 0
  }
  readonly #options: AggregateStateOptions
  readonly #keepsBefore: boolean
  readonly #names: ReadonlyArray<string>
  readonly #aggregates: ReadonlyArray<AnyAggregate>
  readonly #template: Row

  constructor(options: AggregateStateOptions) {
    this.keys = options.keys
    this.#options = options
    this.#keepsBefore = options.keepsBefore
    this.#names = [...options.columns, ...Object.keys(options.aggregates)]
    this.#aggregates = Object.values(options.aggregates)
    this.#template = Object.fromEntries(this.#names.map((name) => [name, null]))
  }

  /** States of a group without events. */
  empty(): Array<unknown> {
    const states = new Array<unknown>(this.#aggregates.length)
    for (let i = 0; i < states.length; i++) states[i] = this.#aggregates[i]!.empty()
    return states
  }

  /** Puts an entry in the store that the index does not hold; throws `StateLimitExceeded` if that is full. */
  keep(entry: E): void {
    if (this.store.recall(entry)) return
    this.store.add(entry)
    if (this.store.size > this.#options.keysMax) throw this.#full()
  }

  /** Restores what an older code kept; `null`: the migrations do not lead from there to here. */
  migrate(was: string, is: string, migrations: ReadonlyArray<Migration>): Migrating | null {
    const { aggregates } = this.#options
    const found = AggregateMigration.between(was, is, { aggregates, migrations })
    if (found === null) return null
    return {
      says: found.says,
      restore: (parts) =>
        this.store.restore(parts, (entry) => {
          // A closed window has no states any more.
          if (entry.states.length > 0) entry.states = found.map(entry.states)
        })
    }
  }

  /** To be called before an entry is changed: keeps the row that was emitted. */
  touch(entry: E): void {
    if (entry.emitted) {
      if (this.#keepsBefore) entry.before = this.rowOf(entry)
      entry.emitted = false
    }
    if (!entry.changed) this.store.change(entry)
  }

  /** Adds an event to an entry. `place` says where it stands. */
  add(entry: E, event: never): void {
    this.touch(entry)
    const states = entry.states
    const aggregates = this.#aggregates
    for (let i = 0; i < aggregates.length; i++) states[i] = aggregates[i]!.add(states[i], event, this.place)
  }

  /** Takes a row back from an entry. */
  take(entry: E, row: never): void {
    this.touch(entry)
    const states = entry.states
    const aggregates = this.#aggregates
    for (let i = 0; i < aggregates.length; i++) states[i] = aggregates[i]!.remove!(states[i], row)
  }

  /** Joins the states of `entry` into those of `target`; `entry` has none of its own afterwards. */
  merge(target: E, entry: E): void {
    for (let i = 0; i < this.#aggregates.length; i++)
      target.states[i] = this.#aggregates[i]!.merge(target.states[i], entry.states[i])
  }

  /** The row of an entry as it is now: key columns and results. */
  rowOf(entry: E): Row {
    return this.shown(entry)
  }

  /** A row that its maker may still fill. */
  shown(entry: E): Record<string, unknown> {
    const names = this.#names
    const row: Record<string, unknown> = { ...this.#template }
    for (let i = 0; i < entry.key.length; i++) row[names[i]!] = entry.key[i]
    const first = names.length - this.#aggregates.length
    for (let i = 0; i < this.#aggregates.length; i++)
      row[names[first + i]!] = this.#aggregates[i]!.result(entry.states[i])
    return row
  }

  /** What has changed of an entry since its row was emitted; `null`: nothing that a reader would see. */
  changeOf(entry: E, key: Key): Change | null {
    const { before } = entry
    if (entry.slot < 0) return before === null ? null : { key, before }
    const after = this.rowOf(entry)
    if (before === null) return { key, after }
    return this.#differ(before, after) ? { key, before, after } : null
  }

  /** The entries that have changed since they were last emitted, and are still there. */
  changed(): Array<E> {
    const changed: Array<E> = []
    for (let keyGroup = 0; keyGroup < Limits.keyGroups; keyGroup++) {
      for (const entry of this.store.changedOf(keyGroup)) if (entry.slot >= 0 && !entry.emitted) changed.push(entry)
    }
    return changed
  }

  #differ(before: Row, after: Row): boolean {
    // Results come last, and it is they that differ.
    for (let i = this.#names.length - 1; i >= 0; i--) {
      const name = this.#names[i]!
      if (Values.compare(before[name], after[name]) !== 0) return true
    }
    return false
  }

  #full(): StateLimitExceeded {
    const { bound, keysMax, step } = this.#options
    return new StateLimitExceeded({
      step,
      keysMax,
      message: `Step '${step}' would keep more than ${keysMax} keys${bound.over}`,
      hint: bound.hint
    })
  }
}
