/**
 * Batches of records as Kafka keeps them (format 2, since Kafka 0.11): read in columns over the buffer that came, and
 * written in one pass.
 *
 *     base offset 8 · length 4 · leader epoch 4 · magic 1 · crc 4 · attributes 2 · last offset delta 4 ·
 *     first and last timestamp 8 + 8 · producer id 8 · producer epoch 2 · sequence 4 · count 4 · records
 *
 * What is no record for a reader is passed over here, and counted in `nextOffset`: markers of transactions, records of
 * aborted ones, batches that compaction has emptied. So a cut is reached behind them as behind any record.
 */
import type { RecordMark } from "../../flow/Source.ts"
import type { ProducedRecord } from "../../flow/Topics.ts"
import * as Digest from "../../model/Digest.ts"
import type { Header, Offset, RecordBatch } from "../../model/Event.ts"
import { int64At } from "./KafkaBytes.ts"
import { crc32c } from "./KafkaChecksum.ts"
import * as KafkaCompression from "./KafkaCompression.ts"

/** Bytes before the records of a batch. */
const headBytes = 61

/** A batch in a buffer. */
export interface StoredBatch {
  readonly base: Offset
  /** The offset after its last record, whether that is still there or not. */
  readonly nextOffset: Offset
  readonly producerId: number
  readonly isTransactional: boolean
  /** Does it end a transaction? */
  readonly isControl: boolean
  readonly count: number
  readonly firstTimestamp: number
  /** Of all its records, where the broker stamps them; `null`: each has its own. */
  readonly appendTime: number | null
  readonly attributes: number
  /** Its records are `bytes[start, end)`, packed as `attributes` says. */
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** Records in columns; a header list begins behind each value. */
export interface Records extends RecordBatch {
  readonly headerStarts: Int32Array
  /** How the last record before `nextOffset` is recognised; `null` where compaction has removed it. */
  readonly mark: RecordMark | null
}

/** The compression of a batch by its attributes; 0: none. */
export const compressionOf = (attributes: number): number => attributes & 7

/** The whole batches of a buffer. A last one may be cut off: it is not read. */
export const batchesOf = (buffer: Uint8Array): ReadonlyArray<StoredBatch> => {
  const view = viewOf(buffer)
  const batches: Array<StoredBatch> = []
  for (let at = 0; at + headBytes <= buffer.length; ) {
    const end = at + 12 + view.getInt32(at + 8)
    if (end > buffer.length) break
    if (view.getInt8(at + 16) !== 2) throw new Malformed("its records are in a format of before Kafka 0.11")
    const attributes = view.getInt16(at + 21)
    const base = int64At(view, at)
    batches.push({
      base,
      nextOffset: base + view.getInt32(at + 23) + 1,
      producerId: int64At(view, at + 43),
      isTransactional: (attributes & 16) !== 0,
      isControl: (attributes & 32) !== 0,
      count: view.getInt32(at + 57),
      firstTimestamp: int64At(view, at + 27),
      appendTime: (attributes & 8) === 0 ? null : int64At(view, at + 35),
      attributes,
      bytes: buffer,
      start: at + headBytes,
      end
    })
    at = end
  }
  return batches
}

/** What cannot be read as batches of records. */
export class Malformed extends Error {}

/** Where a transaction that was aborted begins. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: Offset
}

/** Of batches in order: which of them a reader of committed records is shown. */
export const shown = (
  batches: ReadonlyArray<StoredBatch>,
  aborted: ReadonlyArray<AbortedTransaction>
): ((batch: StoredBatch) => boolean) => {
  const hidden = new Set<StoredBatch>()
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const open = new Set<number>()
  for (const batch of batches) {
    while (waiting.length > 0 && waiting[0]!.firstOffset < batch.nextOffset) open.add(waiting.shift()!.producerId)
    if (batch.isControl) open.delete(batch.producerId)
    if (batch.isControl || (batch.isTransactional && open.has(batch.producerId))) hidden.add(batch)
  }
  return (batch) => !hidden.has(batch)
}

/**
 * Batches that lie in one buffer, uncompressed, as columns: those records that are shown, from `offset` on.
 * `nextOffset` is behind the last of the batches.
 */
export const columnsOf = (
  partition: number,
  batches: ReadonlyArray<StoredBatch>,
  isShown: (batch: StoredBatch) => boolean,
  offset: Offset
): Records => {
  const room = batches.reduce((sum, batch) => sum + (isShown(batch) ? batch.count : 0), 0)
  const columns = emptyColumns(room)
  let count = 0
  for (const batch of batches) if (isShown(batch)) count = fill(columns, count, batch, offset)
  const last = batches[batches.length - 1]!
  return {
    ...(count === room ? columns : slice(columns, 0, count)),
    partition,
    count,
    bytes: last.bytes,
    nextOffset: last.nextOffset,
    mark: markOf(last, last.nextOffset)
  }
}

/** The records from index `from` on whose offsets are below `limit`: views. `nextOffset` is at most `limit`. */
export const part = (records: Records, from: number, limit: Offset): Records => {
  let to = from
  if (records.nextOffset <= limit) to = records.count
  else while (to < records.count && records.offsets[to]! < limit) to++
  const nextOffset = Math.min(records.nextOffset, limit)
  if (from === 0 && to === records.count && nextOffset === records.nextOffset) return records
  return {
    ...slice(records, from, to),
    partition: records.partition,
    count: to - from,
    bytes: records.bytes,
    nextOffset,
    mark: nextOffset === records.nextOffset ? records.mark : to > from ? markAt(records, to - 1, nextOffset) : null
  }
}

/** How the record before `offset` is recognised: its time, and the checksum of its value; `null` if it is gone. */
export const markOf = (batch: StoredBatch, offset: Offset): RecordMark | null => {
  const columns = emptyColumns(batch.count)
  const found = fill(columns, 0, batch, offset - 1)
  return found === 0 ? null : markAt({ ...columns, bytes: batch.bytes }, 0, offset)
}

/** Of record i, if it is the one before `offset`. */
const markAt = (
  { bytes, offsets, timestamps, valueEnds, valueStarts }: Columns & { readonly bytes: Uint8Array },
  i: number,
  offset: Offset
): RecordMark | null =>
  offsets[i] === offset - 1
    ? { timestamp: timestamps[i]!, checksum: checksum(bytes.subarray(valueStarts[i], valueEnds[i])) }
    : null

const checksum = (value: Uint8Array): number => {
  const digest = Digest.make()
  digest.bytes(value)
  return Number.parseInt(digest.result().slice(0, 8), 16)
}

/** The headers of record i, as copies. */
export const headersAt = ({ bytes, headerStarts }: Records, i: number): ReadonlyArray<Header> => {
  const cursor = { bytes, at: headerStarts[i]! }
  return Array.from({ length: varint(cursor) }, () => {
    const name = text.decode(taken(cursor, varint(cursor)))
    return { name, value: copyOf(taken(cursor, Math.max(0, varint(cursor)))) }
  })
}

/** Does a batch that ends a transaction commit it? */
export const commits = ({ bytes, end, start }: StoredBatch): boolean => {
  const cursor = { bytes, at: start }
  varint(cursor)
  cursor.at++
  varint(cursor)
  varint(cursor)
  const key = taken(cursor, varint(cursor))
  return cursor.at <= end && key[3] === 1
}

/** A batch with the records of another buffer, to which those of `batch` were unpacked. */
export const unpacked = (batch: StoredBatch, bytes: Uint8Array): StoredBatch => ({
  ...batch,
  attributes: batch.attributes & ~7,
  bytes,
  start: 0,
  end: bytes.length
})

/** Who writes a batch; a producer without an id writes as -1, with a sequence of -1. */
export interface BatchOrigin {
  readonly producerId: number
  readonly producerEpoch: number
  readonly sequence: number
  readonly isTransactional: boolean
  readonly timestamp: number
  readonly compression: KafkaCompression.Compression
}

/** Bytes that a record takes in a batch, at most. */
export const recordBytes = ({ headers, key, value }: ProducedRecord): number =>
  24 +
  (key?.length ?? 0) +
  value.length +
  headers.reduce((sum, { name, value }) => sum + 10 + 3 * name.length + value.length, 0)

/** Records as one batch. */
export const encode = (records: ReadonlyArray<ProducedRecord>, origin: BatchOrigin): Uint8Array => {
  const bytes = new Uint8Array(headBytes + records.reduce((sum, record) => sum + 5 + recordBytes(record), 0))
  const view = viewOf(bytes)
  let at = headBytes
  for (const [i, record] of records.entries()) at = writeRecord(bytes, at, record, i)
  const packed = KafkaCompression.pack(origin.compression, bytes.subarray(headBytes, at))
  if (packed.method !== 0) bytes.set(packed.bytes, headBytes)
  at = headBytes + packed.bytes.length
  view.setInt32(8, at - 12)
  view.setInt32(12, -1)
  view.setInt8(16, 2)
  view.setInt16(21, (origin.isTransactional ? 16 : 0) | packed.method)
  view.setInt32(23, records.length - 1)
  setInt64(view, 27, origin.timestamp)
  setInt64(view, 35, origin.timestamp)
  setInt64(view, 43, origin.producerId)
  view.setInt16(51, origin.producerEpoch)
  view.setInt32(53, origin.sequence)
  view.setInt32(57, records.length)
  view.setUint32(17, crc32c(bytes, 21, at))
  return bytes.subarray(0, at)
}

// Private

const utf8 = new TextEncoder()
const text = new TextDecoder()

interface Columns {
  readonly offsets: Float64Array
  readonly timestamps: Float64Array
  readonly keyStarts: Int32Array
  readonly keyEnds: Int32Array
  readonly valueStarts: Int32Array
  readonly valueEnds: Int32Array
  readonly headerStarts: Int32Array
}

const emptyColumns = (room: number): Columns => ({
  offsets: new Float64Array(room),
  timestamps: new Float64Array(room),
  keyStarts: new Int32Array(room),
  keyEnds: new Int32Array(room),
  valueStarts: new Int32Array(room),
  valueEnds: new Int32Array(room),
  headerStarts: new Int32Array(room)
})

const slice = (columns: Columns, from: number, to: number): Columns => ({
  offsets: columns.offsets.subarray(from, to),
  timestamps: columns.timestamps.subarray(from, to),
  keyStarts: columns.keyStarts.subarray(from, to),
  keyEnds: columns.keyEnds.subarray(from, to),
  valueStarts: columns.valueStarts.subarray(from, to),
  valueEnds: columns.valueEnds.subarray(from, to),
  headerStarts: columns.headerStarts.subarray(from, to)
})

interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

/** Puts the records of a batch from `offset` on behind the first `count` of the columns; answers how many there are. */
const fill = (columns: Columns, count: number, batch: StoredBatch, offset: Offset): number => {
  const { appendTime, base, bytes, firstTimestamp } = batch
  const cursor = { bytes, at: batch.start }
  let n = count
  for (let left = batch.count; left > 0; left--) {
    const length = varint(cursor)
    const next = cursor.at + length
    cursor.at++
    const time = varlong(cursor)
    const at = base + varint(cursor)
    if (at >= offset) {
      const keyLength = varint(cursor)
      const keyStart = cursor.at
      if (keyLength > 0) cursor.at += keyLength
      // A value that is null, as of a key that compaction shall forget, is empty.
      const valueLength = Math.max(0, varint(cursor))
      columns.offsets[n] = at
      columns.timestamps[n] = appendTime ?? firstTimestamp + time
      columns.keyStarts[n] = keyLength < 0 ? -1 : keyStart
      columns.keyEnds[n] = keyLength < 0 ? -1 : keyStart + keyLength
      columns.valueStarts[n] = cursor.at
      columns.valueEnds[n] = cursor.at + valueLength
      columns.headerStarts[n] = cursor.at + valueLength
      n++
    }
    cursor.at = next
  }
  if (cursor.at !== batch.end) throw new Malformed("the records of a batch do not fill it")
  return n
}

/** A signed number of variable length, below 2^31. */
const varint = (cursor: Cursor): number => {
  const { bytes } = cursor
  let byte = bytes[cursor.at++]!
  if (byte < 128) return (byte >>> 1) ^ -(byte & 1)
  let value = byte & 127
  for (let shift = 7; byte >= 128; shift += 7) {
    byte = bytes[cursor.at++]!
    value |= (byte & 127) << shift
  }
  return (value >>> 1) ^ -(value & 1)
}

/** The same below 2^53. */
const varlong = (cursor: Cursor): number => {
  const { bytes } = cursor
  let byte = bytes[cursor.at++]!
  let value = byte & 127
  for (let factor = 128; byte >= 128; factor *= 128) {
    byte = bytes[cursor.at++]!
    value += (byte & 127) * factor
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

const taken = (cursor: Cursor, count: number): Uint8Array => {
  const from = cursor.at
  cursor.at += count
  return cursor.bytes.subarray(from, cursor.at)
}

const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

const setInt64 = (view: DataView, at: number, value: number): void => {
  view.setInt32(at, Math.floor(value / 0x1_0000_0000))
  view.setUint32(at + 4, value >>> 0)
}

const writeVarint = (bytes: Uint8Array, from: number, value: number): number => {
  let at = from
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128
  bytes[at++] = rest
  return at
}

const writeSized = (bytes: Uint8Array, from: number, value: Uint8Array): number => {
  const at = writeVarint(bytes, from, value.length)
  bytes.set(value, at)
  return at + value.length
}

const sizeOfVarint = (value: number): number => {
  let size = 1
  for (let rest = ((value << 1) ^ (value >> 31)) >>> 0; rest > 127; rest >>>= 7) size++
  return size
}

/** Record `i` of a batch, all of whose records have one time. */
const writeRecord = (bytes: Uint8Array, from: number, { headers, key, value }: ProducedRecord, i: number): number => {
  const names = headers.map(({ name }) => utf8.encode(name))
  let size = 2 + sizeOfVarint(i) + sizeOfVarint(value.length) + value.length + sizeOfVarint(headers.length)
  size += key === null ? 1 : sizeOfVarint(key.length) + key.length
  for (const [n, name] of names.entries()) {
    const { length } = headers[n]!.value
    size += sizeOfVarint(name.length) + name.length + sizeOfVarint(length) + length
  }
  let at = writeVarint(bytes, from, size)
  bytes[at++] = 0
  bytes[at++] = 0
  at = writeVarint(bytes, at, i)
  at = key === null ? writeVarint(bytes, at, -1) : writeSized(bytes, at, key)
  at = writeSized(bytes, at, value)
  at = writeVarint(bytes, at, headers.length)
  for (const [n, name] of names.entries()) at = writeSized(bytes, writeSized(bytes, at, name), headers[n]!.value)
  return at
}
