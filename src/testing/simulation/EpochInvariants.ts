/**
 * What the protocol of epochs promises to whoever reads the database and the topics at any moment: fences, intents and
 * manifests as they are kept, compared with what was there before.
 */
import { Either } from "effect"
import type { Intent, Manifest } from "../../checkpoint/Checkpoint.ts"
import * as Fence from "../../checkpoint/Fence.ts"
import type { SqlValue } from "../../flow/Tables.ts"
import { formatInstant, type Millis } from "../../model/Time.ts"
import type { EpochProgress } from "../../observe/Progress.ts"
import * as Jobs from "./Jobs.ts"
import type * as Recording from "./Recording.ts"
import type { Stage } from "./Stage.ts"

export interface EpochInvariantsOptions {
  readonly jobs: ReadonlyArray<Jobs.SimulatedJob>
  readonly recording: Recording.Recording
}

/** An owner of something and how far it has come. */
interface Place {
  readonly lineage: number
  readonly generation: number
  readonly epoch: number
}

/** A job as the database kept it when it was last looked at. */
interface Kept {
  readonly lineage: number
  readonly generation: number
  readonly intended: number
  readonly committed: number
}

interface Known {
  kept: Kept | null
  manifest: Manifest | null
  /** Rows of all epochs since the first, by sink, as the job reports them. */
  readonly rows: Map<string, number>
}

class Broken extends Error {}

const must = (holds: boolean, otherwise: () => string): void => {
  if (!holds) throw new Broken(otherwise())
}

