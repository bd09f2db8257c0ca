/**
 * Cuts the bytes of a CSV file, as they come, into its rows: see `Csv.ts` for what separates them.
 *
 * Damage stays small. A row with text behind a closed quote is refused as a whole. A quote that is not closed before the
 * file ends, or within `Limits.fileRecordBytesMax`, makes one refused row of its first line, and reading goes on behind
 * that line.
 */
import * as Limits from "../../model/Limits.ts"
import { type FileRecords, Waiting } from "./FileRecords.ts"

/** A row of CSV: its cells stand in `bytes`, without the quotes around them. */
export interface Row {
  start: number
  end: number
  count: number
  /** Cell i is `bytes[starts[i], ends[i])`. */
  starts: Int32Array
  ends: Int32Array
  /** How it is written: bare, in quotes, or in quotes with doubled ones in it. */
  quoting: Uint8Array
  /** Is it no row? Then there are no cells. */
  isRefused: boolean
}

export const bare = 0
export const quoted = 1
export const doubled = 2

const quote = 34
const lineFeed = 10
const carriageReturn = 13

export class CsvRecords implements FileRecords {
  readonly #waiting: Waiting
  readonly #separator: number
  /** Is the rest of a line that was cut still to come? */
  #isCut = false
  readonly found: Row = {
    start: 0,
    end: 0,
    count: 0,
    starts: new Int32Array(64),
    ends: new Int32Array(64),
    quoting: new Uint8Array(64),
    isRefused: false
  }

  /** `separator`: one character of ASCII that is no quote and no line end. */
  constructor(separator: string) {
    this.#waiting = new Waiting(new Uint8Array(0))
    this.#separator = separator.charCodeAt(0)
    if (!isSeparator(separator))
      throw new RangeError(`A separator of CSV is one character of ASCII, not ${JSON.stringify(separator)}`)
  }

  bytes = (): Uint8Array => this.#waiting.bytes

  push = (bytes: Uint8Array | null): void => this.#waiting.push(bytes)

  next = (): boolean => {
    const waiting = this.#waiting
    const { bytes } = waiting
    if (this.#isCut) {
      waiting.at = this.#lineEnd(waiting.at, bytes.length)
      this.#isCut = waiting.at === bytes.length
    }
    let { at } = waiting
    while (at < bytes.length && isLineEnd(bytes[at]!)) at++
    waiting.at = at
    if (at === bytes.length) return false
    const limit = Math.min(bytes.length, at + longest + 1)
    const end = this.#row(at, limit)
    const isOpen = end < 0 || end === limit
    if (isOpen && limit === bytes.length && limit <= at + longest && !waiting.isLast) return false
    if (end < 0 || end > at + longest) this.#refuse(at, limit)
    else this.#place(at, end)
    return true
  }

  /** Finds the cells of the row at `start`: answers where it ends, `limit` at most; -1: a quote is not closed before that. */
  #row(start: number, limit: number): number {
    const { bytes } = this.#waiting
    const separator = this.#separator
    this.found.count = 0
    this.found.isRefused = false
    for (let i = start; ; i++) {
      const from = i
      if (i < limit && bytes[i] === quote) {
        const closing = this.#quoted(i + 1, limit)
        if (closing < 0) return -1
        i = closing + 1
      } else this.#add(i, i, bare)
      const behind = i
      while (i < limit && bytes[i] !== separator && !isLineEnd(bytes[i]!)) i++
      if (behind === from) this.found.ends[this.found.count - 1] = i
      else if (i > behind) this.found.isRefused = true
      if (i === limit || bytes[i] !== separator) return i
    }
  }

  /** Adds the cell whose text begins at `start`, behind its quote: answers where the closing one stands; -1: nowhere. */
  #quoted(start: number, limit: number): number {
    const { bytes } = this.#waiting
    let quoting = quoted
    for (let i = start; i < limit; i++) {
      if (bytes[i] !== quote) continue
      if (i + 1 === limit || bytes[i + 1] !== quote) {
        this.#add(start, i, quoting)
        return i
      }
      quoting = doubled
      i++
    }
    return -1
  }

  #add(start: number, end: number, quoting: number): void {
    const { found } = this
    if (found.count === found.starts.length) this.#grow()
    found.starts[found.count] = start
    found.ends[found.count] = end
    found.quoting[found.count++] = quoting
  }

  #grow(): void {
    const { count, ends, quoting, starts } = this.found
    this.found.starts = new Int32Array(2 * count)
    this.found.ends = new Int32Array(2 * count)
    this.found.quoting = new Uint8Array(2 * count)
    this.found.starts.set(starts)
    this.found.ends.set(ends)
    this.found.quoting.set(quoting)
  }

  #place(start: number, end: number): void {
    this.found.start = start
    this.found.end = end
    this.#waiting.at = end
  }

  /** Makes the first line a refused row, cut where it is too long: what is left of it is passed over. */
  #refuse(start: number, limit: number): void {
    const end = this.#lineEnd(start, limit)
    this.found.count = 0
    this.found.isRefused = true
    this.#place(start, Math.min(end, start + longest))
    this.#isCut = end > start + longest
  }

  #lineEnd(from: number, limit: number): number {
    const { bytes } = this.#waiting
    let i = from
    while (i < limit && !isLineEnd(bytes[i]!)) i++
    return i
  }
}

const longest = Limits.fileRecordBytesMax

const isLineEnd = (byte: number): boolean => byte === lineFeed || byte === carriageReturn

const isSeparator = (text: string): boolean => text.length === 1 && /[^"\r\n\u0080-\uffff]/.test(text)
