/**
 * The checkpoint store in a database of tables: the rows of the sinks there, their fences, the state and the manifest
 * of an epoch are one transaction, so that nothing has to be reconciled after a crash.
 *
 * Every write begins with an update of the job's row that names lineage and generation. It takes the row's lock, so an
 * owner that was paused in the middle waits for its successor, and then changes no row and fails.
 */
import { Effect, Layer } from "effect"
import { type Statement, Tables, type TablesError } from "../flow/Tables.ts"
import { crc32 } from "../model/Crc32.ts"
import { type Defect, type Fenced, type FolderNewer, RowsUnexpected, TablesUnavailable } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { Intent, Manifest } from "./Checkpoint.ts"
import {
  CheckpointStore,
  type CheckpointStoreService,
  type Claim,
  type EpochCommit,
  type JobRecord,
  type StoreError
} from "./CheckpointStore.ts"
import {
  collectable,
  corrupted,
  doesNotFollow,
  outOfTurn,
  overtaken,
  type PartPlace,
  seal,
  unsealManifest
} from "./Encoding.ts"
import { planted, type Savepoint } from "./Savepoint.ts"
import * as Lookups from "./SqlCheckpointLookups.ts"
import * as Queries from "./SqlCheckpointQueries.ts"
import * as Savepoints from "./SqlCheckpointSavepoints.ts"
import { prepare, stateColumns, stateKey } from "./SqlCheckpointTables.ts"
import { one, saying } from "./SqlText.ts"

/** Owners that claim a job at the same moment: each round one of them wins. */
const roundsMax = 8

/** The kept manifests as this owner knows them, oldest first: spares a query at every commit. */
interface Kept {
  readonly generation: number
  readonly manifests: ReadonlyArray<Manifest>
}

interface Place extends Queries.Place {
  readonly kept: Map<string, Kept>
}

/** Creates what is missing of the tables; `FolderNewer` where a newer version of Weir has written. */
export const make: Effect.Effect<CheckpointStoreService, TablesError | RowsUnexpected | FolderNewer, Tables> =
  Effect.gen(function* () {
    const tables = yield* Tables
    yield* prepare(tables)
    const place: Place = { tables, say: saying(tables.dialect), kept: new Map() }
    return {
      tables,
      label: tables.identity,
      claim: (job, jobId) => claim(place, job, jobId, roundsMax),
      writeIntent: (owner, intent) => writeIntent(place, owner, intent),
      commit: (owner, epoch) => commit(place, owner, epoch),
      readState: (manifest) => Queries.readState(place, manifest),
      writeLookup: (owner, rows, inUse) => Lookups.write(place, owner, rows, inUse),
      readLookup: (owner, at) => Lookups.read(place, owner, at),
      lookUp: (job) =>
        Effect.flatMap(Queries.lookUp(place, job), (record) =>
          record === null ? Effect.succeed(null) : withPause(place, record)
        ),
      list: Effect.flatMap(Queries.list(place), (records) =>
        Effect.forEach(records, (record) => withPause(place, record))
      ),
      progress: (job, last) => Queries.progress(place, job, last),
      neededOffsets: Effect.flatMap(Savepoints.list(place, null), (savepoints) =>
        Queries.neededOffsets(
          place,
          savepoints.map(({ manifest }) => manifest)
        )
      ),
      reset: (job, epochsSeen, savepoint) => reset(place, job, { epochsSeen, savepoint }, roundsMax),
      savepoint: (job, name, takenAt) => Savepoints.save(place, job, { name, takenAt }),
      savepoints: (job) => Savepoints.list(place, job),
      removeSavepoint: (job, name) => Savepoints.remove(place, job, name),
      setPause: (job, pause) => Savepoints.setPause(place, job, pause)
    }
  })

export const layer: Layer.Layer<CheckpointStore, TablesError | RowsUnexpected | FolderNewer, Tables> = Layer.effect(
  CheckpointStore,
  make
)

// Owners

