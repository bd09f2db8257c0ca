/**
 * How far a partition is known to be durable: a line in its folder, rewritten after each append.
 *
 * An append that was synced and answered may be damaged later, as any bytes may; without this line, at the end of a
 * file it would look like one that was never finished. The line is not synced itself: after a power cut it may be an
 * older one, or none, and then says less, but what it says is true.
 */
import { Effect } from "effect"
import { crc32 } from "../../model/Crc32.ts"
import type { StorageFailed } from "../../model/Errors.ts"
import type { Offset } from "../../model/Event.ts"
import type { LogFiles } from "./LogFiles.ts"

export interface DurableEnd {
  /** The segment, by the offset of its first record. */
  readonly base: Offset
  /** Bytes of it, at least, that are whole. */
  readonly size: number
}

/** The line of a partition's folder; `null`: there is none, or it was not finished. */
export const read = (
  files: LogFiles,
  partition: { readonly folder: string; readonly seed: number }
): Effect.Effect<DurableEnd | null, StorageFailed> =>
  Effect.map(files.readText(files.join(partition.folder, fileName)), (text) => {
    const [, base, size, checksum] = text?.match(/^(\d{20}) (\d{16}) ([0-9a-f]{8})\n$/) ?? []
    if (base === undefined || size === undefined) return null
    return checksum === checksumOf(base, size, partition.seed) ? { base: Number(base), size: Number(size) } : null
  })

/** Rewrites the line. A disk that refuses it takes nothing from the append, which is durable already. */
export const write = (
  files: LogFiles,
  partition: { readonly folder: string; readonly seed: number },
  end: DurableEnd
): Effect.Effect<void> => {
  const base = String(end.base).padStart(20, "0")
  const size = String(end.size).padStart(16, "0")
  const line = `${base} ${size} ${checksumOf(base, size, partition.seed)}\n`
  return Effect.ignore(files.overwrite(files.join(partition.folder, fileName), utf8.encode(line)))
}

// Private

const fileName = "durable"
const utf8 = new TextEncoder()

/** The seed makes the line of another topic's folder a wrong one. */
const checksumOf = (base: string, size: string, seed: number): string =>
  crc32(utf8.encode(`${seed} ${base} ${size}`))
    .toString(16)
    .padStart(8, "0")
