/** Rows into files of a folder: Parquet, lines of JSON, CSV. */
import type { FileSystem, Path } from "@effect/platform"
import { Duration, Effect, Schema, SchemaAST } from "effect"
import { encodeJson } from "../../flow/Codec.ts"
import type { Refuses } from "../../flow/Flow.ts"
import { OutputFolder } from "../../flow/OutputFolder.ts"
import { columnsOf, type RowColumn } from "../../flow/RowColumns.ts"
import type { Sink, SinkError } from "../../flow/Sink.ts"
import * as CsvLines from "./CsvLines.ts"
import * as FileForm from "./FileForm.ts"
import * as FileNames from "./FileNames.ts"
import * as FileSinkWriter from "./FileSinkWriter.ts"
import type { Roll } from "./FileStanding.ts"
import * as FilesClear from "./FilesClear.ts"
import * as FileVersionWriter from "./FileVersionWriter.ts"
import * as FolderFiles from "./FolderFiles.ts"
import * as ParquetFile from "./ParquetFile.ts"
import * as ParquetRows from "./ParquetRows.ts"
import * as PartitionPath from "./PartitionPath.ts"

/** What is in a file stays there. */
interface AppendOnly extends Refuses<"changes", "files append: put Flow.emit(onClose) before it or use Sql.upsert"> {}

type Needs = FileSystem.FileSystem | Path.Path

export interface SinkOptions<A> {
  /**
   * Columns that become folders, `year=2017/month=9`, and are not in the files. Numbers are not padded. `null`, and a text
   * without characters, is `__HIVE_DEFAULT_PARTITION__`, as in Hive. A row whose folder would have a name of more than 255
   * bytes is set aside. Default: none, all files are in the folder itself.
   */
  readonly by?: ReadonlyArray<keyof A & string>
  /**
   * When the rows of a folder become a file: at the end of the epoch with which they are so many rows, so many bytes (as
   * lines of text), or so old. Until then nobody sees them. All become files when a run ends, or the job is stopped. Default:
   * 1,000,000 rows, 256 MiB, 10 minutes. The price of less: more and smaller files.
   */
  readonly roll?: { readonly rows?: number; readonly bytes?: number; readonly every?: Duration.DurationInput }
  /**
   * Is the folder to be equal to the result of each run, for a job that recomputes? Then it is a symbolic link, which a reader
   * finds to lead to the whole of one result, and the result before stays on the disk until the next run begins. Default: no,
   * rows are added.
   */
  readonly replace?: boolean
  /** Names the sink in drawings and checkpoints. Default: the folder, as it is given here. */
  readonly name?: string
}

export interface ParquetSinkOptions<A> extends SinkOptions<A> {
  /** Of the pages of a file. Default: `snappy`. */
  readonly compression?: ParquetFile.Compression
}

export interface CsvSinkOptions<A> extends SinkOptions<A> {
  /** Does each file begin with the columns' names? Default: yes. */
  readonly header?: boolean
  /** Default: a comma. */
  readonly separator?: string
}

/**
 * `folder`, here and below: a relative path is below the data folder of whoever hosts the job.
 *
 * Parquet, with columns of the names of the fields: `Decimal` as DECIMAL and `Int64` as INT64 with all their digits, `Instant`
 * as TIMESTAMP (milliseconds, UTC), `Schema.Int` as INT32, other numbers as DOUBLE, booleans, text, bytes; lists and structs
 * as text of JSON. A row with a value that its column does not hold is set aside.
 *
 *     Flow.to(Files.toParquet("out/prices", Price, { by: ["year", "month"], roll: { every: "1 hour" } }))
 */
export const toParquet = <A, I>(
  folder: string,
  schema: Schema.Schema<A, I>,
  options: ParquetSinkOptions<A> = {}
): Sink<A, SinkError, Needs, AppendOnly> => {
  const by = byOf(folder, schema, options)
  const columns = restOf(folder, schema, by)
  const wide = columns.find(({ type }) => type.kind === "decimal" && type.precision > ParquetFile.decimalDigitsMax)
  if (wide !== undefined)
    throw new TypeError(`Files: ${folder}.${wide.field} has more than ${ParquetFile.decimalDigitsMax} digits`)
  return sinkOf(folder, options, {
    label: "Parquet",
    by,
    form: FileForm.of({
      kind: "parquet",
      columns: columns.map(({ field, nullable, type }) => ({ name: field, type, nullable })),
      compression: options.compression ?? "snappy"
    }),
    encode: ParquetRows.encoderOf(columns)
  })
}

/**
 * Lines of JSON, as a `Codec` writes them: digits stay digits, fields have the names that the Schema has outside. A row that
 * JSON has no text for is set aside.
 *
 *     Flow.to(Files.toJsonLines("out/invoices", InvoiceLine, { roll: { every: "1 minute" } }))
 */
export const toJsonLines = <A, I>(
  folder: string,
  schema: Schema.Schema<A, I>,
  options: SinkOptions<A> = {}
): Sink<A, SinkError, Needs, AppendOnly> => {
  const by = byOf(folder, schema, options)
  const rest = by.length === 0 ? schema : Schema.make<A, I, never>(SchemaAST.omit(schema.ast, [...(options.by ?? [])]))
  const write = encodeJson(rest)
  return sinkOf(folder, options, {
    label: "lines of JSON",
    by,
    form: FileForm.of({ kind: "lines", end: "jsonl", head: "" }),
    encode: (row) => ended(write(row as A))
  })
}