const claim = (place: Place, job: string, jobId: string, rounds: number): Effect.Effect<Claim, StoreError | Fenced> =>
  Effect.gen(function* () {
    const { say, tables } = place
    const found = yield* Queries.jobRow(place, job)
    const generation = (found?.generation ?? 0) + 1
    const owner = { jobId: found?.jobId || jobId, lineage: found?.lineage ?? 1, floor: found?.floor ?? 0 }
    const taking =
      found === null
        ? say`insert into weir_job (job, job_id, lineage, generation, epoch_floor, intended, committed)
            values (${job}, ${jobId}, ${owner.lineage}, ${generation}, ${0}, ${0}, ${0})`
        : say`update weir_job set generation = ${generation}, job_id = ${owner.jobId}
            where job = ${job} and lineage = ${found.lineage} and generation = ${found.generation}`
    const taken = yield* tables.transaction([one(taking)]).pipe(
      Effect.as(true),
      Effect.catchTags({
        RowsUnexpected: () => (rounds > 0 ? Effect.succeed(false) : Effect.fail(contended(job))),
        StatementRefused: (refused) => (found === null && rounds > 0 ? Effect.succeed(false) : Effect.fail(refused))
      })
    )
    if (!taken) return yield* claim(place, job, jobId, rounds - 1)
    place.kept.delete(job)
    const { floor, lineage } = owner
    // Read after the generation is taken: from here on nobody else can add to it. A reset may remove it.
    const past = yield* Effect.tapError(
      readPast(place, { job, lineage, floor, committed: found?.committed ?? 0 }),
      () => checkOwner(place, { job, lineage, generation })
    )
    return { job, jobId: owner.jobId, lineage, generation, ...past, epochFloor: floor }
  })

const readPast = (
  place: Place,
  { committed, floor, job, lineage }: Pick<Queries.JobRow, "lineage" | "floor" | "committed"> & { readonly job: string }
) =>
  Effect.gen(function* () {
    const past = yield* Queries.readPast(place, job, lineage)
    if ((past.manifest?.epoch ?? floor) >= committed) return past
    const older = past.manifest === null ? 0 : 1
    return yield* corrupted(job, committed, { what: "the manifest", how: "is missing", older })
  })

const writeIntent = (place: Place, owner: Claim, intent: Intent): Effect.Effect<void, StoreError | Fenced | Defect> => {
  const { say, tables } = place
  const { epoch } = intent
  const sealed = seal(intent)
  return tables
    .transaction([
      one(say`update weir_job set intended = ${epoch} where job = ${owner.job} and lineage = ${owner.lineage}
        and generation = ${owner.generation} and intended = ${epoch - 1}`),
      one(say`insert into weir_intent (job, lineage, epoch, body, checksum)
        values (${owner.job}, ${owner.lineage}, ${epoch}, ${sealed.body}, ${sealed.checksum})`)
    ])
    .pipe(
      Effect.asVoid,
      Effect.catchTag("RowsUnexpected", () => explainIntent(place, owner, intent, sealed.body))
    )
}

/** The intent did not fit: a newer owner, a lost acknowledgement, or an epoch out of turn. */
const explainIntent = (
  place: Place,
  owner: Claim,
  intent: Intent,
  body: string
): Effect.Effect<void, StoreError | Fenced | Defect> =>
  Effect.gen(function* () {
    yield* checkOwner(place, owner)
    const [there] = yield* place.tables.query(
      place.say`select body from weir_intent where job = ${owner.job} and lineage = ${owner.lineage}
        and epoch = ${intent.epoch}`
    )
    if (there?.body === body) return
    yield* Effect.fail(outOfTurn(intent, there !== undefined))
  })

const checkOwner = (
  place: Place,
  owner: Pick<Claim, "job" | "lineage" | "generation">
): Effect.Effect<Queries.JobRow, StoreError | Fenced> =>
  Effect.flatMap(Queries.jobRow(place, owner.job), (found) =>
    found !== null && found.lineage === owner.lineage && found.generation === owner.generation
      ? Effect.succeed(found)
      : Effect.fail(overtaken(owner, found))
  )

// Epochs

