/**
 * A digest of bytes: the same bytes in the same order have the same one. It finds an epoch that was computed
 * otherwise than before; it is no proof against somebody who wants two to be equal.
 */

/** Takes bytes and whole numbers, in order. */
export interface Digest {
  readonly bytes: (bytes: Uint8Array) => void
  readonly number: (value: number) => void
  /** 16 hexadecimal digits of what was taken so far. */
  readonly result: () => string
}

export const make = (): Digest => {
  let low = 0x9e3779b9 | 0
  let high = 0x85ebca6b | 0
  const word = (value: number): void => {
    low = Math.imul(low ^ value, 0x9e3779b1)
    low = (low << 13) | (low >>> 19)
    high = Math.imul(high ^ value, 0x85ebca77) ^ low
    high = (high << 17) | (high >>> 15)
  }
  const number = (value: number): void => {
    word(value | 0)
    word(Math.floor(value / 0x1_0000_0000) | 0)
  }
  const bytes = (from: Uint8Array): void => {
    number(from.length)
    const whole = from.length & ~3
    let i = 0
    for (; i < whole; i += 4) word(from[i]! | (from[i + 1]! << 8) | (from[i + 2]! << 16) | (from[i + 3]! << 24))
    let last = 0
    for (let shift = 0; i < from.length; i++, shift += 8) last |= from[i]! << shift
    word(last)
  }
  const result = (): string => hex(mixed(low ^ high)) + hex(mixed(high))
  return { bytes, number, result }
}

const mixed = (value: number): number => {
  let mix = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35)
  return mix ^ (mix >>> 16)
}
const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0")
