/**
 * Records of comma-separated values, one after the other, each with the line it begins at.
 *
 * Quoted cells may hold separators, line ends and doubled quotes. Lines end with LF, CRLF or CR; the last need not end.
 * A line without any character is no record. A cell without text is `null` unless it is quoted.
 */

export interface CsvRecord {
  /** From 1. */
  readonly line: number
  readonly cells: ReadonlyArray<string | null>
}

/** Why the text is no CSV. Thrown, and no `Error`: who reads a file says which. */
export class CsvRefused {
  readonly line: number
  readonly message: string
  constructor(line: number, message: string) {
    this.line = line
    this.message = message
  }
}

const quote = 34
const lineFeed = 10
const carriageReturn = 13

export class CsvReader {
  readonly #text: string
  readonly #separator: number
  #at = 0
  #line = 1

  /** `separator`: one character that is no quote and no line end. */
  constructor(text: string, separator: string) {
    this.#text = text
    this.#separator = separator.charCodeAt(0)
    if (separator.length !== 1 || [quote, lineFeed, carriageReturn].includes(this.#separator))
      throw new RangeError(`A separator of CSV is one character, not ${JSON.stringify(separator)}`)
  }

  /** The next record; `null` at the end. Throws `CsvRefused`. */
  next(): CsvRecord | null {
    while (this.#atLineEnd()) this.#passLineEnd()
    if (this.#at >= this.#text.length) return null
    const line = this.#line
    const cells = [this.#cell()]
    while (this.#text.charCodeAt(this.#at) === this.#separator) {
      this.#at++
      cells.push(this.#cell())
    }
    if (this.#at < this.#text.length) this.#passLineEnd()
    return { line, cells }
  }

  #atLineEnd(): boolean {
    const code = this.#text.charCodeAt(this.#at)
    return code === lineFeed || code === carriageReturn
  }

  #passLineEnd(): void {
    const code = this.#text.charCodeAt(this.#at++)
    if (code === carriageReturn && this.#text.charCodeAt(this.#at) === lineFeed) this.#at++
    this.#line++
  }

  /** Ends at a separator, at the end of a line, or at that of the text. */
  #cell(): string | null {
    if (this.#text.charCodeAt(this.#at) === quote) return this.#quoted()
    const start = this.#at
    while (this.#at < this.#text.length && !this.#atLineEnd() && this.#text.charCodeAt(this.#at) !== this.#separator)
      this.#at++
    return this.#at === start ? null : this.#text.slice(start, this.#at)
  }

  #quoted(): string {
    const text = this.#text
    const line = this.#line
    let cell = ""
    let start = ++this.#at
    for (; ; this.#at++) {
      if (this.#at >= text.length) throw new CsvRefused(line, "a quote is opened and never closed")
      const code = text.charCodeAt(this.#at)
      if (code === lineFeed || (code === carriageReturn && text.charCodeAt(this.#at + 1) !== lineFeed)) this.#line++
      if (code !== quote) continue
      cell += text.slice(start, this.#at)
      if (text.charCodeAt(this.#at + 1) !== quote) break
      start = ++this.#at
    }
    this.#at++
    const ends = this.#at >= text.length || this.#atLineEnd() || text.charCodeAt(this.#at) === this.#separator
    if (!ends) throw new CsvRefused(this.#line, `a closed quote is followed by ${JSON.stringify(text[this.#at])}`)
    return cell
  }
}
