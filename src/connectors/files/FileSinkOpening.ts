/**
 * What a sink of files finds when it is opened: what the last manifest knows must be there, what is there must be known, and
 * what a crash left between two steps is mended.
 */
import { Effect } from "effect"
import type { SinkOpening } from "../../flow/Sink.ts"
import { SinkAhead, SinkBehind, type StorageFailed } from "../../model/Errors.ts"
import * as FileRoll from "./FileRoll.ts"
import * as FileStanding from "./FileStanding.ts"
import * as Spool from "./Spool.ts"

/** How it stands, and what is on the disk of it. */
export interface Found {
  readonly standing: FileStanding.Standing
  /** Those of the standing, and those of epochs that are to be computed again. */
  readonly spools: ReadonlyMap<number, Spool.Index>
}

export const find = (
  destination: FileRoll.Destination,
  opening: SinkOpening,
  form: string
): Effect.Effect<Found, StorageFailed | SinkAhead | SinkBehind> =>
  Effect.gen(function* () {
    const { intentEpochs, manifestEpoch } = opening
    const kept = standingOf(opening, form)
    const spools = yield* spoolsIn(destination)
    const rolled: Array<string> = []
    for (const part of kept.parts) {
      const last = yield* FileRoll.lastCovering(destination, part)
      if (last !== null && last <= kept.epoch) rolled.push(part.folder)
      else if (last !== null && !intentEpochs.includes(last)) return yield* ahead(opening, last)
    }
    for (const { epoch, rolls } of spools.values())
      if (epoch > manifestEpoch && !intentEpochs.includes(epoch) && (yield* isShown(destination, epoch, rolls)))
        return yield* ahead(opening, epoch)
    // Files that were found may be there for this process only, until they are synced.
    for (const folder of rolled.map((below) => destination.files.join(destination.folder, below))) {
      yield* destination.files.makeFolder(folder)
      yield* destination.files.syncFolder(folder)
    }
    const standing = FileStanding.without(kept, rolled)
    const missing = FileStanding.epochsOf(standing).find((epoch) => !spools.has(epoch))
    if (missing !== undefined) return yield* behind(opening, missing)
    const needed = new Set([...FileStanding.epochsOf(standing), ...intentEpochs, ...lastRolled(spools, manifestEpoch)])
    yield* removeOthers(destination, needed, spools)
    return { standing, spools: new Map([...spools].filter(([epoch]) => needed.has(epoch))) }
  })

/**
 * Of spools whose rows are in files, the newest is kept: it says how far the sink has come, should the checkpoint be an older
 * one some day.
 */
export const lastRolled = (spools: ReadonlyMap<number, Spool.Index>, manifestEpoch: number): ReadonlyArray<number> => {
  const epochs = [...spools.values()].flatMap(({ epoch, rolls }) =>
    rolls.length > 0 && epoch <= manifestEpoch ? [epoch] : []
  )
  return epochs.length === 0 ? [] : [Math.max(...epochs)]
}

// Private

const standingOf = ({ lineage, manifestEpoch, position }: SinkOpening, form: string): FileStanding.Standing =>
  position === null ? { lineage, epoch: manifestEpoch, form, parts: [] } : FileStanding.parse(position)

/** Those that were finished. */
const spoolsIn = ({
  files,
  own
}: FileRoll.Destination): Effect.Effect<ReadonlyMap<number, Spool.Index>, StorageFailed> =>
  Effect.gen(function* () {
    const spools = new Map<number, Spool.Index>()
    for (const name of (yield* files.names(own)) ?? []) {
      const epoch = Spool.epochOf(name)
      if (epoch === null) continue
      const path = files.join(own, name)
      const size = yield* files.size(path)
      if (size < Spool.fixedBytes) continue
      const length = Spool.indexLength(yield* files.read(path, size - Spool.fixedBytes, size), size)
      if (length === null) continue
      const index = Spool.parseIndex(yield* files.read(path, size - Spool.fixedBytes - length, size))
      if (index !== null && index.epoch === epoch) spools.set(epoch, index)
    }
    return spools
  })

/** Is there a file that this epoch made? */
const isShown = (
  destination: FileRoll.Destination,
  epoch: number,
  rolls: ReadonlyArray<string>
): Effect.Effect<boolean, StorageFailed> =>
  Effect.gen(function* () {
    for (const folder of rolls) {
      const part = { folder, epochs: [epoch], rows: 0, bytes: 0, since: 0 }
      if ((yield* FileRoll.lastCovering(destination, part)) !== null) return true
    }
    return false
  })

/** Files that were not finished, and spools that nobody asks for any more. */
const removeOthers = (
  { files, own }: FileRoll.Destination,
  needed: ReadonlySet<number>,
  spools: ReadonlyMap<number, Spool.Index>
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    for (const name of (yield* files.names(own)) ?? []) {
      const epoch = Spool.epochOf(name)
      if (epoch === null || !needed.has(epoch) || !spools.has(epoch)) yield* files.remove(files.join(own, name))
    }
  })

const ahead = ({ job, manifestEpoch, sink }: SinkOpening, sinkEpoch: number) =>
  new SinkAhead({
    sink,
    sinkEpoch,
    manifestEpoch,
    message: `Job ${job}: sink ${sink} has files of epoch ${sinkEpoch}, of which the checkpoint at epoch ${manifestEpoch} has no intent`,
    hint: `The checkpoint is older than the files. Restore the newer one, or begin anew: \`weir reset ${job} --tables\`.`
  })

const behind = ({ job, manifestEpoch, sink }: SinkOpening, missing: number) =>
  new SinkBehind({
    sink,
    sinkEpoch: missing - 1,
    manifestEpoch,
    message: `Job ${job}: sink ${sink} has lost the rows of epoch ${missing}, which were in no file yet; the checkpoint is at epoch ${manifestEpoch}`,
    hint: `The folder is older than the checkpoint, or was removed. Restore it with what is below \`.weir\`, or begin anew: \`weir reset ${job} --tables\`.`
  })
