/**
 * CRC-32 (IEEE 802.3) over bytes that begin and end at multiples of four, which frames do: sixteen bytes at a time.
 * Every machine that runs JavaScript engines is little-endian, and so are these tables.
 */

const tables = ((): Int32Array => {
  const made = new Int32Array(16 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
    made[byte] = rest
  }
  for (let i = 256; i < made.length; i++) made[i] = (made[i - 256]! >>> 8) ^ made[made[i - 256]! & 255]!
  return made
})()

/** Of `words[start, end)`, where `seed` makes equal bytes of different topics differ. */
export const crc32 = (words: Int32Array, start: number, end: number, seed: number): number => {
  const t = tables
  let crc = ~seed
  let i = start
  for (; i + 4 <= end; i += 4) {
    const a = crc ^ words[i]!
    const b = words[i + 1]!
    const c = words[i + 2]!
    const d = words[i + 3]!
    crc =
      t[3840 + (a & 255)]! ^
      t[3584 + ((a >>> 8) & 255)]! ^
      t[3328 + ((a >>> 16) & 255)]! ^
      t[3072 + (a >>> 24)]! ^
      t[2816 + (b & 255)]! ^
      t[2560 + ((b >>> 8) & 255)]! ^
      t[2304 + ((b >>> 16) & 255)]! ^
      t[2048 + (b >>> 24)]! ^
      t[1792 + (c & 255)]! ^
      t[1536 + ((c >>> 8) & 255)]! ^
      t[1280 + ((c >>> 16) & 255)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + (d & 255)]! ^
      t[512 + ((d >>> 8) & 255)]! ^
      t[256 + ((d >>> 16) & 255)]! ^
      t[d >>> 24]!
  }
  for (; i < end; i++) {
    const a = crc ^ words[i]!
    crc = t[768 + (a & 255)]! ^ t[512 + ((a >>> 8) & 255)]! ^ t[256 + ((a >>> 16) & 255)]! ^ t[a >>> 24]!
  }
  return ~crc
}
