/**
 * The rows of one epoch on the disk, before they are in a file that readers see: a section for each folder, one behind the
 * other, and at the end an index of them. Whether it was finished is seen from its bytes alone.
 *
 *     sections  index: JSON  4 length of the index  4 crc of the index  8 "weirrows"
 */
import { crc32 } from "../../model/Crc32.ts"
import type { Millis } from "../../model/Time.ts"

/** The rows of one folder. */
export interface Section {
  /** Of the folder, below that of the sink; empty: that one itself. */
  readonly folder: string
  readonly start: number
  readonly end: number
  readonly rows: number
  readonly crc: number
}

export interface Index {
  readonly epoch: number
  /** Of the epoch's rows. */
  readonly digest: string
  readonly closedAt: Millis
  readonly sections: ReadonlyArray<Section>
  /** Folders whose rows, up to this epoch, it makes files of. */
  readonly rolls: ReadonlyArray<string>
}

/** Rows of one folder, encoded one behind the other. */
export interface Rows {
  readonly folder: string
  readonly rows: number
  readonly bytes: Uint8Array
}

export const nameOf = (epoch: number): string => `rows-${epoch}`

/** `null`: no spool is called so. */
export const epochOf = (name: string): number | null => {
  const found = /^rows-(\d{1,15})$/.exec(name)
  return found === null ? null : Number(found[1])
}

export const indexOf = (
  { closedAt, digest, epoch, rolls }: Omit<Index, "sections">,
  parts: ReadonlyArray<Rows>
): Index => {
  let start = 0
  const sections = parts.map(({ bytes, folder, rows }): Section => {
    const section = { folder, start, end: start + bytes.length, rows, crc: crc32(bytes) }
    start = section.end
    return section
  })
  return { epoch, digest, closedAt, sections, rolls }
}

/** What stands behind the sections. */
export const tailOf = (index: Index): Uint8Array => {
  const json = utf8.encode(JSON.stringify(index))
  const tail = new Uint8Array(json.length + fixedBytes)
  const view = new DataView(tail.buffer)
  tail.set(json)
  view.setUint32(json.length, json.length)
  view.setUint32(json.length + 4, crc32(json))
  tail.set(magic, json.length + 8)
  return tail
}

/** Bytes of the end of which the length of the index is read. */
export const fixedBytes = 16

/** How long the index is, by the last `fixedBytes` of a file of `size` bytes; `null`: the file was not finished. */
export const indexLength = (fixed: Uint8Array, size: number): number | null => {
  if (fixed.length !== fixedBytes || magic.some((byte, i) => fixed[8 + i] !== byte)) return null
  const length = viewOf(fixed).getUint32(0)
  return length + fixedBytes <= size ? length : null
}

/** The index in the last bytes of a file: its text and the fixed ones behind it; `null`: they are not what was written. */
export const parseIndex = (tail: Uint8Array): Index | null => {
  const json = tail.subarray(0, tail.length - fixedBytes)
  if (crc32(json) !== viewOf(tail).getUint32(json.length + 4)) return null
  return JSON.parse(new TextDecoder().decode(json)) as Index
}

/** Are these the bytes that were written? */
export const isWhole = (section: Section, bytes: Uint8Array): boolean =>
  bytes.length === section.end - section.start && crc32(bytes) === section.crc

// Private

const utf8 = new TextEncoder()
const magic = utf8.encode("weirrows")

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
