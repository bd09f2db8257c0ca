/**
 * Writes the rows of epochs into files of a folder, each row once.
 *
 *     commit e  rows of e ─► spool, synced ─► files of what is due, made aside ─► moved into their places, synced
 *     manifest  keeps which spools hold rows that are in no file yet
 *     commit e + 1 removes the spools that the manifest of e no longer names
 *
 * So a row is in a spool that the manifest names, or in a file, or its epoch is computed again from its intent; and the spool
 * says which files its epoch makes, so that these are made again, and no others. A reader sees whole files only.
 */
import { Effect, Exit, type Scope } from "effect"
import type { EpochRows, OwnWriter, Prepared, SinkError, SinkOpening } from "../../flow/Sink.ts"
import { type Fenced, NotDeterministic, type StorageFailed } from "../../model/Errors.ts"
import type { Millis } from "../../model/Time.ts"
import type * as FileForm from "./FileForm.ts"
import * as FileOwner from "./FileOwner.ts"
import * as FileRoll from "./FileRoll.ts"
import * as FileSinkOpening from "./FileSinkOpening.ts"
import * as FileStanding from "./FileStanding.ts"
import type { FolderFiles } from "./FolderFiles.ts"
import * as FolderRows from "./FolderRows.ts"
import * as Spool from "./Spool.ts"

/** What a sink writes, and when. */
export interface Written extends FolderRows.Writing {
  readonly form: FileForm.Form
  readonly roll: FileStanding.Roll
}

/** Where it writes. */
export interface Place {
  readonly files: FolderFiles
  readonly folder: string
  /** Where it keeps what is in no file yet: the owner's own folder is in it. */
  readonly home: string
  /** The beginning of the names of its files. */
  readonly owner: string
}

/** Takes the sink over, mends what was left, and makes files of rows that stand in another form than they will from now on. */
export const open = (
  place: Place,
  written: Written,
  opening: SinkOpening
): Effect.Effect<OwnWriter, SinkError, Scope.Scope> =>
  Effect.gen(function* () {
    const { files, folder, home, owner } = place
    const own = yield* FileOwner.takeOver(files, home, opening, { mayBeginAnew: opening.position !== null })
    const destination: FileRoll.Destination = { files, folder, own, owner, lineage: opening.lineage }
    const found = yield* FileSinkOpening.find(destination, opening, written.form.text)
    const writer = new Writer(destination, { home, written, opening }, found)
    if (found.standing.form !== written.form.text) yield* writer.rollAll
    yield* Effect.addFinalizer((exit) => (Exit.isSuccess(exit) ? writer.end : Effect.void))
    return {
      _tag: "OwnWriter",
      prepare: (rows) => Effect.sync(() => writer.prepare(rows)),
      commit: ({ epoch }) => writer.commit(epoch),
      position: Effect.sync(() => writer.position()),
      dueAt: () => writer.dueAt()
    } satisfies OwnWriter
  })

// Private

/** An epoch that waits for its commit. */
interface Ready extends FolderRows.Prepared {
  readonly closedAt: Millis
  readonly final: boolean
}

interface Around {
  readonly home: string
  readonly written: Written
  readonly opening: SinkOpening
}

class Writer {
  readonly #destination: FileRoll.Destination
  readonly #around: Around
  readonly #spools: Map<number, Spool.Index>
  readonly #waiting = new Map<number, Ready>()
  #standing: FileStanding.Standing
  /** The digest of the epoch at which it stands; `null`: this process has not written it. */
  #digest: string | null = null

  constructor(destination: FileRoll.Destination, around: Around, found: FileSinkOpening.Found) {
    this.#destination = destination
    this.#around = around
    this.#standing = { ...found.standing, lineage: around.opening.lineage }
    this.#spools = new Map(found.spools)
  }

