/** The files of a folder as a source: what is in them, row by row, and nothing decoded. */
import { FileSystem } from "@effect/platform"
import { Effect, type Schema } from "effect"
import { fieldsOf } from "../../flow/RowFields.ts"
import type { Source, SourceError } from "../../flow/Source.ts"
import type { RawEvent } from "../../model/Event.ts"
import { CsvRecords } from "./CsvRecords.ts"
import * as FileFormat from "./FileFormat.ts"
import * as FilePattern from "./FilePattern.ts"
import type { Encoding } from "./FileText.ts"
import type { Order } from "./Folder.ts"
import * as FolderReader from "./FolderReader.ts"

export interface SourceOptions {
  /** Names the source in checkpoints: the same for ever. Default: the folder and the pattern. */
  readonly name?: string
  /** Of the files' names: `*.us.txt`, `{a,b}-[0-9]?.csv`. Default: all. A name that ends in `.gz` is unpacked. */
  readonly pattern?: string
  /** Are files in folders below it read too? Default: no. Folders may have any name but a hidden one. */
  readonly recursive?: boolean
  /** By path, below the folder, or by the time of the last change. Default: by path. */
  readonly order?: Order
  /** Default: `utf-8`. `latin1` is Windows-1252, as on the Web. A byte order mark is passed over. */
  readonly encoding?: Encoding
  /** `false`: the folder as it is when the job opens it, which ends. */
  readonly watch: false
}

export interface CsvOptions extends SourceOptions {
  /** Is the first row of each file the columns' names? Default: yes. Else cells have the order of the Schema's fields. */
  readonly header?: boolean
  /** One character of ASCII. Default: a comma. */
  readonly separator?: string
}

/**
 * The rows of CSV files, as JSON by a Schema's fields: `Flow.decode` with the same Schema reads them. Fields have the
 * names that the Schema has outside; other columns are left out. A cell without text is `null` for a field that may be
 * null, and is left out for one that may be absent; `""` is the empty text.
 *
 * What is no row by the Schema is a record all the same, which decoding refuses: a row with too few or too many cells
 * is an array of them, one with broken quotes a text. So it becomes a dead letter, and can be replayed as it stands.
 *
 *     Flow.from(Files.csv("data/shops", Shop, { pattern: "*.csv", watch: false })).pipe(Flow.decode(Shop, { invalid }))
 *
 * Of every record of files: its key is the file's path below the folder, its timestamp the time of the file's last
 * change, its offset the row's number over all files. What is hidden, or ends in `.tmp` or `.part`, is never read.
 */
export const csv = <A, I>(
  folder: string,
  schema: Schema.Schema<A, I>,
  { header = true, separator = ",", ...options }: CsvOptions
): Source<RawEvent, SourceError, FileSystem.FileSystem> => {
  // What can never be read is refused when the job is written.
  new CsvRecords(separator)
  return source("Files.csv", folder, FileFormat.csv(fieldsOf(schema), { header, separator }), options)
}

/** The lines of files that are JSON each, as they are; blank ones are none. */
export const jsonLines = (
  folder: string,
  options: SourceOptions
): Source<RawEvent, SourceError, FileSystem.FileSystem> =>
  source("Files.jsonLines", folder, FileFormat.lines({ blank: false }), options)

/** The lines of files, as they are; an empty one too. Of one that is too long for a record its beginning. */
export const text = (folder: string, options: SourceOptions): Source<RawEvent, SourceError, FileSystem.FileSystem> =>
  source("Files.text", folder, FileFormat.lines({ blank: true }), options)

// Private

const source = (
  what: string,
  path: string,
  format: FileFormat.Format,
  { encoding = "utf-8", name, order = "name", pattern = "*", recursive = false }: SourceOptions
): Source<RawEvent, SourceError, FileSystem.FileSystem> => {
  const folder = path.length > 1 ? path.replace(/\/+$/, "") : path
  if (folder === "") throw new RangeError(`${what}: there is no folder without a name`)
  const matches = FilePattern.matching(pattern)
  const label = pattern === "*" ? `files ${folder}` : `files ${folder}/${pattern}`
  const own = name ?? label.slice("files ".length)
  return {
    name: own,
    label,
    open: Effect.flatMap(FileSystem.FileSystem, (fs) =>
      FolderReader.open({ fs, name: own, folder, matches, recursive, order, encoding, format })
    )
  }
}
