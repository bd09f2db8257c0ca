/**
 * The fence of a sink in a database of tables: one row for each (job, sink, slot), in the sink's own database, changed
 * in the same transaction as the rows. Epochs pass it once and in order; older owners do not pass it at all.
 *
 * An owner opens the fence once, then puts `advance` before the rows of each epoch. If that transaction is refused or
 * its outcome is unknown, `afterRefusal` reads what became of it. Epochs of one lineage are consecutive integers, so
 * the epoch before e is e - 1.
 */
import { Effect } from "effect"
import type { Column, Statement, TablesError, TablesService } from "../flow/Tables.ts"
import { Fenced, NotDeterministic, OtherLineage, SinkAhead, SinkBehind } from "../model/Errors.ts"
import { one, saying } from "./SqlText.ts"

export const table = "weir_fence"

/** Who opens the fence of a sink, and from where the job goes on. */
export interface FenceOpening {
  readonly job: string
  readonly sink: string
  readonly lineage: number
  readonly generation: number
  /** The epoch of the last manifest; before the first one of a lineage, its `epochFloor`. */
  readonly manifestEpoch: number
  /** Every intent above it. */
  readonly intentEpochs: ReadonlyArray<number>
  /** `Claim.epochFloor`; 0 if absent. The fence of an older lineage is taken over only if this is where we stand. */
  readonly epochFloor?: number
  /** The last manifest knows the sink: a fence that is not there was lost, with all that the sink held. Absent: no. */
  readonly isKnown?: boolean
}

/** The epoch that is to pass, and whose it is. */
export interface FenceStamp {
  readonly job: string
  readonly sink: string
  readonly lineage: number
  readonly generation: number
  readonly epoch: number
}

/** The row of a fence. `digest` is empty until an epoch has passed. */
export interface FenceRow {
  readonly sink: string
  readonly lineage: number
  readonly generation: number
  readonly epoch: number
  readonly digest: string
}

/** What became of an epoch whose outcome was unknown. */
export type Passage = "already there" | "not there"

export type FenceRefusal = Fenced | SinkAhead | SinkBehind | OtherLineage

/** One process is slot 0. */
const slot = 0
/** Owners that take a fence at the same moment: each round one of them wins. */
const roundsMax = 8

const column = (name: string, kind: "text" | "int64"): Column => ({ name, type: { kind }, nullable: false })
const columns: ReadonlyArray<Column> = [
  column("job", "text"),
  column("sink", "text"),
  column("slot", "int64"),
  column("lineage", "int64"),
  column("generation", "int64"),
  column("epoch", "int64"),
  column("digest", "text")
]

/** Creates the table of fences if it is missing. `open` does it too. */
export const ensureTable = (tables: TablesService): Effect.Effect<void, TablesError> =>
  tables.transaction([tables.dialect.createTable(table, columns, ["job", "sink", "slot"])]).pipe(
    // Two that create a table at once: `if not exists` of one of them may be refused.
    Effect.retry({ times: 1, while: (error) => error._tag === "StatementRefused" }),
    Effect.catchTag("RowsUnexpected", Effect.die),
    Effect.asVoid
  )

/**
 * Takes the fence for this generation, or says why it cannot be taken. Answers the epoch that the fence stands at:
 * `manifestEpoch`, or above it if epochs of intents have passed already. An owner may open it again.
 */
export const open = (tables: TablesService, opening: FenceOpening): Effect.Effect<number, TablesError | FenceRefusal> =>
  Effect.zipRight(ensureTable(tables), round(tables, opening, roundsMax))

const round = (
  tables: TablesService,
  opening: FenceOpening,
  rounds: number
): Effect.Effect<number, TablesError | FenceRefusal> =>
  Effect.gen(function* () {
    const found = yield* rowOf(tables, opening)
    if (found === null && opening.isKnown === true) return yield* behind(opening, opening.manifestEpoch, null)
    const epoch = found === null ? opening.manifestEpoch : yield* admit(opening, found)
    if (found !== null && found.lineage === opening.lineage && found.generation === opening.generation) return epoch
    const taking = found === null ? creation(tables, opening) : takeover(tables, opening, found, epoch)
    return yield* tables.transaction([taking]).pipe(
      Effect.as(epoch),
      // Somebody else created or changed the row since it was read: look again.
      Effect.catchTags({
        RowsUnexpected: () =>
          rounds > 0 ? round(tables, opening, rounds - 1) : Effect.fail(contended(opening, found)),
        StatementRefused: (refused) =>
          found === null && rounds > 0 ? round(tables, opening, rounds - 1) : Effect.fail(refused)
      })
    )
  })

