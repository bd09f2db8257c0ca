/** The order of values by what would be kept of them: tells apart what stands in one place, and finds what is the same. */
import { Classes } from "../state/Classes.ts"
import { Writer } from "../state/Encoding.ts"

export class ValueBytes {
  readonly #writer: Writer

  /** `prototypes`: of the classes that values may be instances of. */
  constructor(prototypes: ReadonlyArray<object>) {
    this.#writer = new Writer(1024, new Classes(prototypes))
  }

  /** 0 exactly for values that are kept alike. Throws `TypeError` for a value that cannot be kept. */
  compare(left: unknown, right: unknown): number {
    if (left === right) return 0
    const [one, other] = [this.#bytesOf(left), this.#bytesOf(right)]
    const length = Math.min(one.length, other.length)
    for (let i = 0; i < length; i++) if (one[i] !== other[i]) return one[i]! - other[i]!
    return one.length - other.length
  }

  #bytesOf(value: unknown): Uint8Array {
    this.#writer.clear()
    this.#writer.value(value)
    return this.#writer.copy()
  }
}
