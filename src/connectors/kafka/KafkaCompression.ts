/**
 * The records of a batch as their writer compressed them: what is read, what is written, and how much may come of it.
 *
 * What is packed says of itself how large it is, and may lie, so nothing is made that is larger than it may be.
 */
import * as KafkaGzip from "./KafkaGzip.ts"
import * as KafkaLz4 from "./KafkaLz4.ts"
import * as KafkaSnappy from "./KafkaSnappy.ts"
import * as KafkaZstd from "./KafkaZstd.ts"
import { Damaged } from "./Unpacked.ts"

/** How Weir writes records: as they are, small and slow (`gzip`), or less small and fast (`lz4`). */
export type Compression = "none" | "gzip" | "lz4"

/** The name of a method by its number in a batch; an unknown one is its number. */
export const nameOf = (method: number): string => names[method] ?? `method ${method}`

/**
 * The records that were packed by this method: at most `bytesMax` bytes. Throws `TooLarge` where there are more,
 * `Damaged` or another error where the bytes are not of the method.
 */
export const unpack = (method: number, bytes: Uint8Array, bytesMax: number): Uint8Array => {
  switch (method) {
    case 0:
      return bytes
    case 1:
      return KafkaGzip.unpack(bytes, bytesMax)
    case 2:
      return KafkaSnappy.unpack(bytes, bytesMax)
    case 3:
      return KafkaLz4.unpack(bytes, bytesMax)
    case 4:
      return KafkaZstd.unpack(bytes, bytesMax)
    default:
      throw new Damaged("it is none that Kafka 4 knows")
  }
}

/** The same records and the method's number; as they are and 0 where packing saves nothing. */
export const pack = (compression: Compression, bytes: Uint8Array): { readonly method: number; bytes: Uint8Array } => {
  if (compression === "none") return { method: 0, bytes }
  const packed = compression === "gzip" ? KafkaGzip.pack(bytes) : KafkaLz4.pack(bytes)
  return packed.length < bytes.length ? { method: names.indexOf(compression), bytes: packed } : { method: 0, bytes }
}

// Private

const names: ReadonlyArray<string> = ["none", "gzip", "snappy", "lz4", "zstd"]
