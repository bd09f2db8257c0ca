/**
 * Puts the rows of folders into files: each is made where nobody looks, synced, and moved into its place in one step. A file
 * that is there already, from a process that died afterwards, is left as it is.
 */
import { Effect } from "effect"
import { StorageFailed } from "../../model/Errors.ts"
import * as FileForm from "./FileForm.ts"
import * as FileNames from "./FileNames.ts"
import type { Part } from "./FileStanding.ts"
import type { FolderFiles } from "./FolderFiles.ts"
import * as Spool from "./Spool.ts"

/** Where a sink's files go, and whose they are. */
export interface Destination {
  readonly files: FolderFiles
  /** The folder of the sink. */
  readonly folder: string
  /** The owner's own folder, where files are made. */
  readonly own: string
  /** The beginning of their names. */
  readonly owner: string
  readonly lineage: number
}

/** What the spools of a sink hold, by epoch. */
export type Spools = ReadonlyMap<number, Spool.Index>

/** Files with the rows of these parts, up to epoch `last`. Durable when it ends. */
export const roll = (
  destination: Destination,
  parts: ReadonlyArray<Part>,
  {
    form,
    last,
    mayBeThere,
    spools
  }: {
    /** As the spools were written. */
    readonly form: string
    readonly last: number
    readonly spools: Spools
    /** Has an older process begun this? A file that has all rows of a part is enough then, also if it has more. */
    readonly mayBeThere: boolean
  }
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const { files } = destination
    const written = FileForm.parse(form)
    const folders = new Set<string>()
    for (const part of parts) {
      const folder = files.join(destination.folder, part.folder)
      folders.add(folder)
      if (mayBeThere && (yield* lastCovering(destination, part)) !== null) continue
      const temporary = files.join(destination.own, "file")
      const sections = part.epochs.map((epoch) => sectionOf(destination, spools.get(epoch), epoch, part.folder))
      yield* files.write(temporary, (put) => written.file(sections, put))
      yield* files.makeFolder(folder)
      const name = FileNames.format({
        owner: destination.owner,
        lineage: destination.lineage,
        first: part.epochs[0]!,
        last,
        end: written.end
      })
      if (!(yield* files.move(temporary, files.join(folder, name)))) return yield* gone(temporary)
    }
    yield* Effect.forEach(folders, files.makeFolder, { discard: true })
    yield* Effect.forEach(folders, files.syncFolder, { discard: true })
  })

/** The last epoch of a file that has all rows of a part; `null`: no file has. */
export const lastCovering = (
  { files, folder, owner }: Destination,
  part: Part
): Effect.Effect<number | null, StorageFailed> =>
  Effect.map(files.names(files.join(folder, part.folder)), (names) => {
    const lasts = (names ?? []).flatMap((name) => {
      const found = FileNames.parse(name)
      const isOf = found !== null && found.owner === owner
      return isOf && found.first <= part.epochs[0]! && found.last >= part.epochs.at(-1)! ? [found.last] : []
    })
    return lasts.length === 0 ? null : Math.min(...lasts)
  })

// Private

const sectionOf = (
  { files, own }: Destination,
  spool: Spool.Index | undefined,
  epoch: number,
  folder: string
): Effect.Effect<Uint8Array, StorageFailed> =>
  Effect.gen(function* () {
    const path = files.join(own, Spool.nameOf(epoch))
    const section = spool?.sections.find((one) => one.folder === folder)
    if (section === undefined) return yield* damaged(path)
    const bytes = yield* files.read(path, section.start, section.end)
    return Spool.isWhole(section, bytes) ? bytes : yield* damaged(path)
  })

const damaged = (path: string) =>
  new StorageFailed({
    path,
    message: `${path} is not as it was written`,
    hint: "The disk has lost or changed it. Restore it from a backup, or begin anew with `weir reset <job> --tables`."
  })

const gone = (path: string) =>
  new StorageFailed({
    path,
    message: `${path} was removed while it was in use`,
    hint: "Leave what is below `.weir` alone: it holds rows that are in no file yet."
  })
