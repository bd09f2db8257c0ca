/**
 * The bytes of a segment: frames, one behind the other, each a multiple of four bytes long, little-endian.
 *
 *     0 magic  4 length  8 crc  12 flags  16 count  20 synced  24 base offset  32 append time  40 notes, records, zeros
 *
 * - `length` is the whole frame's; `crc` is of everything after it, seeded by the topic's id.
 * - `flags`: 1 = the append goes on in the next frame: readers see all of its frames or none. 2 = notes follow.
 * - `synced` is the size that the file had, durably, before the append. It tells a torn tail from a broken middle: a
 *   frame that cannot be read was once durable only if a readable one after it was written when it already was.
 * - Notes are a length and JSON: the fences of sinks. The first frame of a segment holds all of them and no records.
 * - A record: lengths of key (-1: none), value and headers, four bytes each; then the bytes of the three. A header:
 *   length of its name and its value, four bytes each; then both.
 */
import type { EpochFence } from "../../flow/EpochFence.ts"
import type { ProducedRecord } from "../../flow/Topics.ts"
import { crc32OfWords } from "../../model/Crc32.ts"
import type { Header, Offset } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"

const magic = 0x72696557
export const headerBytes = 40
const recordHeadBytes = 12
const goesOn = 1
const hasNotes = 2

/** Whether a length can be one: nothing longer was ever written. */
const lengthMax = Limits.recordBytesMax + Limits.headersBytesMax + Limits.appendBytesMax

/** What a group says beside its records: how fences of sinks stand after it. */
export interface Notes {
  readonly fences: ReadonlyArray<EpochFence>
  /** The records are a sink's epoch, whose fence is the only one: the partitions that hold a part of it. */
  readonly partitions?: ReadonlyArray<number>
}

/** Records that become visible together. */
export interface Group {
  readonly records: ReadonlyArray<ProducedRecord>
  readonly notes: Notes | null
}

/** Bytes of a segment, from a multiple of four on. */
export interface Chunk {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly view: DataView
}

/** Where a frame is in a chunk, and what its head says. */
export interface Frame {
  readonly start: number
  readonly end: number
  readonly records: number
  readonly count: number
  readonly synced: number
  readonly base: Offset
  readonly time: number
  readonly goesOn: boolean
  readonly notes: Notes | null
}

export const emptyChunk = (length: number): Chunk => {
  const buffer = new ArrayBuffer((length + 3) & ~3)
  return { bytes: new Uint8Array(buffer, 0, length), words: new Int32Array(buffer), view: new DataView(buffer) }
}

/** The length that the frame at `at` says it has; 0 if there cannot be one. `at + 8` must be inside the chunk. */
export const lengthAt = (chunk: Chunk, at: number): number => {
  const length = chunk.words[(at >> 2) + 1]!
  return chunk.words[at >> 2] === magic && length >= headerBytes && length <= lengthMax && (length & 3) === 0
    ? length
    : 0
}

/** The frame at `at`, which is inside the chunk as a whole; `null` if its checksum is not that of its bytes. */
export const frameAt = (chunk: Chunk, at: number, length: number, seed: number): Frame | null => {
  const { view, words } = chunk
  if (crc32OfWords(words, (at >> 2) + 3, (at + length) >> 2, seed) !== words[(at >> 2) + 2]) return null
  const flags = words[(at >> 2) + 3]!
  const notesLength = flags & hasNotes ? view.getInt32(at + headerBytes, true) : -1
  return {
    start: at,
    end: at + length,
    records: notesLength < 0 ? at + headerBytes : at + headerBytes + 4 + notesLength,
    count: words[(at >> 2) + 4]!,
    synced: words[(at >> 2) + 5]! >>> 0,
    base: readWhole(view, at + 24),
    time: readWhole(view, at + 32),
    goesOn: (flags & goesOn) !== 0,
    notes:
      notesLength < 0
        ? null
        : JSON.parse(text.decode(chunk.bytes.subarray(at + headerBytes + 4, at + headerBytes + 4 + notesLength)))
  }
}

/** What the head at `at` says, without a look at its checksum. */
export const baseAt = (chunk: Chunk, at: number): Offset => readWhole(chunk.view, at + 24)
export const timeAt = (chunk: Chunk, at: number): number => readWhole(chunk.view, at + 32)

/** The headers that begin at `at` and are `length` bytes long: copies. */
export const headersAt = (chunk: Chunk, at: number, length: number): ReadonlyArray<Header> => {
  const headers: Array<Header> = []
  for (let i = at; i < at + length; ) {
    const nameEnd = i + 8 + chunk.view.getInt32(i, true)
    const end = nameEnd + chunk.view.getInt32(i + 4, true)
    headers.push({ name: text.decode(chunk.bytes.subarray(i + 8, nameEnd)), value: chunk.bytes.slice(nameEnd, end) })
    i = end
  }
  return headers
}

/** Where a record's head begins, from where its key or value does. */
export const headOf = (keyStart: number, valueStart: number): number =>
  (keyStart < 0 ? valueStart : keyStart) - recordHeadBytes
