/**
 * Whole events as bytes, for steps that keep events as they came.
 *
 * Plain values are kept as they are. An instance of a `Schema.Class` that a `decode` above the step gives is kept as
 * its fields and comes back as an instance; any other class is refused when the event comes, not when it is kept, so
 * that it does not depend on the cuts of epochs whether a job runs.
 */
import type { Reader, Writer } from "../state/Encoding.ts"
import { unreadable } from "../state/Encoding.ts"

export class EventCodec {
  readonly #prototypes: ReadonlyArray<object>

  /** `prototypes`: of the classes whose instances may come, always in the same order. */
  constructor(prototypes: ReadonlyArray<object> = []) {
    this.#prototypes = prototypes
  }

  /** Throws `TypeError` for an event of a class that cannot be made again. */
  check(event: unknown): void {
    if (typeof event === "object" && event !== null) this.#classOf(event)
  }

  write(event: unknown, writer: Writer): void {
    const classIndex = typeof event === "object" && event !== null ? this.#classOf(event) : 0
    writer.varint(classIndex)
    writer.value(classIndex === 0 ? event : { ...(event as object) })
  }

  read(reader: Reader): unknown {
    const classIndex = reader.varint()
    const value = reader.value()
    if (classIndex === 0) return value
    const prototype = this.#prototypes[classIndex - 1]
    if (prototype === undefined || typeof value !== "object")
      throw unreadable("an event is of no class of this job", reader.position)
    return Object.assign(Object.create(prototype), value)
  }

  /** 0: plain; else the index of its prototype, from 1. */
  #classOf(event: object): number {
    const prototype = Object.getPrototypeOf(event)
    if (prototype === Object.prototype || prototype === null) return 0
    const known = this.#prototypes.indexOf(prototype) + 1
    if (known > 0 || Array.isArray(event) || event instanceof Uint8Array || event instanceof Map) return known
    throw new TypeError(
      `a ${event.constructor?.name ?? "class"} cannot be kept: make it a plain object with Flow.map before this step`
    )
  }
}
