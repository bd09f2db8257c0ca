/** Lookups from files: the whole file is read, each time. */
import { FileSystem } from "@effect/platform"
import { Effect, type Schema } from "effect"
import * as Lookup from "../../flow/Lookup.ts"
import { LookupUnreadable, StorageFailed } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import * as FileRows from "./FileRows.ts"

export type Format = "csv" | "json-lines" | "json"

export interface LookupOptions<A, K extends Lookup.KeyColumn<A>, T extends Lookup.Refresh>
  extends Lookup.Options<A, K, T> {
  /** Default: by the path's end: `.csv`, `.tsv`; `.jsonl`, `.ndjson`; `.json`. */
  readonly format?: Format
  /** Of CSV: is the first record the columns' names? Default: yes. Else cells have the order of the Schema's fields. */
  readonly header?: boolean
  /** Of CSV. Default: a comma; of a path that ends in `.tsv` a tab. */
  readonly separator?: string
}

/**
 * The rows of a file: CSV (quotes, line ends within them, a byte order mark, any line end), lines of JSON, or one array
 * of JSON. Fields have the names that the Schema has outside. In CSV a cell without text is `null` for a field that may
 * be null and is left out for one that may be absent; `""` is the empty text.
 *
 * `path` is the process's own. At most `Limits.lookupBytesMax` bytes and `Limits.lookupRowsMax` rows; a JSON array at
 * most `Limits.decodeBytesMax` bytes. A file that is replaced while a job reads it should be renamed into its place.
 *
 *     Files.lookup("shops.csv", Shop, { key: ["shopid"], refresh: "5 minutes", duplicates: "last" })
 */
export const lookup = <A, I, const K extends Lookup.KeyColumn<A>, const T extends Lookup.Refresh = "fixed">(
  path: string,
  schema: Schema.Schema<A, I>,
  options: LookupOptions<A, K, T>
): Lookup.Lookup<Pick<A, K>, A, LookupUnreadable | StorageFailed, FileSystem.FileSystem, Lookup.PolicyOf<T>> => {
  const format = options.format ?? formatOf(path)
  const separator = options.separator ?? (path.toLowerCase().endsWith(".tsv") ? "\t" : ",")
  const rowsOf = (bytes: Uint8Array) => {
    switch (format) {
      case "csv":
        return FileRows.csv(bytes, schema, { header: options.header ?? true, separator })
      case "json-lines":
        return FileRows.jsonLines(bytes, schema)
      case "json":
        return FileRows.json(bytes, schema)
    }
  }
  const load = Effect.flatMap(bytesOf(options.name ?? path, path), (bytes) =>
    Effect.mapError(rowsOf(bytes), ({ message }) => unreadable(options.name ?? path, `${path}, ${message}`, mend))
  )
  return Lookup.make({ from: path, label: `file ${path}`, schema, load }, options)
}

const mend = "Mend the file, or the Schema that it is read by."

const formatOf = (path: string): Format => {
  const end = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase()
  if (end === "csv" || end === "tsv") return "csv"
  if (end === "jsonl" || end === "ndjson") return "json-lines"
  if (end === "json") return "json"
  throw new RangeError(`Files.lookup: the end of ${path} says no format: give it one by \`format\``)
}

const bytesOf = (
  name: string,
  path: string
): Effect.Effect<Uint8Array, LookupUnreadable | StorageFailed, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const { size, type } = yield* files.stat(path)
    if (type !== "File") return yield* unreadable(name, `${path} is no file`, "Say which file it is.")
    if (size > Limits.lookupBytesMax)
      return yield* unreadable(
        name,
        `${path} has ${size} bytes, more than ${Limits.lookupBytesMax}`,
        "Keep what is so large in a topic, and join it: Flow.temporalJoin."
      )
    return yield* files.readFile(path)
  }).pipe(
    Effect.catchTags({
      BadArgument: (error) => Effect.fail(failed(name, path, error)),
      SystemError: (error): Effect.Effect<never, LookupUnreadable | StorageFailed> =>
        error.reason === "NotFound"
          ? unreadable(
              name,
              `there is no file ${path}`,
              "Put it there, or say where it is: paths are the process's own."
            )
          : Effect.fail(failed(name, path, error))
    })
  )

const failed = (name: string, path: string, { message }: Error): StorageFailed =>
  new StorageFailed({
    path,
    message: `Lookup ${name}: ${path} cannot be read: ${message}`,
    hint: "See that the process may read the file, and that its disk answers."
  })

const unreadable = (lookup: string, why: string, hint: string): LookupUnreadable =>
  new LookupUnreadable({ lookup, message: `Lookup ${lookup}: ${why}`, hint })
