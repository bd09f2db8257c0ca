/**
 * The rows of an epoch on their way into files: encoded, and put together by folder, each folder's in the order of their
 * places. The same rows give the same, in whatever order batches come.
 */
import { inOrder } from "../../flow/BatchOrder.ts"
import { Unencodable } from "../../flow/Codec.ts"
import type * as Sink from "../../flow/Sink.ts"
import type { EpochRows } from "../../flow/Sink.ts"
import * as Digest from "../../model/Digest.ts"
import type { Invalid } from "../../model/Event.ts"
import type { Batch } from "../../model/Message.ts"
import type { Placed } from "./PartitionPath.ts"
import type * as Spool from "./Spool.ts"

type Row = Readonly<Record<string, unknown>>

/** How a row becomes bytes in a folder. Pure: the same row gives the same. */
export interface Writing {
  readonly placeOf: (row: Row) => Placed
  /** The row as a line, with its end. Throws `Unencodable`. */
  readonly encode: (row: Row) => Uint8Array
}

export interface Prepared {
  readonly prepared: Sink.Prepared
  /** By folder, in the order of their names. */
  readonly parts: ReadonlyArray<Spool.Rows>
}

/** What cannot be written is set aside by `sink`. */
export const prepare = ({ encode, placeOf }: Writing, sink: string, { barrier, batches }: EpochRows): Prepared => {
  const folders = new Map<string, Array<Uint8Array>>()
  const invalid: Array<Invalid> = []
  for (const [batch, i] of inOrder(batches)) {
    const line = lineOf(batch.values[i] as Row, placeOf, encode)
    if ("cause" in line) {
      invalid.push(refused(sink, batch, i, line.cause))
      continue
    }
    const known = folders.get(line.folder)
    if (known === undefined) folders.set(line.folder, [line.bytes])
    else known.push(line.bytes)
  }
  const parts = [...folders.keys()].sort().map((folder): Spool.Rows => {
    const lines = folders.get(folder)!
    return { folder, rows: lines.length, bytes: joined(lines) }
  })
  const digest = Digest.make()
  for (const { bytes, folder } of parts) {
    digest.bytes(utf8.encode(folder))
    digest.bytes(bytes)
  }
  const prepared: Sink.Prepared = {
    epoch: barrier.epoch,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    bytes: parts.reduce((sum, { bytes }) => sum + bytes.length, 0),
    digest: digest.result(),
    invalid
  }
  return { prepared, parts }
}

// Private

const lineOf = (
  row: Row,
  placeOf: Writing["placeOf"],
  encode: Writing["encode"]
): { readonly folder: string; readonly bytes: Uint8Array } | { readonly cause: string } => {
  const placed = placeOf(row)
  if ("refused" in placed) return { cause: placed.refused }
  try {
    return { folder: placed.folder, bytes: encode(row) }
  } catch (error) {
    if (!(error instanceof Unencodable)) throw error
    return { cause: error.message }
  }
}

const joined = (lines: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(lines.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const line of lines) {
    bytes.set(line, at)
    at += line.length
  }
  return bytes
}

const utf8 = new TextEncoder()

const refused = (step: string, batch: Batch, i: number, cause: string): Invalid => ({
  event: {
    key: null,
    value: utf8.encode(shown(batch.values[i])),
    partition: batch.partition,
    offset: batch.offsets[i]!,
    timestamp: batch.openedAt
  },
  step,
  reason: "refused row",
  cause,
  origin: batch.origin,
  ...(batch.rows === null ? {} : { row: batch.rows[i]! })
})

const shown = (row: unknown): string =>
  JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)) ?? "null"