const commit = (
  place: Place,
  owner: Claim,
  commit: EpochCommit
): Effect.Effect<void, StoreError | Fenced | RowsUnexpected> =>
  Effect.gen(function* () {
    const { say, tables } = place
    const { manifest } = commit
    const sealed = seal(manifest)
    const before = yield* keptManifests(place, owner)
    const all = [...before.filter(({ epoch }) => epoch < manifest.epoch), manifest]
    const kept = all.slice(-Limits.manifestsKept)
    yield* tables
      .transaction([
        one(say`update weir_job set committed = ${manifest.epoch} where job = ${owner.job}
          and lineage = ${owner.lineage} and generation = ${owner.generation} and committed = ${manifest.epoch - 1}`),
        ...commit.statements,
        ...stateInserts(place, owner, commit),
        one(say`insert into weir_manifest (job, lineage, epoch, body, checksum)
          values (${owner.job}, ${owner.lineage}, ${manifest.epoch}, ${sealed.body}, ${sealed.checksum})`),
        one(say`insert into weir_progress (job, epoch, body)
          values (${owner.job}, ${manifest.epoch}, ${commit.progress})`),
        ...collection(place, owner, {
          leaving: all.slice(0, all.length - kept.length),
          oldest: kept[0]!,
          manifest
        })
      ])
      .pipe(
        Effect.catchTags({
          RowsUnexpected: (unexpected) => explainCommit(place, owner, commit, sealed.body, unexpected),
          // Whether it is there nobody knows: what is kept is read again at the next commit.
          TablesUnavailable: (lost) =>
            Effect.zipRight(
              Effect.sync(() => place.kept.delete(owner.job)),
              Effect.fail(lost)
            )
        })
      )
    place.kept.set(owner.job, { generation: owner.generation, manifests: kept })
  })

/** The transaction was refused: by the claim, a lost acknowledgement of the same epoch, or a statement of a sink. */
const explainCommit = (
  place: Place,
  owner: Claim,
  commit: EpochCommit,
  body: string,
  unexpected: RowsUnexpected
): Effect.Effect<void, StoreError | Fenced | RowsUnexpected> =>
  Effect.gen(function* () {
    const { committed } = yield* checkOwner(place, owner)
    const { manifest, statements } = commit
    const { hint, expected, found } = unexpected
    const statement = unexpected.statement - 1
    if (statement >= 0 && statement < statements.length) {
      const message = `statement ${statement} of epoch ${manifest.epoch} of job ${owner.job} changed ${found} rows instead of ${expected}`
      return yield* Effect.fail(new RowsUnexpected({ message, hint, statement, expected, found }))
    }
    const [there] = yield* place.tables.query(
      place.say`select body from weir_manifest where job = ${owner.job} and lineage = ${owner.lineage}
        and epoch = ${manifest.epoch}`
    )
    if (there?.body !== body) yield* Effect.fail(doesNotFollow(manifest, committed))
  })

const stateInserts = (place: Place, owner: Claim, commit: EpochCommit): ReadonlyArray<Statement> => {
  const rows = commit.state.flatMap(({ step, parts }) => parts.map((part) => ({ step, part })))
  const statements: Array<Statement> = []
  for (let start = 0; start < rows.length; start += Limits.statementRowsMax) {
    const some = rows.slice(start, start + Limits.statementRowsMax)
    statements.push(
      ...place.tables.dialect.upsert(
        "weir_state",
        stateColumns,
        [],
        [
          some.map(() => owner.job),
          some.map(() => owner.lineage),
          some.map(({ step }) => step),
          some.map(({ part }) => part.keyGroup),
          some.map(() => commit.manifest.epoch),
          some.map(({ part }) => part.kind),
          some.map(({ part }) => part.bytes),
          some.map(({ part }) => crc32(part.bytes))
        ]
      )
    )
  }
  return statements
}

/** Removes what no kept manifest needs. Every epoch removes about as much as it adds. */
const collection = (
  place: Place,
  owner: Claim,
  of: { readonly leaving: ReadonlyArray<Manifest>; readonly oldest: Manifest; readonly manifest: Manifest }
): ReadonlyArray<Statement> => {
  const { say } = place
  const ended = say`delete from weir_progress where job = ${owner.job}
    and epoch <= ${of.manifest.epoch - Limits.progressKept}`
  if (of.leaving.length === 0) return [ended]
  return [
    ended,
    say`delete from weir_manifest where job = ${owner.job} and lineage = ${owner.lineage}
      and epoch < ${of.oldest.epoch}`,
    say`delete from weir_intent where job = ${owner.job} and lineage = ${owner.lineage}
      and epoch < ${of.oldest.epoch}`,
    ...stateDeletes(
      place,
      owner,
      of.leaving.flatMap((leaving) => collectable(leaving, of.oldest))
    )
  ]
}

