/**
 * Savepoints in a database: copies that the database makes itself, in one transaction with the row that names them. Each
 * part of the copy must be as many rows as the manifest names: what was collected meanwhile refuses the whole.
 */
import { Effect } from "effect"
import type { Statement } from "../flow/Tables.ts"
import { type SavepointExists, TablesUnavailable } from "../model/Errors.ts"
import type { Millis } from "../model/Time.ts"
import type { Manifest } from "./Checkpoint.ts"
import type { Pause, StoreError } from "./CheckpointStore.ts"
import { corrupted, epochsOf, type Sealed, seal, unsealManifest } from "./Encoding.ts"
import { exists, type Savepoint } from "./Savepoint.ts"
import { jobRow, type Place, readPast } from "./SqlCheckpointQueries.ts"
import { one } from "./SqlText.ts"

/** Manifests that are overtaken while they are copied: each round begins with the newest. */
const roundsMax = 8

export const save = (
  place: Place,
  job: string,
  as: Pick<Savepoint, "name" | "takenAt">,
  rounds = roundsMax
): Effect.Effect<Savepoint | null, StoreError | SavepointExists> =>
  Effect.gen(function* () {
    const found = yield* jobRow(place, job)
    const manifest = found === null ? null : (yield* readPast(place, job, found.lineage)).manifest
    if (manifest === null) return null
    if ((yield* list(place, job)).some(({ name }) => name === as.name)) return yield* exists(job, as.name)
    const done = yield* place.tables.transaction(copying(place, manifest, as)).pipe(
      Effect.as(true),
      Effect.catchTag("RowsUnexpected", () => Effect.succeed(false))
    )
    if (done) return { ...as, manifest }
    return rounds > 0 ? yield* save(place, job, as, rounds - 1) : yield* Effect.fail(overtakenAlways(job))
  })

export const list = (place: Place, job: string | null): Effect.Effect<ReadonlyArray<Savepoint>, StoreError> =>
  Effect.gen(function* () {
    const { say, tables } = place
    const rows = yield* tables.query(
      job === null
        ? say`select job, name, taken_at, body, checksum from weir_savepoint`
        : say`select job, name, taken_at, body, checksum from weir_savepoint where job = ${job} order by taken_at, name`
    )
    const savepoints: Array<Savepoint> = []
    for (const row of rows) {
      const sealed: Sealed = { body: String(row.body), checksum: Number(row.checksum) }
      const manifest = unsealManifest(sealed)
      if (manifest === null) {
        const what = `savepoint ${row.name}`
        return yield* Effect.fail(corrupted(String(row.job), 0, { what, how: "is not what was written", older: 0 }))
      }
      savepoints.push({ name: String(row.name), takenAt: Number(row.taken_at), manifest })
    }
    return savepoints
  })

export const remove = (place: Place, job: string, name: string): Effect.Effect<void, StoreError> => {
  const { say, tables } = place
  return tables
    .transaction([
      say`delete from weir_savepoint where job = ${job} and name = ${name}`,
      say`delete from weir_savepoint_state where job = ${job} and name = ${name}`,
      say`delete from weir_savepoint_lookup where job = ${job} and name = ${name}`
    ])
    .pipe(Effect.catchTag("RowsUnexpected", Effect.die))
}

/** What makes a savepoint the past of the lineage that `weir_job` names by then; `manifest` is its first. */
export const planting = (place: Place, { name }: Savepoint, manifest: Manifest): ReadonlyArray<Statement> => {
  const { say } = place
  const { epoch, job, lineage } = manifest
  const sealed = seal(manifest)
  const parts = manifest.state.reduce((sum, handle) => sum + epochsOf(handle).length, 0)
  return [
    {
      ...say`insert into weir_state (job, lineage, step, key_group, epoch, kind, bytes, checksum)
        select s.job, j.lineage, s.step, s.key_group, s.epoch, s.kind, s.bytes, s.checksum
        from weir_savepoint_state s join weir_job j on j.job = s.job where s.job = ${job} and s.name = ${name}`,
      rowsExpected: parts
    },
    say`insert into weir_lookup (job, lineage, lookup, version, part, parts, bytes, checksum)
      select s.job, j.lineage, s.lookup, s.version, s.part, s.parts, s.bytes, s.checksum
      from weir_savepoint_lookup s join weir_job j on j.job = s.job where s.job = ${job} and s.name = ${name}`,
    one(say`insert into weir_manifest (job, lineage, epoch, body, checksum)
      values (${job}, ${lineage}, ${epoch}, ${sealed.body}, ${sealed.checksum})`)
  ]
}

export const setPause = (place: Place, job: string, pause: Pause | null): Effect.Effect<void, StoreError> => {
  const { say, tables } = place
  const removal = say`delete from weir_pause where job = ${job}`
  const keeping =
    pause === null ? [] : [say`insert into weir_pause (job, body) values (${job}, ${JSON.stringify(pause)})`]
  return tables.transaction([removal, ...keeping]).pipe(Effect.catchTag("RowsUnexpected", Effect.die))
}

export const pauseOf = (place: Place, job: string): Effect.Effect<Pause | null, StoreError> =>
  Effect.map(place.tables.query(place.say`select body from weir_pause where job = ${job}`), ([row]) =>
    row === undefined ? null : (JSON.parse(String(row.body)) as Pause)
  )

// Private

const copying = (
  { say }: Place,
  manifest: Manifest,
  { name, takenAt }: { readonly name: string; readonly takenAt: Millis }
): ReadonlyArray<Statement> => {
  const { job, lineage } = manifest
  const sealed = seal(manifest)
  return [
    one(say`insert into weir_savepoint (job, name, taken_at, body, checksum)
      values (${job}, ${name}, ${takenAt}, ${sealed.body}, ${sealed.checksum})`),
    ...manifest.state.map((handle) => {
      const epochs = epochsOf(handle)
      return {
        ...say`insert into weir_savepoint_state (job, name, step, key_group, epoch, kind, bytes, checksum)
          select s.job, p.name, s.step, s.key_group, s.epoch, s.kind, s.bytes, s.checksum
          from weir_state s join weir_savepoint p on p.job = s.job
          where s.job = ${job} and p.name = ${name} and s.lineage = ${lineage} and s.step = ${handle.step}
          and s.key_group = ${handle.keyGroup} and s.epoch >= ${epochs[0]!} and s.epoch <= ${manifest.epoch}`,
        rowsExpected: epochs.length
      }
    }),
    ...Object.entries(manifest.lookups ?? {}).map(
      ([
        lookup,
        version
      ]) => say`insert into weir_savepoint_lookup (job, name, lookup, version, part, parts, bytes, checksum)
        select s.job, p.name, s.lookup, s.version, s.part, s.parts, s.bytes, s.checksum
        from weir_lookup s join weir_savepoint p on p.job = s.job
        where s.job = ${job} and p.name = ${name} and s.lineage = ${lineage} and s.lookup = ${lookup}
        and s.version = ${version}`
    )
  ]
}

const overtakenAlways = (job: string): TablesUnavailable =>
  new TablesUnavailable({
    code: "contention",
    message: `the checkpoints of job ${job} change faster than they can be copied`,
    hint: "take the savepoint while the job is paused"
  })
