/** What a step keeps for one row of results: its key, a state for each aggregate, and the row as last emitted. */
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import type { Reader, Writer } from "../state/Encoding.ts"
import { Entry } from "../state/StateStore.ts"

/** A row of results: key columns, of windows their bounds, one column for each aggregate. */
export type Row = Readonly<Record<string, unknown>>

export class AggregateEntry extends Entry {
  readonly key: Key
  readonly hash: number
  /** One for each aggregate. */
  states: Array<unknown>
  /** Is the row that was last emitted still right? */
  emitted = false
  /** The row as last emitted, once it is no longer right. */
  before: Row | null = null

  constructor(key: Key, hash: number, states: Array<unknown>) {
    super(Keys.keyGroupOf(key))
    this.key = key
    this.hash = hash
    this.states = states
  }
}

export const writeStates = (entry: AggregateEntry, writer: Writer): void => {
  writer.varint(entry.states.length)
  for (let i = 0; i < entry.states.length; i++) writer.value(entry.states[i])
}

export const readStates = (entry: AggregateEntry, reader: Reader): void => {
  entry.states = []
  for (let count = reader.varint(); count > 0; count--) entry.states.push(reader.value())
}

export const writeKey = (key: Key, writer: Writer): void => {
  for (let i = 0; i < key.length; i++) writer.value(key[i])
}

/** Reads a key of so many columns. */
export const readKey = (columns: number, reader: Reader): Key =>
  Array.from({ length: columns }, () => reader.value()) as Key
