/**
 * CRC-32 (IEEE, reflected), by which what is read is compared with what was written. It finds every change of up to
 * 32 adjacent bits; it is no defence against a person who means to deceive.
 */

const slices = 8
const tables = makeTables()

/** The checksum of `bytes[start, end)`, as an integer below 2^32. */
export const checksum = (bytes: Uint8Array, start = 0, end = bytes.length): number => {
  let crc = -1
  let at = start
  for (const last = end - slices; at <= last; at += slices) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    crc =
      tables[1792 + (low & 255)]! ^
      tables[1536 + ((low >>> 8) & 255)]! ^
      tables[1280 + ((low >>> 16) & 255)]! ^
      tables[1024 + (low >>> 24)]! ^
      tables[768 + bytes[at + 4]!]! ^
      tables[512 + bytes[at + 5]!]! ^
      tables[256 + bytes[at + 6]!]! ^
      tables[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 255]!
  return ~crc >>> 0
}

/** Table k advances a byte by k further bytes, so that eight bytes are taken at once. */
function makeTables(): Int32Array {
  const made = new Int32Array(slices * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
    made[byte] = crc
  }
  for (let at = 256; at < made.length; at++) made[at] = (made[at - 256]! >>> 8) ^ made[made[at - 256]! & 255]!
  return made
}
