/**
 * Records packed by LZ4, in its frame.
 *
 *     frame    magic 4 · flags 1 · size of blocks 1 · [length 8] · [dictionary 4] · check 1 · blocks · 0 4 · [checksum 4]
 *     block    length 4, the highest bit: as it is · sequences · [checksum 4]
 *     sequence lengths 1 · bytes as they are · distance 2 · [more length]
 */
import { Damaged, make, type Unpacked } from "./Unpacked.ts"

/** Throws `TooLarge` where more than `bytesMax` bytes come of it, `Damaged` where it is no LZ4. */
export const unpack = (bytes: Uint8Array, bytesMax: number): Uint8Array => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < head.length || view.getUint32(0, true) !== 0x184d_2204) throw new Damaged("it begins otherwise")
  const flags = bytes[4]!
  if (flags >>> 6 !== 1) throw new Damaged("its version is unknown")
  if ((flags & hasDictionary) !== 0) throw new Damaged("it needs a dictionary")
  const unpacked = make(4 * bytes.length, bytesMax)
  let at = (flags & hasLength) === 0 ? 7 : 15
  while (true) {
    if (at + 4 > bytes.length) throw new Damaged("it is cut off")
    const said = view.getUint32(at, true)
    if (said === 0) return unpacked.result()
    const start = at + 4
    const end = start + (said & 0x7fff_ffff)
    if (end > bytes.length) throw new Damaged("it is cut off")
    if (said >= 0x8000_0000) unpacked.append(bytes, start, end)
    else unpackBlock(bytes, start, end, unpacked)
    at = (flags & hasBlockChecksums) === 0 ? end : end + 4
  }
}

/** Packed in blocks that need none before them, without checksums: a batch has one of its own. */
export const pack = (bytes: Uint8Array): Uint8Array => {
  const blocks = Math.ceil(bytes.length / blockBytes)
  const packed = new Uint8Array(head.length + 4 + bytes.length + blocks * 4)
  const view = new DataView(packed.buffer)
  packed.set(head)
  let at = head.length
  const places = new Int32Array(1 << hashBits)
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const block = bytes.subarray(start, start + blockBytes)
    const length = packBlock(block, packed.subarray(at + 4, at + 4 + block.length), places.fill(-1))
    if (length === null) packed.set(block, at + 4)
    view.setUint32(at, length ?? block.length + 0x8000_0000, true)
    at += 4 + (length ?? block.length)
  }
  return packed.subarray(0, at + 4)
}

// Private

const hasDictionary = 1
const hasLength = 8
const hasBlockChecksums = 16

/** The magic number, version 1 with blocks on their own, blocks of 64 KiB, and the check of these two. */
const head = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82)
const blockBytes = 65_536
/** The shortest piece that is worth a reference. */
const matchMin = 4
/** A block ends with so many bytes as they are, and no reference begins in the last so many. */
const endBytes = 5
const lastMatchBytes = 12
const hashBits = 13

const unpackBlock = (bytes: Uint8Array, start: number, end: number, unpacked: Unpacked): void => {
  let at = start
  const more = (length: number): number => {
    let sum = length
    for (let byte = 255; byte === 255; sum += byte) {
      if (at >= end) throw new Damaged("it is cut off")
      byte = bytes[at++]!
    }
    return sum
  }
  while (at < end) {
    const token = bytes[at++]!
    const literals = token >>> 4 === 15 ? more(15) : token >>> 4
    if (at + literals > end) throw new Damaged("it is cut off")
    unpacked.append(bytes, at, at + literals)
    at += literals
    if (at === end) return
    if (at + 2 > end) throw new Damaged("it is cut off")
    const distance = bytes[at]! | (bytes[at + 1]! << 8)
    at += 2
    const count = (token & 15) === 15 ? more(15) : token & 15
    unpacked.repeat(distance, count + matchMin)
  }
}

/**
 * Packs one block into `packed`: the last place of each four bytes is looked up, and where nothing is found for long
 * steps grow. Answers how many bytes it takes; `null`: not fewer than before.
 */
const packBlock = (block: Uint8Array, packed: Uint8Array, places: Int32Array): number | null => {
  const limit = block.length - lastMatchBytes
  let to = 0
  let from = 0
  const writeMore = (length: number): void => {
    let rest = length - 15
    for (; rest >= 255; rest -= 255) packed[to++] = 255
    packed[to++] = rest
  }
  const writeSequence = (end: number, match: number): void => {
    const literals = end - from
    packed[to++] = (Math.min(literals, 15) << 4) | Math.min(Math.max(0, match - matchMin), 15)
    if (literals >= 15) writeMore(literals)
    packed.set(block.subarray(from, end), to)
    to += literals
  }
  for (let at = 0, tries = 0; at <= limit; ) {
    const four = block[at]! | (block[at + 1]! << 8) | (block[at + 2]! << 16) | (block[at + 3]! << 24)
    const hash = Math.imul(four, 0x9e37_79b1) >>> (32 - hashBits)
    const place = places[hash]!
    places[hash] = at
    if (place < 0 || !isSame(block, place, at)) {
      at += 1 + (tries++ >>> 6)
      continue
    }
    let end = at + matchMin
    const endMax = block.length - endBytes
    for (let other = place + matchMin; end < endMax && block[end] === block[other]; other++) end++
    const distance = at - place
    // Room for the lengths, the bytes as they are, the distance, and the end.
    if (to + (at - from) + (end - from) / 255 + 8 > packed.length) return null
    writeSequence(at, end - at)
    packed[to++] = distance & 255
    packed[to++] = distance >>> 8
    if (end - at - matchMin >= 15) writeMore(end - at - matchMin)
    at = end
    from = end
    tries = 0
  }
  const rest = block.length - from
  if (to + rest + rest / 255 + 2 > packed.length) return null
  writeSequence(block.length, 0)
  return to
}

const isSame = (block: Uint8Array, a: number, b: number): boolean =>
  block[a] === block[b] &&
  block[a + 1] === block[b + 1] &&
  block[a + 2] === block[b + 2] &&
  block[a + 3] === block[b + 3]