/**
 * CSV that `Files.csv` reads back: cells are quoted where they must be, `null` is a cell without text, an empty text is `""`,
 * lists and structs are JSON.
 */
export const toCsv = <A, I>(
  folder: string,
  schema: Schema.Schema<A, I>,
  options: CsvSinkOptions<A> = {}
): Sink<A, SinkError, Needs, AppendOnly> => {
  const by = byOf(folder, schema, options)
  const columns = restOf(folder, schema, by)
  const lines = CsvLines.make(columns, options.separator ?? ",")
  return sinkOf(folder, options, {
    label: "CSV",
    by,
    form: FileForm.of({ kind: "lines", end: "csv", head: options.header === false ? "" : lines.head }),
    encode: (row) => utf8.encode(lines.line(row))
  })
}

// Private

const utf8 = new TextEncoder()

const rollDefault: Roll = { rows: 1_000_000, bytes: 268_435_456, everyMillis: 600_000 }

interface Kind {
  /** What the files are, for the drawing. */
  readonly label: string
  readonly by: ReadonlyArray<RowColumn>
  readonly form: FileForm.Form
  readonly encode: FileSinkWriter.Written["encode"]
}

const sinkOf = <A>(
  folder: string,
  options: SinkOptions<A>,
  { by, encode, form, label }: Kind
): Sink<A, SinkError, Needs, AppendOnly> => {
  const name = options.name ?? folder
  if (name === "") throw new RangeError("Files: a folder has a name of 1 character or more")
  const grouped = by.length === 0 ? "" : ` by ${by.map(({ field }) => field).join(", ")}`
  const files = `${label} in ${folder}${grouped}`
  const writing = { form, encode, placeOf: PartitionPath.make(by) }
  const common = { name, folder, guarantee: "exactly once", replaces: false, key: [] } as const
  if (options.replace === true) {
    const placeOf = placesOf(folder, name, FileVersionWriter.besideOf)
    return {
      ...common,
      label: `${files}, replaced whole by each run`,
      isWhole: true,
      clear: (job) => Effect.flatMap(placeOf(job), FileVersionWriter.clear),
      open: (opening) =>
        Effect.flatMap(placeOf(opening.job), (place) => FileVersionWriter.open(place, writing, opening))
    }
  }
  const roll = rollOf(folder, options.roll ?? {})
  const placeOf = placesOf(folder, name, (disk, path) => disk.join(path, ".weir"))
  return {
    ...common,
    label: `${files}, shown after ${Duration.format(Duration.millis(roll.everyMillis))} at most`,
    clear: (job) => Effect.flatMap(placeOf(job), FilesClear.clear),
    clearAfter: (job, epoch) => Effect.flatMap(placeOf(job), (place) => FilesClear.clearAfter(place, name, epoch)),
    open: (opening) =>
      Effect.flatMap(placeOf(opening.job), (place) => FileSinkWriter.open(place, { ...writing, roll }, opening))
  }
}

/** `besideOf`: where, for a folder, jobs keep what is no file yet. */
const placesOf =
  (folder: string, sink: string, besideOf: (files: FolderFiles.FolderFiles, folder: string) => string) =>
  (job: string): Effect.Effect<FileSinkWriter.Place, never, Needs> =>
    Effect.gen(function* () {
      const files = yield* FolderFiles.make
      const path = files.resolve(yield* OutputFolder, folder)
      return {
        files,
        folder: path,
        home: files.join(besideOf(files, path), FileNames.folderNameOf(job), FileNames.folderNameOf(sink)),
        owner: FileNames.ownerOf(job, sink)
      }
    })

const rollOf = (folder: string, { bytes, every, rows }: NonNullable<SinkOptions<never>["roll"]>): Roll => {
  const roll: Roll = {
    rows: rows ?? rollDefault.rows,
    bytes: bytes ?? rollDefault.bytes,
    everyMillis: every === undefined ? rollDefault.everyMillis : Duration.toMillis(every)
  }
  for (const [what, value] of Object.entries(roll))
    if (!(value > 0)) throw new RangeError(`Files: ${folder}: \`roll\` must be above 0, and its ${what} is ${value}`)
  return roll
}

/** Types that folders have names of. */
const placeable: ReadonlyArray<string> = ["text", "integer", "int64", "decimal", "instant", "boolean"]

const byOf = <A, I>(
  folder: string,
  schema: Schema.Schema<A, I>,
  { by = [] }: SinkOptions<A>
): ReadonlyArray<RowColumn> => {
  const columns = columnsOf(schema, { door: "Files", name: folder })
  const chosen = by.map((name) => {
    const column = columns.find(({ field }) => field === name)
    if (column === undefined) throw new TypeError(`Files: the rows of ${folder} have no field '${name}'`)
    if (!placeable.includes(column.type.kind))
      throw new TypeError(`Files: ${folder}.${name} is ${column.type.kind}, which is no folder's name`)
    return column
  })
  if (new Set(by).size < by.length) throw new TypeError(`Files: ${folder}: a column of \`by\` is named twice`)
  if (chosen.length === columns.length)
    throw new TypeError(`Files: ${folder}: all columns are folders, so nothing is left for the files`)
  return chosen
}

const restOf = <A, I>(
  folder: string,
  schema: Schema.Schema<A, I>,
  by: ReadonlyArray<RowColumn>
): ReadonlyArray<RowColumn> =>
  columnsOf(schema, { door: "Files", name: folder }).filter(({ field }) => !by.some((other) => other.field === field))

const ended = (line: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(line.length + 1)
  bytes.set(line)
  bytes[line.length] = 10
  return bytes
}
