/** What the bytes of a file are to a source: records for the steps that decode them. Pure. */
import type { RowField } from "../../flow/RowFields.ts"
import * as Limits from "../../model/Limits.ts"
import { CsvJson, named, inOrder as positional, textsOf } from "./CsvJson.ts"
import { CsvRecords } from "./CsvRecords.ts"
import { Lines } from "./FileRecords.ts"

/** Makes the rows of one file; `key` is to be the key of each. */
export type Format = (key: Uint8Array) => FileRows

/** The rows of a file, one after the other, as its bytes come. */
export interface FileRows {
  /** Takes the file's next bytes; `null`: there are no more. Called when nothing more is found in those before. */
  readonly push: (bytes: Uint8Array | null) => void
  /** Passes over at most so many rows, as far as they are here; answers how many. */
  readonly skip: (count: number) => number
  /** At most so many rows; `null`: none is here. */
  readonly take: (count: number) => TakenRows | null
}

/** Row i is `bytes[starts[i], ends[i])`; the key stands at the beginning of the bytes. */
export interface TakenRows {
  readonly bytes: Uint8Array
  readonly starts: ReadonlyArray<number>
  readonly ends: ReadonlyArray<number>
}

/** Each line is a row as it is. `blank`: those of nothing but blanks too. */
export const lines =
  ({ blank }: { readonly blank: boolean }): Format =>
  (key) => {
    const records = new Lines({ blank, head: key })
    const { found } = records
    return {
      push: records.push,
      skip: skipping(records.next),
      take: (count) => {
        const starts: Array<number> = []
        const ends: Array<number> = []
        while (starts.length < count && records.next()) {
          starts.push(found.start)
          ends.push(found.end)
        }
        return starts.length === 0 ? null : { bytes: records.bytes(), starts, ends }
      }
    }
  }

export interface CsvFormat {
  readonly separator: string
  readonly header: boolean
}

/** Each row of CSV is a row as JSON, by these fields. The header is none. */
export const csv =
  (fields: ReadonlyArray<RowField>, { header, separator }: CsvFormat): Format =>
  (key) => {
    const records = new CsvRecords(separator)
    const { found } = records
    let json = header ? null : new CsvJson(fields, positional(fields))
    const next = (): boolean => {
      if (!records.next()) return false
      if (json !== null) return true
      json = new CsvJson(fields, found.isRefused ? null : named(fields, textsOf(records.bytes(), found)))
      return records.next()
    }
    return {
      push: records.push,
      skip: skipping(next),
      take: (count) => {
        if (!next()) return null
        const starts: Array<number> = []
        const ends: Array<number> = []
        const out = json!
        out.begin(key)
        do {
          starts.push(out.size)
          out.write(records.bytes(), found)
          ends.push(out.size)
        } while (starts.length < count && out.size < Limits.batchBytesMax && next())
        return { bytes: out.bytes.subarray(0, out.size), starts, ends }
      }
    }
  }

// Private

const skipping =
  (next: () => boolean) =>
  (count: number): number => {
    let skipped = 0
    while (skipped < count && next()) skipped++
    return skipped
  }