  position(): string {
    return FileStanding.format(this.#standing)
  }

  dueAt(): Millis {
    return FileStanding.dueAt(this.#standing, this.#around.written.roll)
  }

  prepare(rows: EpochRows): Prepared {
    const { closedAt, epoch, final } = rows.barrier
    const made = FolderRows.prepare(this.#around.written, this.#around.opening.sink, rows)
    this.#waiting.set(epoch, { ...made, closedAt, final })
    return made.prepared
  }

  commit(epoch: number): Effect.Effect<"written" | "already there", StorageFailed | Fenced | NotDeterministic> {
    return Effect.suspend(() => {
      const ready = this.#waiting.get(epoch)
      if (ready === undefined)
        return Effect.dieMessage(`epoch ${epoch} of sink ${this.#around.opening.sink} was not prepared`)
      return Effect.tap(this.#orFenced(this.#written(ready)), () => Effect.sync(() => this.#waiting.delete(epoch)))
    })
  }

  /** All rows into files, of epochs whose manifests are durable. */
  get rollAll(): Effect.Effect<void, StorageFailed | Fenced> {
    return this.#orFenced(
      Effect.suspend(() => {
        const { epoch, form, parts } = this.#standing
        return Effect.map(
          FileRoll.roll(this.#destination, parts, { form, last: epoch, spools: this.#spools, mayBeThere: true }),
          () => {
            this.#standing = { ...this.#standing, form: this.#around.written.form.text, parts: [] }
          }
        )
      })
    )
  }

  /** The run has ended well: readers need not wait for the next one. What cannot be done now is done then. */
  get end(): Effect.Effect<void> {
    return Effect.catchAll(this.rollAll, (failure) =>
      Effect.logWarning(`${failure.message}. The rows that are in no file yet will be with the next run.`)
    )
  }

  #orFenced<A, E>(effect: Effect.Effect<A, E | StorageFailed>): Effect.Effect<A, E | StorageFailed | Fenced> {
    const { home, opening } = this.#around
    return Effect.catchTag(effect as Effect.Effect<A, StorageFailed>, "StorageFailed", (failure) =>
      FileOwner.orFenced(this.#destination.files, home, opening, failure)
    )
  }

  #written(ready: Ready): Effect.Effect<"written" | "already there", StorageFailed | NotDeterministic> {
    const { epoch, digest } = ready.prepared
    return Effect.gen(this, function* () {
      if (epoch <= this.#standing.epoch)
        return epoch < this.#standing.epoch || this.#digest === null || this.#digest === digest
          ? ("already there" as const)
          : yield* notDeterministic(this.#around.opening, epoch)
      yield* this.#removeFiled
      const found = yield* this.#found(epoch)
      if (found !== null && found.digest !== digest) return yield* notDeterministic(this.#around.opening, epoch)
      const index = found ?? this.#planned(ready)
      const isNothing = index.sections.length === 0 && index.rolls.length === 0
      if (found === null && !isNothing) yield* this.#spool(index, ready.parts)
      if (!isNothing) this.#spools.set(epoch, index)
      const standing = FileStanding.adding(this.#standing, index)
      const rolled = standing.parts.filter(({ folder }) => index.rolls.includes(folder))
      yield* FileRoll.roll(this.#destination, rolled, {
        form: standing.form,
        last: epoch,
        spools: this.#spools,
        mayBeThere: found !== null
      })
      this.#standing = FileStanding.without(standing, index.rolls)
      this.#digest = digest
      return found === null && !isNothing ? ("written" as const) : ("already there" as const)
    })
  }

  /** What an older process has written of this epoch; `null`: nothing that is whole. */
  #found(epoch: number): Effect.Effect<Spool.Index | null, StorageFailed> {
    return Effect.gen(this, function* () {
      const { files, own } = this.#destination
      const index = this.#spools.get(epoch)
      if (index === undefined) return null
      const path = files.join(own, Spool.nameOf(epoch))
      for (const section of index.sections)
        if (!Spool.isWhole(section, yield* files.read(path, section.start, section.end))) return null
      yield* files.sync(path)
      yield* files.syncFolder(own)
      return index
    })
  }

  #planned({ closedAt, final, parts, prepared: { digest, epoch } }: Ready): Spool.Index {
    const index = Spool.indexOf({ epoch, digest, closedAt, rolls: [] }, parts)
    const standing = FileStanding.adding(this.#standing, index)
    return { ...index, rolls: FileStanding.due(standing, this.#around.written.roll, { closedAt, final }) }
  }

  #spool(index: Spool.Index, parts: ReadonlyArray<Spool.Rows>): Effect.Effect<void, StorageFailed> {
    const { files, own } = this.#destination
    const put = (write: FileForm.Put) =>
      Effect.zipRight(
        Effect.forEach(parts, ({ bytes }) => write(bytes), { discard: true }),
        write(Spool.tailOf(index))
      )
    return Effect.zipRight(files.write(files.join(own, Spool.nameOf(index.epoch)), put), files.syncFolder(own))
  }

  /** Spools that the last manifest no longer names: it is durable when the next epoch is committed. */
  get #removeFiled(): Effect.Effect<void, StorageFailed> {
    return Effect.suspend(() => {
      const { files, own } = this.#destination
      const { epoch: last } = this.#standing
      const needed = new Set([
        ...FileStanding.epochsOf(this.#standing),
        ...FileSinkOpening.lastRolled(this.#spools, last)
      ])
      const filed = [...this.#spools.keys()].filter((epoch) => epoch <= last && !needed.has(epoch))
      return Effect.forEach(
        filed,
        (epoch) =>
          Effect.map(files.remove(files.join(own, Spool.nameOf(epoch))), () => void this.#spools.delete(epoch)),
        { discard: true }
      )
    })
  }
}

export const notDeterministic = ({ job, sink }: SinkOpening, epoch: number) =>
  new NotDeterministic({
    sink,
    epoch,
    message: `Job ${job}: epoch ${epoch} of sink ${sink} was computed again and gave other rows`,
    hint: "A step of the job depends on more than its input: a clock, a random number, an order. Remove that."
  })
