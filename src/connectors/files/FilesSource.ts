/** The files of a folder as a source: what is in them, row by row, and nothing decoded. */
import { FileSystem } from "@effect/platform"
import { Duration, Effect, type Schema } from "effect"
import { FileLedgers } from "../../flow/FileLedgers.ts"
import { fieldsOf } from "../../flow/RowFields.ts"
import type { Source, SourceError } from "../../flow/Source.ts"
import type { DurationInput } from "../../flow/Window.ts"
import type { RawEvent } from "../../model/Event.ts"
import { CsvRecords } from "./CsvRecords.ts"
import * as FileCleaning from "./FileCleaning.ts"
import * as FileFormat from "./FileFormat.ts"
import * as FilePattern from "./FilePattern.ts"
import type { Encoding } from "./FileText.ts"
import type { Order } from "./Folder.ts"
import * as FolderReader from "./FolderReader.ts"
import * as FolderWatch from "./FolderWatch.ts"

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
  /**
   * Does it go on with files that come later? Default: yes. `false`: the folder as it is when the job opens it, which
   * ends. Then nothing is noted of what was read, and a folder that has changed is another source.
   */
  readonly watch?: boolean
  /** Files of which one epoch has rows; the next one begins with the next trigger. Default: as many as there are. */
  readonly maxFilesPerEpoch?: number
  /** For how long a file must stand still before it is read. Default: a second. */
  readonly settle?: DurationInput
  /** What becomes of new content under a path that was read. Default: it is ignored, and said once. */
  readonly changed?: "ignored" | "reread"
  /**
   * What becomes of a file when a durable epoch of every job that reads it covers its rows. Default: nothing. A job that
   * goes back to a savepoint from before does not find it any more.
   */
  readonly clean?: "off" | "delete" | "archive"
  /** Where `clean: "archive"` and `weir clean` move files to: a folder on the same file system, where paths stay as they are. */
  readonly archive?: string
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
  { header = true, separator = ",", ...options }: CsvOptions = {}
): Source<RawEvent, SourceError, FileSystem.FileSystem> => {
  // What can never be read is refused when the job is written.
  new CsvRecords(separator)
  const format = FileFormat.csv(fieldsOf(schema), { header, separator })
  return source({ what: `csv ${header} ${separator}`, format }, folder, options)
}

/** The lines of files that are JSON each, as they are; blank ones are none. */
export const jsonLines = (
  folder: string,
  options: SourceOptions = {}
): Source<RawEvent, SourceError, FileSystem.FileSystem> =>
  source({ what: "json lines", format: FileFormat.lines({ blank: false }) }, folder, options)

/** The lines of files, as they are; an empty one too. Of one that is too long for a record its beginning. */
export const text = (
  folder: string,
  options: SourceOptions = {}
): Source<RawEvent, SourceError, FileSystem.FileSystem> =>
  source({ what: "lines", format: FileFormat.lines({ blank: true }) }, folder, options)

// Private

interface Content {
  /** What a row is, as far as it decides how many there are. */
  readonly what: string
  readonly format: FileFormat.Format
}

const source = (
  { format, what }: Content,
  path: string,
  options: SourceOptions
): Source<RawEvent, SourceError, FileSystem.FileSystem> => {
  const { encoding = "utf-8", order = "name", pattern = "*", recursive = false } = options
  const folder = path.length > 1 ? path.replace(/\/+$/, "") : path
  check(folder, options)
  const matches = FilePattern.matching(pattern)
  const all = pattern === "*" ? folder : `${folder}/${pattern}`
  const name = options.name ?? all
  const filesPerEpochMax = options.maxFilesPerEpoch ?? null
  const of = { name, folder, matches, recursive, order, encoding, format, filesPerEpochMax }
  const described = { name, label: `files ${all}` }
  if (options.watch === false)
    return { ...described, open: Effect.flatMap(FileSystem.FileSystem, (fs) => FolderReader.open({ ...of, fs })) }
  // What decides which rows there are, and in which order they are numbered.
  const key = `${folder}/${pattern} ${recursive ? "and below" : "only"}, ${encoding}, ${what}`
  const cleaning = cleaningOf(options)
  return {
    ...described,
    open: Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      return yield* FolderWatch.open({
        ...of,
        fs,
        ledger: yield* Effect.flatMap(FileLedgers, (ledgers) => ledgers.open(key)),
        settleMillis: Duration.toMillis(options.settle ?? "1 second"),
        rereads: options.changed === "reread",
        cleaning: (options.clean ?? "off") === "off" ? null : cleaning
      })
    }),
    clean: ({ before }) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const sight = yield* Effect.flatMap(FileLedgers, (ledgers) => ledgers.look(key))
        if (sight === null) return { removed: [], kept: 0, by: null }
        const { covered, files } = sight
        const removed = yield* FileCleaning.clean({ fs, folder }, files.slice(0, covered.files), { before, cleaning })
        return { removed, kept: files.length - covered.files, by: covered.by }
      })
  }
}

const cleaningOf = ({ archive }: SourceOptions): FileCleaning.Cleaning =>
  archive === undefined ? { kind: "delete" } : { kind: "archive", archive: archive.replace(/\/+$/, "") }

/** What can never work is refused when the job is written. */
const check = (
  folder: string,
  { archive, clean = "off", maxFilesPerEpoch = 1, recursive, watch }: SourceOptions
): void => {
  const refuse = (why: string) => {
    throw new RangeError(`A source of files of ${JSON.stringify(folder)}: ${why}`)
  }
  if (folder === "") refuse("there is no folder without a name")
  if (!Number.isSafeInteger(maxFilesPerEpoch) || maxFilesPerEpoch < 1)
    refuse(`an epoch has rows of one file at least, not of ${maxFilesPerEpoch}`)
  if (clean === "archive" && archive === undefined) refuse('`clean: "archive"` needs a folder: `archive`')
  if (clean !== "off" && watch === false) refuse("what is read by `watch: false` is not cleaned up: nothing notes it")
  if (archive !== undefined && `${archive}/`.startsWith(`${folder}/`) && (recursive || archive === folder))
    refuse("files in its archive would be read again: let `archive` be no folder that is read")
}
