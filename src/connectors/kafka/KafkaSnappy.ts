/**
 * Records packed by snappy: as one block, or in the frame of Java's library.
 *
 *     frame    "\x82SNAPPY\0" · version 4 · oldest version 4 · (length 4 · block) …
 *     block    length, of variable size · pieces: bytes as they are, or a distance and a count to repeat
 */
import { Damaged, make, TooLarge, type Unpacked } from "./Unpacked.ts"

/** Throws `TooLarge` where more than `bytesMax` bytes come of it, `Damaged` where it is no snappy. */
export const unpack = (bytes: Uint8Array, bytesMax: number): Uint8Array => {
  if (!magic.every((byte, i) => bytes[i] === byte)) {
    const unpacked = make(4 * bytes.length, bytesMax)
    unpackBlock(bytes, unpacked, bytesMax)
    return unpacked.result()
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const unpacked = make(4 * bytes.length, bytesMax)
  for (let at = headBytes; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new Damaged("it is cut off")
    const start = at + 4
    at = start + view.getUint32(at)
    if (at > bytes.length) throw new Damaged("it is cut off")
    unpackBlock(bytes.subarray(start, at), unpacked, bytesMax)
  }
  return unpacked.result()
}

// Private

const magic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
/** Bytes of the frame before its blocks. */
const headBytes = 16

const unpackBlock = (bytes: Uint8Array, unpacked: Unpacked, bytesMax: number): void => {
  let at = 0
  let length = 0
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++]
    if (byte === undefined || factor > 0x1000_0000) throw new Damaged("its length cannot be read")
    length += (byte & 127) * factor
    if (byte < 128) break
  }
  if (length > bytesMax) throw new TooLarge()
  let left = length
  while (at < bytes.length) {
    const tag = bytes[at++]!
    const kind = tag & 3
    let count = (tag >>> 2) + 1
    if (kind === 0) {
      if (count > 60) {
        const size = count - 60
        count = littleEndian(bytes, at, size) + 1
        at += size
      }
      unpacked.append(bytes, at, at + count)
      at += count
    } else {
      const size = kind === 1 ? 1 : kind === 2 ? 2 : 4
      const low = littleEndian(bytes, at, size)
      at += size
      if (kind === 1) count = ((tag >>> 2) & 7) + 4
      unpacked.repeat(kind === 1 ? ((tag >>> 5) << 8) | low : low, count)
    }
    left -= count
  }
  if (left !== 0) throw new Damaged("it has not the length that it says")
}

/** An unsigned number of `size` bytes; bytes that are not there count as zeros, and what follows is missing too. */
const littleEndian = (bytes: Uint8Array, at: number, size: number): number => {
  let value = 0
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}
