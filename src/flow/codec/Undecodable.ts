/**
 * Why a record cannot be decoded. Thrown by a reader, and no `Error`: a stack for each broken record would cost more
 * than decoding it.
 */
export class Undecodable {
  readonly reason: string
  /** The byte where reading stopped, counted from the first of the buffer. */
  readonly position: number
  readonly path: ReadonlyArray<string | number>
  constructor(reason: string, position: number, path: ReadonlyArray<string | number> = []) {
    this.reason = reason
    this.position = position
    this.path = path
  }
  /** One sentence with the path: `price: expected a decimal of 12 digits, found "abc"`. */
  get message(): string {
    return this.path.length === 0 ? this.reason : `${formatPath(this.path)}: ${this.reason}`
  }
  /** The same, in a field or at an index of what is read. */
  within(step: string | number): Undecodable {
    return new Undecodable(this.reason, this.position, [step, ...this.path])
  }
  /** The same, of a record that was read from a buffer of its own. */
  movedBy(bytes: number): Undecodable {
    return new Undecodable(this.reason, this.position + bytes, this.path)
  }
}

const formatPath = (path: ReadonlyArray<string | number>): string =>
  path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`)).join("")
