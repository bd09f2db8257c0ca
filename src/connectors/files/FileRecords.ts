/**
 * Cuts the bytes of a file, as they come, into its records: lines, or rows of CSV. Pure: the same bytes give the same
 * records, however they were parted.
 */
import * as Limits from "../../model/Limits.ts"

/** Bytes of UTF-8 that are looked at, and the record in them that was found last. */
export interface FileRecords {
  /** Takes the file's next bytes; `null`: there are no more. Called when `next` has answered `false`. */
  readonly push: (bytes: Uint8Array | null) => void
  /** Finds the next record that is here as a whole. `false`: none is, before more bytes come. */
  readonly next: () => boolean
  /** Where `found` says that it stands. Another array after each `push`: what was found before stays as it is. */
  readonly bytes: () => Uint8Array
}

/** Where a line stands: `bytes[start, end)`, without its end. */
export interface Line {
  start: number
  end: number
}

const lineFeed = 10
const carriageReturn = 13

/** Bytes that wait to be looked at, behind a head that is the same for ever. */
export class Waiting {
  readonly #head: Uint8Array
  bytes: Uint8Array
  /** The first byte that is not looked at. */
  at: number
  /** Do no more bytes come? */
  isLast = false

  constructor(head: Uint8Array) {
    this.#head = head
    this.bytes = head
    this.at = head.length
  }

  /** Keeps what is not looked at from `at` on, and puts more behind it. */
  push(more: Uint8Array | null): void {
    if (more === null) {
      this.isLast = true
      return
    }
    const head = this.#head.length
    const bytes = new Uint8Array(head + this.bytes.length - this.at + more.length)
    bytes.set(this.#head)
    bytes.set(this.bytes.subarray(this.at), head)
    bytes.set(more, bytes.length - more.length)
    this.bytes = bytes
    this.at = head
  }
}

/**
 * Lines that end with LF or CRLF; the last one need not end. One of more than `Limits.fileRecordBytesMax` bytes is cut.
 *
 * `head` stands before the lines in each array of bytes. `blank`: is a line of nothing but blanks a record?
 */
export class Lines implements FileRecords {
  readonly #waiting: Waiting
  readonly #blank: boolean
  /** Of an unfinished line: bytes from its start on in which there is no LF. */
  #searched = 0
  /** Is the rest of a line that was cut still to come? */
  #isCut = false
  readonly found: Line = { start: 0, end: 0 }

  constructor({ blank, head }: { readonly blank: boolean; readonly head: Uint8Array }) {
    this.#waiting = new Waiting(head)
    this.#blank = blank
  }

  bytes = (): Uint8Array => this.#waiting.bytes

  push = (bytes: Uint8Array | null): void => this.#waiting.push(bytes)

  next = (): boolean => {
    const waiting = this.#waiting
    while (true) {
      const { at, bytes } = waiting
      const feed = bytes.indexOf(lineFeed, at + this.#searched)
      if (feed < 0 && !waiting.isLast) return this.#cut()
      if (at === bytes.length) return false
      const end = feed < 0 ? bytes.length : feed
      waiting.at = feed < 0 ? end : end + 1
      this.#searched = 0
      if (this.#isCut) {
        this.#isCut = false
        continue
      }
      this.found.start = at
      this.found.end = Math.min(end > at && bytes[end - 1] === carriageReturn ? end - 1 : end, at + longest)
      if (this.#blank || !this.#isBlank()) return true
    }
  }

  /** A line that has not ended: as much of it as a record may have, once, if more than that is there. */
  #cut(): boolean {
    const waiting = this.#waiting
    const { at, bytes } = waiting
    if (!this.#isCut && bytes.length - at <= longest + 1) {
      this.#searched = bytes.length - at
      return false
    }
    waiting.at = bytes.length
    this.#searched = 0
    if (this.#isCut) return false
    this.#isCut = true
    this.found.start = at
    this.found.end = at + longest
    return this.#blank || !this.#isBlank()
  }

  #isBlank(): boolean {
    const { bytes } = this.#waiting
    for (let i = this.found.start; i < this.found.end; i++) if (bytes[i]! > 32) return false
    return true
  }
}

const longest = Limits.fileRecordBytesMax
