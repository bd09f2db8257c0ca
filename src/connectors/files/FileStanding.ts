/**
 * Which rows a sink of files has on the disk that are in no file yet, by folder, and when they are put into one. Pure: the
 * same epochs give the same files, whoever computes them.
 */
import * as Limits from "../../model/Limits.ts"
import type { Millis } from "../../model/Time.ts"
import type { Index } from "./Spool.ts"

/** When the rows of a folder become a file: with the epoch after which one of these is reached. */
export interface Roll {
  readonly rows: number
  /** As they are kept until then: text, as a rule more than the file will have. */
  readonly bytes: number
  /** Since the end of the epoch that the oldest came in, by the ends of epochs. */
  readonly everyMillis: number
}

/** The rows of one folder that are in no file yet. */
export interface Part {
  readonly folder: string
  /** The epochs that they came in, oldest first. */
  readonly epochs: ReadonlyArray<number>
  readonly rows: number
  readonly bytes: number
  /** When the first of these epochs was closed. */
  readonly since: Millis
}

/** How a sink stands after an epoch: what the manifest keeps of it. */
export interface Standing {
  readonly lineage: number
  readonly epoch: number
  /** How the rows are written, as the form says of itself. */
  readonly form: string
  readonly parts: ReadonlyArray<Part>
}

export const format = (standing: Standing): string => JSON.stringify(standing)
export const parse = (position: string): Standing => JSON.parse(position)

/** Epochs of which rows are in no file yet, oldest first. */
export const epochsOf = ({ parts }: Standing): ReadonlyArray<number> =>
  [...new Set(parts.flatMap(({ epochs }) => epochs))].sort((a, b) => a - b)

/** With the rows of one more epoch. */
export const adding = (
  standing: Standing,
  { closedAt, epoch, sections }: Pick<Index, "closedAt" | "epoch" | "sections">
): Standing => {
  const parts = new Map(standing.parts.map((part) => [part.folder, part]))
  for (const { end, folder, rows, start } of sections) {
    const known = parts.get(folder) ?? { folder, epochs: [], rows: 0, bytes: 0, since: closedAt }
    parts.set(folder, {
      ...known,
      epochs: [...known.epochs, epoch],
      rows: known.rows + rows,
      bytes: known.bytes + end - start
    })
  }
  return { ...standing, epoch, parts: [...parts.values()] }
}

/** Without the rows of these folders, which are in files. */
export const without = (standing: Standing, folders: ReadonlyArray<string>): Standing => {
  const rolled = new Set(folders)
  return { ...standing, parts: standing.parts.filter(({ folder }) => !rolled.has(folder)) }
}

/** The folders whose rows become files with the last of its epochs. All of them, when the run ends or they are too many. */
export const due = (
  { parts }: Standing,
  roll: Roll,
  { closedAt, final }: { readonly closedAt: Millis; readonly final: boolean }
): ReadonlyArray<string> => {
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  const all = final || parts.length > Limits.fileFoldersMax || bytes > Limits.fileSpoolBytesMax
  return parts
    .filter(
      (part) => all || part.rows >= roll.rows || part.bytes >= roll.bytes || closedAt - part.since >= roll.everyMillis
    )
    .map(({ folder }) => folder)
}

/** When the first of its rows are old enough to become a file: later than all times if there are none. */
export const dueAt = ({ parts }: Standing, { everyMillis }: Roll): Millis =>
  parts.reduce((first, { since }) => Math.min(first, since + everyMillis), Number.POSITIVE_INFINITY)
