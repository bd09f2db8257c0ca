/** What a database says of checkpoints: jobs, manifests, intents, state. Nothing here writes. */
import { Effect } from "effect"
import type { TablesError, TablesService } from "../flow/Tables.ts"
import { crc32 } from "../model/Crc32.ts"
import type { Offset } from "../model/Event.ts"
import type { StatePart } from "../state/StatePart.ts"
import type { Intent, Manifest, StateHandle } from "./Checkpoint.ts"
import type { JobRecord, StepState, StoreError } from "./CheckpointStore.ts"
import { corrupted, epochsOf, lowestOffsets, partNamed, unsealIntent, unsealManifest } from "./Encoding.ts"
import type { Row } from "./SqlCheckpointTables.ts"
import type { Say } from "./SqlText.ts"

export interface Place {
  readonly tables: TablesService
  readonly say: Say
}

/** A job's row.`intended` and `committed` are its highest epochs of an intent and of a manifest. */
export interface JobRow {
  readonly jobId: string
  readonly lineage: number
  readonly generation: number
  readonly floor: number
  readonly intended: number
  readonly committed: number
}

export const readPast = (
  place: Place,
  job: string,
  lineage: number
): Effect.Effect<{ readonly manifest: Manifest | null; readonly intents: ReadonlyArray<Intent> }, StoreError> =>
  Effect.gen(function* () {
    const rows = yield* manifestRows(place, job, lineage)
    const last = rows.at(-1)
    const manifest = last === undefined ? null : unsealManifest(last)
    if (last !== undefined && manifest === null) {
      return yield* Effect.fail(unreadable(job, last.epoch, "the manifest", rows.length - 1))
    }
    const found = yield* place.tables.query(
      place.say`select epoch, body, checksum from weir_intent where job = ${job} and lineage = ${lineage}
        and epoch > ${manifest?.epoch ?? 0} order by epoch`
    )
    const intents: Array<Intent> = []
    for (const row of found.map(sealedRow)) {
      const intent = unsealIntent(row)
      if (intent === null) return yield* Effect.fail(unreadable(job, row.epoch, "the intent", rows.length))
      intents.push(intent)
    }
    return { manifest, intents }
  })

export const manifestRows = (place: Place, job: string, lineage: number) =>
  place.tables
    .query(
      place.say`select epoch, body, checksum from weir_manifest where job = ${job} and lineage = ${lineage}
        order by epoch`
    )
    .pipe(Effect.map((rows) => rows.map(sealedRow)))

export const sealedRow = (row: Row) => ({
  epoch: Number(row.epoch),
  body: String(row.body),
  checksum: Number(row.checksum)
})

/** Key groups whose state one query reads: what a database sends at once stays a small share of it all. */
const keyGroupsAtOnce = 16

export const readState = (place: Place, manifest: Manifest): Effect.Effect<ReadonlyArray<StepState>, StoreError> =>
  Effect.gen(function* () {
    const steps = new Map<string, Array<StatePart>>()
    for (const handles of batchesOf(manifest.state)) {
      const { step } = handles[0]!
      const found = yield* stateRows(place, manifest, handles)
      const parts = steps.get(step) ?? []
      steps.set(step, parts)
      for (const handle of handles) {
        for (const epoch of epochsOf(handle)) {
          const part = partOf(found.get(handle.keyGroup)?.get(epoch), handle.keyGroup, epoch === handle.baseEpoch)
          if (typeof part === "string") {
            return yield* Effect.fail(
              corrupted(manifest.job, epoch, {
                what: partNamed(handle),
                how: part,
                older: yield* olderThan(place, manifest)
              })
            )
          }
          parts.push(part)
        }
      }
    }
    return [...steps].map(([step, parts]) => ({ step, parts }))
  })

/** Some handles of one step each, in their order. */
const batchesOf = (handles: ReadonlyArray<StateHandle>): ReadonlyArray<ReadonlyArray<StateHandle>> => {
  const batches: Array<Array<StateHandle>> = []
  for (const handle of handles) {
    const last = batches.at(-1)
    if (last !== undefined && last.length < keyGroupsAtOnce && last[0]!.step === handle.step) last.push(handle)
    else batches.push([handle])
  }
  return batches
}

