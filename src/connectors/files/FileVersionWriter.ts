/**
 * Makes a folder equal to the rows of one epoch: they are written whole beside it, as a version, and the folder is a symbolic
 * link, which is moved from one version to the next in one step. A reader sees the old result or the new one.
 *
 *     out/stocks ─► .stocks.weir/_versions/7-2/year=2017/…
 *
 * The version before stays until the next run begins, for readers who are in the middle of it.
 */
import { Effect } from "effect"
import type { OwnWriter, Prepared, SinkError, SinkOpening } from "../../flow/Sink.ts"
import { type Fenced, StorageFailed } from "../../model/Errors.ts"
import type { Form } from "./FileForm.ts"
import * as FileNames from "./FileNames.ts"
import * as FileOwner from "./FileOwner.ts"
import type { Place } from "./FileSinkWriter.ts"
import type { FolderFiles } from "./FolderFiles.ts"
import * as FolderRows from "./FolderRows.ts"

export interface WrittenWhole extends FolderRows.Writing {
  readonly form: Form
}

/** The folder beside a folder that has its versions. */
export const besideOf = (files: FolderFiles, folder: string): string =>
  files.join(files.parentOf(folder), `.${files.nameOf(folder)}.weir`)

export const open = (place: Place, written: WrittenWhole, opening: SinkOpening): Effect.Effect<OwnWriter, SinkError> =>
  Effect.gen(function* () {
    const { files, folder, home } = place
    if ((yield* linkedVersion(files, folder)) === null && (yield* files.exists(folder))) return yield* notOurs(folder)
    const own = yield* FileOwner.takeOver(files, home, opening, { mayBeginAnew: true })
    yield* fenced(place, opening, removeOlder(place, own))
    const waiting = new Map<number, FolderRows.Prepared>()
    let attempts = 0
    return {
      _tag: "OwnWriter",
      prepare: (rows) =>
        Effect.sync(() => {
          const made = FolderRows.prepare(written, opening.sink, rows)
          waiting.set(rows.barrier.epoch, made)
          return made.prepared
        }),
      commit: ({ epoch }: Prepared) =>
        Effect.gen(function* () {
          const made = waiting.get(epoch)
          if (made === undefined)
            return yield* Effect.dieMessage(`epoch ${epoch} of sink ${opening.sink} was not prepared`)
          const version = `${opening.lineage}-${epoch}`
          const isThere = ((yield* files.names(versionsOf(files, folder))) ?? []).includes(version)
          if (!isThere) yield* make(place, { ...opening, epoch, own, version, form: written.form }, made, ++attempts)
          yield* show(place, own, version)
          waiting.delete(epoch)
          return isThere ? ("already there" as const) : ("written" as const)
        }).pipe((effect) => fenced(place, opening, effect)),
      position: Effect.succeed(null)
    } satisfies OwnWriter
  })

/** Removes the link and all versions; nothing of a folder that is none of ours. */
export const clear = ({ files, folder }: Place): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    if ((yield* linkedVersion(files, folder)) !== null) yield* files.remove(folder)
    yield* files.remove(besideOf(files, folder))
  })

// Private

const versionsOf = (files: FolderFiles, folder: string): string => files.join(besideOf(files, folder), "_versions")

/** Where the link leads, as it stands in it: from the folder that the link is in. */
const targetOf = (files: FolderFiles, folder: string, version: string): string =>
  files.join(`.${files.nameOf(folder)}.weir`, "_versions", version)

/** The version that readers see; `null`: there is none, or what is there is no link of ours. */
const linkedVersion = (files: FolderFiles, folder: string): Effect.Effect<string | null, StorageFailed> =>
  Effect.map(files.linkAt(folder), (target) => {
    if (target === null) return null
    const version = files.nameOf(target)
    return target === targetOf(files, folder, version) ? version : null
  })

const fenced = <A>(
  { files, home }: Place,
  opening: SinkOpening,
  effect: Effect.Effect<A, StorageFailed>
): Effect.Effect<A, StorageFailed | Fenced> =>
  Effect.catchTag(effect, "StorageFailed", (failure) => FileOwner.orFenced(files, home, opening, failure))

/**
 * Removes what an owner before has begun, and every version but the one that readers see. A version is moved into the
 * owner's own folder first: that fails where a newer owner has taken over, whose versions these may be.
 */
const removeOlder = ({ files, folder }: Place, own: string): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    for (const name of (yield* files.names(own)) ?? []) yield* files.remove(files.join(own, name))
    const seen = yield* linkedVersion(files, folder)
    for (const version of (yield* files.names(versionsOf(files, folder))) ?? []) {
      if (version === seen) continue
      const removed = files.join(own, `removed-${version}`)
      if (!(yield* files.move(files.join(versionsOf(files, folder), version), removed))) return yield* gone(own)
      yield* files.remove(removed)
    }
  })

interface Version {
  readonly own: string
  readonly version: string
  readonly lineage: number
  readonly epoch: number
  readonly form: Form
}

const make = (
  { files, folder, owner }: Place,
  { epoch, form, lineage, own, version }: Version,
  { parts }: FolderRows.Prepared,
  attempt: number
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const making = files.join(own, `version-${attempt}`)
    yield* files.makeFolderIn(making)
    const name = FileNames.format({ owner, lineage, first: epoch, last: epoch, end: form.end })
    for (const { bytes, folder: below } of parts) {
      const path = files.join(making, below)
      yield* files.makeFolder(path)
      yield* files.write(files.join(path, name), (put) => form.file([Effect.succeed(bytes)], put))
      yield* files.syncFolder(path)
    }
    yield* files.makeFolder(versionsOf(files, folder))
    if (!(yield* files.move(making, files.join(versionsOf(files, folder), version)))) return yield* gone(making)
    yield* files.syncFolder(versionsOf(files, folder))
  })

const show = ({ files, folder }: Place, own: string, version: string): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const link = files.join(own, "link")
    yield* files.remove(link)
    yield* files.link(targetOf(files, folder, version), link)
    if (!(yield* files.move(link, folder))) return yield* gone(link)
    yield* files.syncFolder(files.parentOf(folder))
  })

const gone = (path: string) =>
  new StorageFailed({
    path,
    message: `${path} was removed while it was in use`,
    hint: "Leave what is below a folder that ends in `.weir` alone: the next result is made there."
  })

const notOurs = (folder: string) =>
  new StorageFailed({
    path: folder,
    message: `${folder} is there, and no link to a result of Weir`,
    hint: "Each run replaces the whole folder, so it must be one that a run has made: move this one away, or choose another."
  })