/** The length of the headers of the record whose head is at `head`. */
export const headersLengthAt = (chunk: Chunk, head: number): number => chunk.view.getInt32(head + 8, true)
export const headersLength = (headers: ReadonlyArray<Header>): number => {
  let length = 0
  for (const { name, value } of headers) length += 8 + nameBytes(name).length + value.length
  return length
}

/** Groups as the bytes of one append, and where each of its frames begins. */
export interface Encoded {
  readonly bytes: Uint8Array
  readonly starts: ReadonlyArray<readonly [offset: Offset, position: number]>
  /** The offset after the last record. */
  readonly next: Offset
}

export const encode = (
  groups: ReadonlyArray<Group>,
  options: { readonly base: Offset; readonly time: number; readonly synced: number; readonly seed: number }
): Encoded => {
  const frames = groups.flatMap(framesOf)
  const chunk = emptyChunk(frames.reduce((sum, frame) => sum + frame.length, 0))
  const starts: Array<readonly [Offset, number]> = []
  let base = options.base
  let at = 0
  for (const frame of frames) {
    starts.push([base, at])
    writeFrame(chunk, at, frame, { ...options, base })
    base += frame.to - frame.from
    at += frame.length
  }
  return { bytes: chunk.bytes, starts, next: base }
}

// Private

const text = new TextDecoder()
const utf8 = new TextEncoder()

/** Names of headers are few: each is encoded once. */
const names = new Map<string, Uint8Array>()
const nameBytes = (name: string): Uint8Array => {
  const known = names.get(name)
  if (known !== undefined) return known
  const bytes = utf8.encode(name)
  if (names.size < 256) names.set(name, bytes)
  return bytes
}

/** Records `[from, to)` of a group, in a frame of `length` bytes. */
interface Planned {
  readonly records: ReadonlyArray<ProducedRecord>
  readonly from: number
  readonly to: number
  readonly notes: Uint8Array | null
  readonly goesOn: boolean
  readonly length: number
}

const recordLength = ({ key, value, headers }: ProducedRecord): number =>
  recordHeadBytes + (key?.length ?? 0) + value.length + (headers.length === 0 ? 0 : headersLength(headers))

/** Cuts a group into frames; the notes are in the last, which completes it. */
const framesOf = ({ records, notes }: Group): ReadonlyArray<Planned> => {
  const planned: Array<Planned> = []
  const noted = notes === null ? null : utf8.encode(JSON.stringify(notes))
  let from = 0
  let length = headerBytes
  const cut = (to: number, last: boolean): void => {
    const whole = length + (last && noted !== null ? 4 + noted.length : 0)
    planned.push({ records, from, to, notes: last ? noted : null, goesOn: !last, length: (whole + 3) & ~3 })
    from = to
    length = headerBytes
  }
  for (let i = 0; i < records.length; i++) {
    const bytes = recordLength(records[i]!)
    if (i > from && length + bytes > Limits.frameBytesMax) cut(i, false)
    length += bytes
  }
  cut(records.length, true)
  return planned
}

const writeFrame = (
  chunk: Chunk,
  start: number,
  frame: Planned,
  { base, time, synced, seed }: { base: Offset; time: number; synced: number; seed: number }
): void => {
  const { bytes, view, words } = chunk
  words[start >> 2] = magic
  words[(start >> 2) + 1] = frame.length
  words[(start >> 2) + 3] = (frame.goesOn ? goesOn : 0) | (frame.notes === null ? 0 : hasNotes)
  words[(start >> 2) + 4] = frame.to - frame.from
  words[(start >> 2) + 5] = synced
  writeWhole(view, start + 24, base)
  writeWhole(view, start + 32, time)
  let at = start + headerBytes
  if (frame.notes !== null) {
    view.setInt32(at, frame.notes.length, true)
    bytes.set(frame.notes, at + 4)
    at += 4 + frame.notes.length
  }
  for (let i = frame.from; i < frame.to; i++) at = writeRecord(chunk, at, frame.records[i]!)
  words[(start >> 2) + 2] = crc32OfWords(words, (start >> 2) + 3, (start + frame.length) >> 2, seed)
}

const writeRecord = ({ bytes, view }: Chunk, start: number, { key, value, headers }: ProducedRecord): number => {
  view.setInt32(start, key === null ? -1 : key.length, true)
  view.setInt32(start + 4, value.length, true)
  view.setInt32(start + 8, headers.length === 0 ? 0 : headersLength(headers), true)
  let at = start + recordHeadBytes
  if (key !== null) {
    bytes.set(key, at)
    at += key.length
  }
  bytes.set(value, at)
  at += value.length
  for (const header of headers) {
    const name = nameBytes(header.name)
    view.setInt32(at, name.length, true)
    view.setInt32(at + 4, header.value.length, true)
    bytes.set(name, at + 8)
    bytes.set(header.value, at + 8 + name.length)
    at += 8 + name.length + header.value.length
  }
  return at
}

/** Whole numbers below 2^53, low half first. */
const readWhole = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000
const writeWhole = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
}