/** Rows of one step's state, by key group and epoch; there may be more of them than the handles name. */
const stateRows = (place: Place, { epoch, job, lineage }: Manifest, handles: ReadonlyArray<StateHandle>) => {
  const keyGroups = handles.map(({ keyGroup }) => keyGroup)
  const oldest = Math.min(...handles.map(({ baseEpoch }) => baseEpoch))
  return Effect.map(
    place.tables.query(
      place.say`select key_group, epoch, kind, bytes, checksum from weir_state where job = ${job}
        and lineage = ${lineage} and step = ${handles[0]!.step} and key_group >= ${Math.min(...keyGroups)}
        and key_group <= ${Math.max(...keyGroups)} and epoch >= ${oldest} and epoch <= ${epoch}`
    ),
    (rows) => {
      const found = new Map<number, Map<number, Row>>()
      for (const row of rows) {
        const keyGroup = Number(row.key_group)
        const epochs = found.get(keyGroup) ?? new Map<number, Row>()
        found.set(keyGroup, epochs.set(Number(row.epoch), row))
      }
      return found
    }
  )
}

/** The part, or how it differs from what was written. */
const partOf = (row: Row | undefined, keyGroup: number, isBase: boolean): StatePart | string => {
  if (row === undefined) return "is missing"
  const bytes = row.bytes as Uint8Array
  if (crc32(bytes) !== Number(row.checksum)) return "is not what was written"
  if ((row.kind === "base") !== isBase) return "is of the wrong kind"
  return { keyGroup, kind: isBase ? "base" : "delta", bytes }
}

const olderThan = (place: Place, manifest: Manifest): Effect.Effect<number, StoreError> =>
  Effect.map(
    manifestRows(place, manifest.job, manifest.lineage),
    (rows) => rows.filter((row) => row.epoch !== manifest.epoch).length
  )

export const jobRow = (place: Place, job: string): Effect.Effect<JobRow | null, TablesError> =>
  place.tables
    .query(
      place.say`select job_id, lineage, generation, epoch_floor, intended, committed from weir_job
        where job = ${job}`
    )
    .pipe(
      Effect.map(([row]) =>
        row === undefined
          ? null
          : {
              jobId: String(row.job_id),
              lineage: Number(row.lineage),
              generation: Number(row.generation),
              floor: Number(row.epoch_floor),
              intended: Number(row.intended),
              committed: Number(row.committed)
            }
      )
    )

export const lookUp = (place: Place, job: string): Effect.Effect<JobRecord | null, StoreError> =>
  Effect.gen(function* () {
    const found = yield* jobRow(place, job)
    if (found === null || found.jobId === "") return null
    const past = yield* readPast(place, job, found.lineage)
    return { job, jobId: found.jobId, lineage: found.lineage, generation: found.generation, ...past }
  })

export const list = (place: Place): Effect.Effect<ReadonlyArray<JobRecord>, StoreError> =>
  Effect.gen(function* () {
    const rows = yield* place.tables.query(place.say`select job from weir_job order by job`)
    const records = yield* Effect.forEach(rows, (row) => lookUp(place, String(row.job)))
    return records.filter((record) => record !== null)
  })

export const progress = (place: Place, job: string, last: number): Effect.Effect<ReadonlyArray<string>, StoreError> =>
  place.tables
    .query(place.say`select body from weir_progress where job = ${job} order by epoch`)
    .pipe(Effect.map((rows) => (last < 1 ? [] : rows.slice(-last).map((row) => String(row.body)))))

/** `also`: manifests that are kept beside those of the jobs. */
export const neededOffsets = (
  place: Place,
  also: ReadonlyArray<Manifest>
): Effect.Effect<ReadonlyArray<{ identity: string; partition: number; offset: Offset }>, StoreError> =>
  Effect.gen(function* () {
    const rows = yield* place.tables.query(place.say`select job, epoch, body, checksum from weir_manifest`)
    const manifests: Array<Manifest> = [...also]
    for (const row of rows) {
      const sealed = sealedRow(row)
      const manifest = unsealManifest(sealed)
      if (manifest === null) return yield* Effect.fail(unreadable(String(row.job), sealed.epoch, "the manifest", 0))
      manifests.push(manifest)
    }
    return lowestOffsets(manifests)
  })

const unreadable = (job: string, epoch: number, what: string, older: number) =>
  corrupted(job, epoch, { what, how: "is not what was written", older })
