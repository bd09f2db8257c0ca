/** Removes what a job has written into the files of a folder, while it does not run. */
import { Effect } from "effect"
import { SinkAhead, type StorageFailed } from "../../model/Errors.ts"
import * as FileNames from "./FileNames.ts"
import type { Place } from "./FileSinkWriter.ts"
import type { FolderFiles } from "./FolderFiles.ts"

/** All of it. What it keeps of itself goes last: while that is there, nothing is appended anew by mistake. */
export const clear = ({ files, folder, home, owner }: Place): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    for (const { path } of yield* filesOf(files, folder, owner)) yield* files.remove(path)
    yield* files.remove(home)
  })

/** Files of later epochs. One that also holds earlier ones cannot be cut: then nothing is removed. */
export const clearAfter = (
  { files, folder, owner }: Place,
  sink: string,
  epoch: number
): Effect.Effect<void, StorageFailed | SinkAhead> =>
  Effect.gen(function* () {
    const later = (yield* filesOf(files, folder, owner)).filter(({ last }) => last > epoch)
    const both = later.find(({ first }) => first <= epoch)
    if (both !== undefined)
      return yield* new SinkAhead({
        sink,
        sinkEpoch: both.last,
        manifestEpoch: epoch,
        message: `${both.path} holds rows of the epochs ${both.first} to ${both.last}, so those after epoch ${epoch} cannot be removed alone`,
        hint: "Go back to a savepoint that was taken while the job was stopped: then no file holds rows of both sides. Or begin anew with `weir reset <job> --tables`."
      })
    for (const { path } of later) yield* files.remove(path)
  })

interface Found extends FileNames.FileName {
  readonly path: string
}

/** Files of an owner in a folder and below it. */
export const filesOf = (
  files: FolderFiles,
  folder: string,
  owner: string
): Effect.Effect<ReadonlyArray<Found>, StorageFailed> =>
  Effect.gen(function* () {
    const found: Array<Found> = []
    const waiting = [folder]
    while (waiting.length > 0) {
      const at = waiting.pop()!
      for (const { isFolder, name } of yield* files.entries(at)) {
        const path = files.join(at, name)
        if (isFolder && !name.startsWith(".")) waiting.push(path)
        const parsed = isFolder ? null : FileNames.parse(name)
        if (parsed !== null && parsed.owner === owner) found.push({ ...parsed, path })
      }
    }
    return found
  })
