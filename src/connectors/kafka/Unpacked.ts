/** The bytes that come of packed ones: a buffer that grows as they come, up to a bound. */

/** More comes of the packed bytes than may. */
export class TooLarge extends Error {
  constructor() {
    super("more comes of it than may")
  }
}

/** The packed bytes are not of their method. */
export class Damaged extends Error {}

export interface Unpacked {
  /** Appends `bytes[start, end)`. */
  readonly append: (bytes: Uint8Array, start: number, end: number) => void
  /** Appends `count` bytes that begin `distance` before the end; those that it appends itself among them. */
  readonly repeat: (distance: number, count: number) => void
  readonly result: () => Uint8Array
}

/** Room for `bytes` at first, for `bytesMax` at most. Throws `TooLarge`, and `Damaged` for what begins before the first byte. */
export const make = (bytes: number, bytesMax: number): Unpacked => {
  let buffer = new Uint8Array(Math.min(bytes, bytesMax))
  let length = 0
  const room = (count: number): void => {
    const needed = length + count
    if (needed <= buffer.length) return
    if (needed > bytesMax) throw new TooLarge()
    const grown = new Uint8Array(Math.min(bytesMax, Math.max(needed, 2 * buffer.length)))
    grown.set(buffer.subarray(0, length))
    buffer = grown
  }
  return {
    append: (from, start, end) => {
      if (start > end || end > from.length) throw new Damaged("it is cut off")
      room(end - start)
      // Most pieces are shorter than a call is worth.
      if (end - start > 32) buffer.set(from.subarray(start, end), length)
      else for (let at = start, to = length; at < end; at++, to++) buffer[to] = from[at]!
      length += end - start
    },
    repeat: (distance, count) => {
      if (distance === 0 || distance > length) throw new Damaged("it refers to bytes that are not there")
      room(count)
      const from = length - distance
      if (distance >= count && count > 32) buffer.copyWithin(length, from, from + count)
      else for (let i = 0; i < count; i++) buffer[length + i] = buffer[from + i]!
      length += count
    },
    result: () => buffer.subarray(0, length)
  }
}