/** The epoch at which the fence may be taken. */
const admit = (opening: FenceOpening, found: FenceRow): Effect.Effect<number, FenceRefusal> => {
  const { lineage, manifestEpoch: m } = opening
  if (found.lineage > lineage) return Effect.fail(otherLineage(opening, found))
  if (found.lineage < lineage) {
    if (found.epoch > m) return Effect.fail(otherLineage(opening, found))
    return m > (opening.epochFloor ?? m) ? Effect.fail(behind(opening, m, found)) : Effect.succeed(m)
  }
  if (found.epoch < m) return Effect.fail(behind(opening, m, found))
  for (let e = m + 1; e <= found.epoch; e++) {
    if (!opening.intentEpochs.includes(e)) return Effect.fail(ahead(opening, found))
  }
  return found.generation > opening.generation ? Effect.fail(fenced(opening, found)) : Effect.succeed(found.epoch)
}

/**
 * The statement that lets the epoch pass, to be the first of its sink's in the transaction of its rows. It changes one
 * row, or the transaction fails with `RowsUnexpected`: then ask `afterRefusal`.
 */
export const advance = (tables: TablesService, stamp: FenceStamp, digest: string): Statement =>
  one(saying(tables.dialect)`update weir_fence set epoch = ${stamp.epoch}, digest = ${digest}
    where job = ${stamp.job} and sink = ${stamp.sink} and slot = ${slot} and lineage = ${stamp.lineage}
    and generation = ${stamp.generation} and epoch = ${stamp.epoch - 1}`)

/**
 * What became of an epoch whose transaction failed with `RowsUnexpected` or `TablesUnavailable`: `already there`, a
 * lost acknowledgement; or `not there`, and it may be tried again as it was.
 */
export const afterRefusal = (
  tables: TablesService,
  stamp: FenceStamp,
  digest: string
): Effect.Effect<Passage, TablesError | Fenced | NotDeterministic | SinkBehind> =>
  Effect.flatMap(rowOf(tables, stamp), (found): Effect.Effect<Passage, Fenced | NotDeterministic | SinkBehind> => {
    const wanted = stamp.epoch - 1
    if (found === null) return Effect.fail(behind(stamp, wanted, null))
    if (found.lineage > stamp.lineage || (found.lineage === stamp.lineage && found.generation > stamp.generation)) {
      return Effect.fail(fenced(stamp, found))
    }
    // An older owner, or an epoch before the last one: the database has forgotten what it once confirmed.
    if (found.lineage < stamp.lineage || found.generation < stamp.generation || found.epoch < wanted) {
      return Effect.fail(behind(stamp, wanted, found))
    }
    if (found.epoch === wanted) return Effect.succeed("not there")
    return found.epoch === stamp.epoch && found.digest !== digest
      ? Effect.fail(notDeterministic(stamp))
      : Effect.succeed("already there")
  })

/** The fences of a job, one for each sink, by name: what a new lineage has to begin above. */
export const read = (tables: TablesService, job: string): Effect.Effect<ReadonlyArray<FenceRow>, TablesError> =>
  Effect.gen(function* () {
    if ((yield* tables.describe(table)) === null) return []
    const rows = yield* tables.query(
      saying(tables.dialect)`select sink, lineage, generation, epoch, digest from weir_fence
        where job = ${job} and slot = ${slot} order by sink`
    )
    return rows.map(fenceRow)
  })

/** The other jobs that have ever written to the sink of this name, in order. */
export const others = (
  tables: TablesService,
  of: { readonly job: string; readonly sink: string }
): Effect.Effect<ReadonlyArray<string>, TablesError> =>
  Effect.gen(function* () {
    if ((yield* tables.describe(table)) === null) return []
    const rows = yield* tables.query(
      saying(
        tables.dialect
      )`select distinct job from weir_fence where sink = ${of.sink} and job <> ${of.job} order by job`
    )
    return rows.map(({ job }) => String(job))
  })

const rowOf = (
  tables: TablesService,
  of: { readonly job: string; readonly sink: string }
): Effect.Effect<FenceRow | null, TablesError> =>
  tables
    .query(
      saying(tables.dialect)`select sink, lineage, generation, epoch, digest from weir_fence
        where job = ${of.job} and sink = ${of.sink} and slot = ${slot}`
    )
    .pipe(Effect.map((rows) => (rows[0] === undefined ? null : fenceRow(rows[0]))))