/** Looks once each time it is called: answers what is broken, or `null`. */
export const make = (stage: Stage, { jobs, recording }: EpochInvariantsOptions): (() => string | null) => {
  const { broker, database } = stage
  const ends = new Map(jobs.map((one) => [one.job.name, Jobs.endsOf(one)]))
  const known = new Map<string, Known>()
  const fences = new Map<string, Place>()
  /** Sinks of one job alone: all that is in them is its own. */
  const own = new Set(
    [...ends.values()]
      .flatMap(({ sinks }) => sinks)
      .filter((sink, _, all) => all.filter((one) => one === sink).length === 1)
  )
  const rowsOf = (sql: string, ...parameters: ReadonlyArray<SqlValue>) =>
    Either.getOrElse(database.query({ sql, parameters }), () => [])

  const jobsKept = (): void => {
    for (const row of rowsOf("select job, lineage, generation, intended, committed from weir_job")) {
      const job = String(row.job)
      const kept: Kept = {
        lineage: Number(row.lineage),
        generation: Number(row.generation),
        intended: Number(row.intended),
        committed: Number(row.committed)
      }
      const before = known.get(job) ?? { kept: null, manifest: null, rows: new Map() }
      known.set(job, before)
      checkKept(job, before, kept)
      before.kept = kept
    }
  }

  const checkKept = (job: string, known: Known, kept: Kept): void => {
    const { committed, generation, intended, lineage } = kept
    const before = known.kept ?? { ...kept, intended: 0, committed: 0 }
    must(lineage >= before.lineage, () => `the lineage of ${job} falls from ${before.lineage} to ${lineage}`)
    must(
      generation >= before.generation,
      () => `the generation of ${job} falls from ${before.generation} to ${generation}`
    )
    if (lineage !== before.lineage) return
    must(intended >= before.intended, () => `the intents of ${job} fall from epoch ${before.intended} to ${intended}`)
    must(
      committed >= before.committed,
      () => `the manifests of ${job} fall from epoch ${before.committed} to ${committed}`
    )
    must(
      intended <= before.intended + 1,
      () => `the intents of ${job} skip from epoch ${before.intended} to ${intended}`
    )
    must(
      committed <= before.committed + 1,
      () => `the manifests of ${job} skip from epoch ${before.committed} to ${committed}`
    )
    if (committed > before.committed) checkManifest(job, known, kept)
  }

  const checkManifest = (job: string, known: Known, { committed: epoch, lineage }: Kept): void => {
    const manifest = bodyOf<Manifest>("weir_manifest", job, lineage, epoch)
    must(manifest?.epoch === epoch, () => `${job} has committed epoch ${epoch}, and there is no manifest of it`)
    const intent = bodyOf<Intent>("weir_intent", job, lineage, epoch)
    must(intent !== null, () => `epoch ${epoch} of ${job} is visible before its intent is durable`)
    must(
      JSON.stringify(intent!.partitions) === JSON.stringify(manifest!.partitions),
      () => `epoch ${epoch} of ${job} ends elsewhere than its intent says`
    )
    // The first of a lineage holds no row and no record, and nothing is reported of it.
    if (known.manifest !== null) {
      checkTime(job, known.manifest, manifest!)
      checkAccount(job, known, manifest!)
    }
    known.manifest = manifest
  }

  /** `null`: there is none. */
  const bodyOf = <A>(table: string, job: string, lineage: number, epoch: number): A | null => {
    const [row] = rowsOf(
      `select body from ${table} where job = ?1 and lineage = ?2 and epoch = ?3`,
      job,
      lineage,
      epoch
    )
    return row === undefined ? null : (JSON.parse(String(row.body)) as A)
  }

  /** Every record that was read is a record of the input, and every row that is reported is there. */
  const checkAccount = (job: string, { manifest: before, rows }: Known, manifest: Manifest): void => {
    const { epoch, totals } = manifest
    const read = offsetsOf(manifest) - offsetsOf(before!)
    must(
      totals.recordsIn - before!.totals.recordsIn === read,
      () =>
        `epoch ${epoch} of ${job} counts ${totals.recordsIn - before!.totals.recordsIn} records, and ${read} were read`
    )
    const [row] = rowsOf("select body from weir_progress where job = ?1 and epoch = ?2", job, epoch)
    must(row !== undefined, () => `epoch ${epoch} of ${job} is durable, and there is no report of it`)
    const report = JSON.parse(String(row!.body)) as EpochProgress
    for (const sink of report.sinks) rows.set(sink.sink, (rows.get(sink.sink) ?? 0) + sink.rows)
    const letters = { "dead letters": 0, late: 0 }
    for (const [sink, kind] of Object.entries(ends.get(job)?.letters ?? {})) letters[kind] += rows.get(sink) ?? 0
    for (const [sink, count] of rows) {
      const topic = own.has(sink) ? broker?.topics.get(sink) : undefined
      const held = topic?.partitions.reduce((sum, records) => sum + records.length, 0)
      must(
        held === undefined || held === count,
        () => `${job} has reported ${count} records to ${sink} up to epoch ${epoch}, and ${held} are there`
      )
    }
    if (Object.values(ends.get(job)?.letters ?? {}).includes("dead letters"))
      must(
        letters["dead letters"] === totals.deadLetters,
        () =>
          `${job} counts ${totals.deadLetters} dead letters up to epoch ${epoch}, and ${letters["dead letters"]} are kept`
      )
  }

  /** Manifests that are not in the database: as far as processes have heard of them. */
  const manifestsHeard = (): void => {
    for (const job of ends.keys()) {
      if (known.get(job)?.kept) continue
      const before = known.get(job)?.manifest ?? null
      const manifest = recording.manifest(job)
      if (manifest === null || manifest.epoch === before?.epoch) continue
      known.set(job, { kept: null, manifest, rows: new Map() })
      if (before !== null) checkTime(job, before, manifest)
    }
  }

  const fencesKept = (): void => {
    for (const row of rowsOf(`select job, sink, lineage, generation, epoch from ${Fence.table}`)) {
      const [job, sink] = [String(row.job), String(row.sink)]
      const place = { lineage: Number(row.lineage), generation: Number(row.generation), epoch: Number(row.epoch) }
      checkFence(job, sink, place, true)
      const kept = known.get(job)?.kept
      must(
        kept === undefined || kept === null || kept.lineage !== place.lineage || kept.committed === place.epoch,
        () => `${sink} holds epoch ${place.epoch} of ${job}, and the manifest beside it is of epoch ${kept!.committed}`
      )
      const heard = recording.manifest(job)
      must(
        heard === null || heard.lineage !== place.lineage || heard.epoch <= place.epoch,
        () => `the manifest of ${job} is of epoch ${heard!.epoch}, and ${sink} holds epoch ${place.epoch}`
      )
    }
    for (const topic of broker?.topics.values() ?? [])
      for (const { epoch, generation, job, lineage, sink } of topic.fences.values())
        checkFence(job, sink, { lineage, generation, epoch }, false)
  }

  /** An epoch without records is not written to a topic: there epochs may be left out. */
  const checkFence = (job: string, sink: string, place: Place, consecutive: boolean): void => {
    const id = JSON.stringify([job, sink])
    const before = fences.get(id)
    fences.set(id, place)
    const { epoch, generation, lineage } = place
    if (before === undefined || lineage > before.lineage) return
    must(lineage === before.lineage, () => `the fence of ${sink} falls from lineage ${before.lineage} to ${lineage}`)
    must(
      generation >= before.generation,
      () => `the fence of ${sink} falls from generation ${before.generation} to ${generation}`
    )
    if (epoch === before.epoch) return
    must(epoch > before.epoch, () => `${sink} falls from epoch ${before.epoch} to ${epoch}`)
    must(!consecutive || epoch === before.epoch + 1, () => `${sink} skips from epoch ${before.epoch} to ${epoch}`)
    must(
      isIntended(job, lineage, epoch),
      () => `rows of epoch ${epoch} of ${job} are visible in ${sink} before its intent is durable`
    )
  }

  const isIntended = (job: string, lineage: number, epoch: number): boolean =>
    known.get(job)?.kept
      ? rowsOf("select 1 from weir_intent where job = ?1 and lineage = ?2 and epoch = ?3", job, lineage, epoch).length >
        0
      : recording.intents(job).some((intent) => intent.lineage === lineage && intent.epoch === epoch)

  return () => {
    try {
      jobsKept()
      manifestsHeard()
      fencesKept()
      return null
    } catch (error) {
      if (error instanceof Broken) return error.message
      throw error
    }
  }
}

/** What never falls from one epoch to the next. */
const checkTime = (job: string, before: Manifest, after: Manifest): void => {
  const { epoch } = after
  must(
    before.watermark === null || (after.watermark !== null && after.watermark >= before.watermark),
    () =>
      `the watermark of ${job} falls from ${instant(before.watermark)} to ${instant(after.watermark)} at epoch ${epoch}`
  )
  must(
    after.openedAt >= before.closedAt && after.closedAt >= after.openedAt,
    () =>
      `epoch ${epoch} of ${job} is open from ${instant(after.openedAt)} to ${instant(after.closedAt)}, and the one before it was closed at ${instant(before.closedAt)}`
  )
  for (const { offset, partition, source } of before.partitions) {
    const now = after.partitions.find((cut) => cut.source === source && cut.partition === partition)
    must(
      now !== undefined && now.offset >= offset,
      () => `${source}/${partition} falls from offset ${offset} to ${now?.offset ?? "none"} at epoch ${epoch} of ${job}`
    )
  }
}

const instant = (at: Millis | null): string => (at === null ? "none" : formatInstant(at))

const offsetsOf = ({ partitions }: Manifest): number => partitions.reduce((sum, { offset }) => sum + offset, 0)
