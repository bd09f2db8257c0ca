/** The rows of one version of a lookup, found by key. */
import { compare, type Key } from "../model/Key.ts"
import { type Keyed, KeyReader, KeyTable } from "./KeyTable.ts"

/** What a step finds rows in: the versions that are loaded. */
export interface LookupTables {
  /** In force for the first events. */
  readonly first: (lookup: string) => LookupTable
  readonly of: (lookup: string, version: string) => LookupTable
}

/** A row with its key. */
export interface LookupRow extends Keyed {
  readonly row: unknown
  /** Which of the loaded rows it is. */
  readonly index: number
}

/** Reads the key's columns of a row, or of what a step's `key` gives, by their names. */
export const readerOf = (key: ReadonlyArray<string>): KeyReader =>
  new KeyReader(key.map((name) => ({ name, of: (row: never) => row[name] })))

export class LookupTable {
  readonly version: string
  readonly #rows = new KeyTable<LookupRow>()
  readonly #reader: KeyReader

  constructor(version: string, key: ReadonlyArray<string>) {
    this.version = version
    this.#reader = readerOf(key)
  }

  get size(): number {
    return this.#rows.size
  }

  /** Adds a row unless one of its key is there; answers that one, or `null`. Throws `TypeError` for what is no key. */
  add(row: unknown, index: number): LookupRow | null {
    const hash = this.#reader.read(row as never)
    const found = this.#rows.find(hash, this.#reader.columns)
    if (found !== undefined) return found
    this.#rows.add({ key: [...this.#reader.columns], hash, row, index })
    return null
  }

  /** Puts a row in the place of one of the same key. */
  replace(old: LookupRow, row: unknown, index: number): void {
    this.#rows.remove(old.hash, old.key)
    this.#rows.add({ ...old, row, index })
  }

  find(hash: number, key: Key): unknown {
    return this.#rows.find(hash, key)?.row
  }

  /** All rows in the order of their keys. */
  sorted(): ReadonlyArray<LookupRow> {
    return [...this.#rows.all()].sort((left, right) => compare(left.key, right.key))
  }
}
