/**
 * The one owner of what a sink keeps on the disk: a folder that has the owner's name, `<lineage>-<generation>`.
 *
 * Whoever takes a sink over renames the folder: in one step, and from then on no path of the older owner leads anywhere. A
 * rename that it begins later, of a file into its place, fails, whatever it does between.
 */
import { Effect } from "effect"
import { Fenced, OtherLineage, StorageFailed } from "../../model/Errors.ts"
import type { FolderFiles } from "./FolderFiles.ts"

/** Who owns a sink. */
export interface Owner {
  readonly job: string
  readonly sink: string
  readonly lineage: number
  readonly generation: number
}

/**
 * Takes what is in `home` over, and answers the folder in which it is now. `mayBeginAnew`: may an older lineage be there of
 * which the checkpoint knows nothing? Then nothing of it is kept.
 */
export const takeOver = (
  files: FolderFiles,
  home: string,
  owner: Owner,
  { mayBeginAnew }: { readonly mayBeginAnew: boolean }
): Effect.Effect<string, StorageFailed | Fenced | OtherLineage> =>
  Effect.gen(function* () {
    const own = files.join(home, nameOf(owner))
    yield* files.makeFolder(home)
    const before = yield* ownersIn(files, home)
    yield* refuseOthers(owner, before)
    // A generation is given out once: an equal one says that the checkpoints have gone back in time.
    if (before.some((found) => isSame(found, owner))) return yield* fenced(owner, owner.generation)
    if (!mayBeginAnew && before.some(({ lineage }) => lineage < owner.lineage))
      return yield* begunAnew(owner, before[0]!.lineage)
    // Another may do the same at the same time: whoever is older of the two is gone when the newer one looks last.
    for (let turn = 0; turn < turnsMax; turn++) {
      const found = yield* ownersIn(files, home)
      yield* refuseOthers(owner, found)
      const older = found.filter((other) => !isSame(other, owner))
      const isMade = found.length > older.length
      if (older.length === 0 && isMade) {
        yield* files.syncFolder(home)
        return own
      }
      if (older.length === 0) yield* files.makeFolder(own)
      else yield* takeOne(files, home, { older, own, isMade })
    }
    return yield* new StorageFailed({
      path: home,
      message: `Job ${owner.job}: ${home} cannot be taken over: others take it all the time`,
      hint: "See which processes run this job: one is enough."
    })
  })

/** Why an operation in an owner's folder failed: a newer owner has it, or what the disk said. */
export const orFenced = (
  files: FolderFiles,
  home: string,
  owner: Owner,
  failure: StorageFailed
): Effect.Effect<never, StorageFailed | Fenced> =>
  Effect.gen(function* () {
    const found = yield* Effect.orElseSucceed(ownersIn(files, home), (): ReadonlyArray<Pair> => [])
    const newer = found.find((other) => isNewer(other, owner))
    return yield* newer === undefined ? failure : fenced(owner, newer.generation)
  })

// Private

interface Pair {
  readonly lineage: number
  readonly generation: number
}

/** Owners that may come between while one takes a sink over. */
const turnsMax = 100

const nameOf = ({ generation, lineage }: Pair): string => `${lineage}-${generation}`

/** Newest first. */
const ownersIn = (files: FolderFiles, home: string): Effect.Effect<ReadonlyArray<Pair>, StorageFailed> =>
  Effect.map(files.names(home), (names) =>
    (names ?? [])
      .flatMap((name): ReadonlyArray<Pair> => {
        const found = /^(\d{1,15})-(\d{1,15})$/.exec(name)
        return found === null ? [] : [{ lineage: Number(found[1]), generation: Number(found[2]) }]
      })
      .sort((a, b) => (isNewer(a, b) ? -1 : 1))
  )

const isSame = (one: Pair, other: Pair): boolean => one.lineage === other.lineage && one.generation === other.generation
const isNewer = (one: Pair, other: Pair): boolean =>
  one.lineage > other.lineage || (one.lineage === other.lineage && one.generation > other.generation)

const takeOne = (
  files: FolderFiles,
  home: string,
  { isMade, older, own }: { readonly older: ReadonlyArray<Pair>; readonly own: string; readonly isMade: boolean }
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const [newest] = older
    const path = files.join(home, nameOf(newest!))
    const there = yield* files.names(path)
    if (there === null) return
    // One whose owner was overtaken before it had anything; only one folder ever holds something.
    if (there.length === 0 && (isMade || older.length > 1)) return yield* files.remove(path)
    if (isMade && ((yield* files.names(own)) ?? []).length > 0)
      return yield* new StorageFailed({
        path,
        message: `${path} and ${own} both hold rows that are in no file yet`,
        hint: "One of them was put there by hand, or restored: move it away, and start the job again."
      })
    yield* files.move(path, own)
  })

const refuseOthers = (owner: Owner, found: ReadonlyArray<Pair>): Effect.Effect<void, Fenced | OtherLineage> => {
  const newer = found.find((other) => isNewer(other, owner))
  if (newer === undefined) return Effect.void
  return newer.lineage > owner.lineage ? otherLineage(owner, newer.lineage) : fenced(owner, newer.generation)
}

const fenced = ({ generation, job, sink }: Owner, newer: number) =>
  new Fenced({
    job,
    generation,
    newer,
    message: `Job ${job}: generation ${newer} has taken over sink ${sink} from generation ${generation}`,
    hint: `Another process runs this job; this one stops. If there is none, the checkpoints are older than the sink, as after a power cut or a restored copy: restore the newer ones, or begin anew with \`weir reset ${job} --tables\`.`
  })

const otherLineage = ({ job, lineage, sink }: Owner, found: number) =>
  new OtherLineage({
    sink,
    lineage,
    found,
    message: `Job ${job}: sink ${sink} holds lineage ${found}, the checkpoint is of lineage ${lineage}`,
    hint: `Restore the checkpoint of that lineage, or begin anew: \`weir reset ${job} --tables\`.`
  })

const begunAnew = ({ job, lineage, sink }: Owner, found: number) =>
  new OtherLineage({
    sink,
    lineage,
    found,
    message: `Job ${job} has begun anew, and sink ${sink} holds the files of lineage ${found}: their rows would come a second time`,
    hint: `Remove them: \`weir reset ${job} --tables\`. Or give the job another folder.`
  })