const stateDeletes = (place: Place, owner: Claim, dead: ReadonlyArray<PartPlace>): ReadonlyArray<Statement> => {
  const unique = [...new Map(dead.map((part) => [`${part.epoch} ${part.keyGroup} ${part.step}`, part])).values()]
  const statements: Array<Statement> = []
  for (let start = 0; start < unique.length; start += Limits.statementRowsMax) {
    const some = unique.slice(start, start + Limits.statementRowsMax)
    statements.push(
      ...place.tables.dialect.remove("weir_state", stateKey, [
        some.map(() => owner.job),
        some.map(() => owner.lineage),
        some.map((part) => part.step),
        some.map((part) => part.keyGroup),
        some.map((part) => part.epoch)
      ])
    )
  }
  return statements
}

/** The manifests before this commit, oldest first. One that cannot be read names nothing; it goes when its turn comes. */
const keptManifests = (place: Place, owner: Claim): Effect.Effect<ReadonlyArray<Manifest>, StoreError> => {
  const known = place.kept.get(owner.job)
  if (known !== undefined && known.generation === owner.generation) return Effect.succeed(known.manifests)
  return Effect.map(Queries.manifestRows(place, owner.job, owner.lineage), (rows) =>
    rows.map(unsealManifest).filter((manifest) => manifest !== null)
  )
}

const withPause = (place: Place, record: JobRecord): Effect.Effect<JobRecord, StoreError> =>
  Effect.map(Savepoints.pauseOf(place, record.job), (paused) => (paused === null ? record : { ...record, paused }))

const reset = (
  place: Place,
  job: string,
  of: { readonly epochsSeen: number; readonly savepoint: Savepoint | undefined },
  rounds: number
): Effect.Effect<{ readonly lineage: number; readonly epochFloor: number }, StoreError> =>
  Effect.gen(function* () {
    const { say, tables } = place
    const found = yield* Queries.jobRow(place, job)
    const lineage = (found?.lineage ?? 1) + 1
    const floor = Math.max(of.epochsSeen, found?.floor ?? 0, found?.intended ?? 0, found?.committed ?? 0)
    const generation = found === null ? 0 : found.generation + 1
    const first =
      of.savepoint === undefined
        ? null
        : planted(of.savepoint, { lineage, generation, epochFloor: floor, jobId: found?.jobId ?? "" })
    // What is planted is the first epoch of the lineage, and durable.
    const last = first?.epoch ?? floor
    const renewing =
      found === null
        ? say`insert into weir_job (job, job_id, lineage, generation, epoch_floor, intended, committed)
            values (${job}, ${""}, ${lineage}, ${generation}, ${floor}, ${last}, ${last})`
        : say`update weir_job set lineage = ${lineage}, generation = ${generation},
            epoch_floor = ${floor}, intended = ${last}, committed = ${last}
            where job = ${job} and lineage = ${found.lineage} and generation = ${found.generation}
            and intended = ${found.intended}`
    const done = yield* tables
      .transaction([
        one(renewing),
        say`delete from weir_manifest where job = ${job}`,
        say`delete from weir_intent where job = ${job}`,
        say`delete from weir_state where job = ${job}`,
        say`delete from weir_lookup where job = ${job}`,
        ...(first === null ? [] : Savepoints.planting(place, of.savepoint!, first))
      ])
      .pipe(
        Effect.as(true),
        Effect.catchTag("RowsUnexpected", () => (rounds > 0 ? Effect.succeed(false) : Effect.fail(contended(job))))
      )
    place.kept.delete(job)
    return done ? { lineage, epochFloor: floor } : yield* reset(place, job, of, rounds - 1)
  })

const contended = (job: string): TablesUnavailable =>
  new TablesUnavailable({
    code: "contention",
    message: `too many owners want job ${job} at once`,
    hint: "start the job in one process only"
  })
