/** Which partition a key belongs to, as Kafka's producers decide it: murmur2 of the key's bytes, modulo. */

/** The partition of a key among `partitions` of them. */
export const partitionOf = (key: Uint8Array, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions

/** Kafka's murmur2 (seed 0x9747b28c), a signed whole number of 32 bits. */
export const murmur2 = (bytes: Uint8Array): number => {
  const length = bytes.length
  let hash = 0x9747b28c ^ length
  const wholeWords = length & ~3
  for (let i = 0; i < wholeWords; i += 4) {
    let word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    word = Math.imul(word, multiplier)
    word ^= word >>> 24
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier)
  }
  const rest = length - wholeWords
  if (rest === 3) hash ^= bytes[wholeWords + 2]! << 16
  if (rest >= 2) hash ^= bytes[wholeWords + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ bytes[wholeWords]!, multiplier)
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}

const multiplier = 0x5bd1e995