const fenceRow = (row: Readonly<Record<string, unknown>>): FenceRow => ({
  sink: String(row.sink),
  lineage: Number(row.lineage),
  generation: Number(row.generation),
  epoch: Number(row.epoch),
  digest: String(row.digest)
})

const creation = (tables: TablesService, opening: FenceOpening): Statement =>
  one(saying(tables.dialect)`insert into weir_fence (job, sink, slot, lineage, generation, epoch, digest)
    values (${opening.job}, ${opening.sink}, ${slot}, ${opening.lineage}, ${opening.generation},
    ${opening.manifestEpoch}, ${""})`)

/** The row as it was read is part of the condition: an epoch that passes meanwhile is not overwritten. */
const takeover = (tables: TablesService, opening: FenceOpening, found: FenceRow, epoch: number): Statement =>
  one(saying(tables.dialect)`update weir_fence set lineage = ${opening.lineage},
    generation = ${opening.generation}, epoch = ${epoch}
    where job = ${opening.job} and sink = ${opening.sink} and slot = ${slot} and lineage = ${found.lineage}
    and generation = ${found.generation} and epoch = ${found.epoch}`)

interface Owner {
  readonly job: string
  readonly sink: string
  readonly lineage: number
  readonly generation: number
}

const fenced = (owner: Owner, found: FenceRow): Fenced =>
  new Fenced({
    job: owner.job,
    generation: owner.generation,
    newer: found.generation,
    message: `Sink ${owner.sink} of job ${owner.job} belongs to generation ${found.generation} of lineage ${found.lineage}, not to generation ${owner.generation} of lineage ${owner.lineage}`,
    hint: "Another process has taken the job over; this one stops."
  })

const contended = (opening: FenceOpening, found: FenceRow | null): Fenced =>
  fenced(opening, found ?? { ...opening, epoch: opening.manifestEpoch, digest: "" })

const ahead = (opening: FenceOpening, found: FenceRow): SinkAhead =>
  new SinkAhead({
    sink: opening.sink,
    sinkEpoch: found.epoch,
    manifestEpoch: opening.manifestEpoch,
    message: `Sink ${opening.sink} of job ${opening.job} has epoch ${found.epoch}, but the checkpoint has epoch ${opening.manifestEpoch} and no intent for each epoch between`,
    hint: `The checkpoint is older than the sink: restore the newer checkpoint, or begin a new lineage with: weir reset ${opening.job}.`
  })

const behind = (owner: Owner, manifestEpoch: number, found: FenceRow | null): SinkBehind =>
  new SinkBehind({
    sink: owner.sink,
    sinkEpoch: found?.epoch ?? 0,
    manifestEpoch,
    message:
      found === null
        ? `Sink ${owner.sink} of job ${owner.job} has lost its fence, which stood at epoch ${manifestEpoch}`
        : `Sink ${owner.sink} of job ${owner.job} is at epoch ${found.epoch} (lineage ${found.lineage}, generation ${found.generation}), but the checkpoint is at epoch ${manifestEpoch} (lineage ${owner.lineage})`,
    hint: `The sink's database lost epochs that it had confirmed: restore it, or begin a new lineage with: weir reset ${owner.job}.`
  })

const otherLineage = (opening: FenceOpening, found: FenceRow): OtherLineage =>
  new OtherLineage({
    sink: opening.sink,
    lineage: opening.lineage,
    found: found.lineage,
    message: `Sink ${opening.sink} of job ${opening.job} has epoch ${found.epoch} of lineage ${found.lineage}, but the checkpoint is at epoch ${opening.manifestEpoch} of lineage ${opening.lineage}`,
    hint:
      found.lineage > opening.lineage
        ? "Use the checkpoint of the newer lineage, or another sink."
        : `Begin a lineage above every epoch of the sink with: weir reset ${opening.job}.`
  })

const notDeterministic = (stamp: FenceStamp): NotDeterministic =>
  new NotDeterministic({
    sink: stamp.sink,
    epoch: stamp.epoch,
    message: `Epoch ${stamp.epoch} of job ${stamp.job}, computed again, gave other rows for sink ${stamp.sink} than it had written`,
    hint: "A function of the job depends on something that is not in its input: a clock, dice, an outer variable."
  })
