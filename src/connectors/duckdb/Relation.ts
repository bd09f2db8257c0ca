/** The files of a folder as one relation: which of them are read, and by which function of DuckDB. */
import { FileSystem } from "@effect/platform"
import { Effect } from "effect"
import { InvalidConfiguration, StorageFailed } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"

/** Files that a question names as one table, with the columns that their folders say. */
export interface Relation {
  readonly name: string
  readonly folder: string
  readonly format: Format
  /** Their paths, in order: at least one. */
  readonly files: ReadonlyArray<string>
}

export type Format = "parquet" | "jsonl" | "csv"

const formats: ReadonlyArray<Format> = ["parquet", "jsonl", "csv"]

/** Of the names of a folder's files, those that a reader is to read. */
export type Chosen = (names: ReadonlyArray<string>) => ReadonlyArray<string>

/**
 * The files in a folder and the folders below it, as they are now. What is hidden, as `.weir` is, or ends in `.tmp` or
 * `.part` is not committed, and never among them. A folder that is a link is read where it leads to now.
 */
export const relationOf = (
  folder: string,
  { chosen, name }: { readonly name: string; readonly chosen: Chosen }
): Effect.Effect<Relation, InvalidConfiguration | StorageFailed, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const real = yield* files.realPath(folder)
    const found = yield* filesBelow(files, real, chosen)
    const present = formats.filter((format) => found.some((path) => path.endsWith(`.${format}`)))
    const [format] = present
    if (format === undefined) return yield* refused(folder, "has no files of rows yet", noFiles)
    if (present.length > 1) return yield* refused(folder, `has files of several kinds: ${present.join(", ")}`, oneKind)
    return { name, folder, format, files: found.filter((path) => path.endsWith(`.${format}`)).sort() }
  }).pipe(
    Effect.catchTags({
      BadArgument: (error) => Effect.fail(unread(folder, error)),
      SystemError: (error): Effect.Effect<never, InvalidConfiguration | StorageFailed> =>
        error.reason === "NotFound" ? refused(folder, "is not there", noFiles) : Effect.fail(unread(folder, error))
    })
  )

const noFiles =
  "Name a folder of Parquet, JSON lines or CSV files, or a job that writes some; its first file may not be written yet."
const oneKind = "Name the folder of one of them."

const filesBelow = (files: FileSystem.FileSystem, root: string, chosen: Chosen) =>
  Effect.gen(function* () {
    const found: Array<string> = []
    const left = [root]
    for (let folder = left.pop(); folder !== undefined; folder = left.pop()) {
      const names = (yield* files.readDirectory(folder)).filter((name) => !/^\.|\.(?:tmp|part)$/.test(name))
      const own: Array<string> = []
      for (const name of names) {
        const { type } = yield* files.stat(`${folder}/${name}`)
        if (type === "Directory") left.push(`${folder}/${name}`)
        else if (type === "File") own.push(name)
      }
      for (const name of chosen(own)) found.push(`${folder}/${name}`)
      if (found.length > Limits.folderFilesMax)
        return yield* refused(root, `has more than ${Limits.folderFilesMax} files`, "Merge them: `weir compact`.")
    }
    return found
  })

const refused = (folder: string, what: string, hint: string): InvalidConfiguration =>
  new InvalidConfiguration({ name: "files", message: `The folder ${folder} ${what}`, hint })

const unread = (folder: string, { message }: Error): StorageFailed =>
  new StorageFailed({
    path: folder,
    message: `The folder ${folder} cannot be read: ${message}`,
    hint: "See that the process may read it, and that its disk answers."
  })
