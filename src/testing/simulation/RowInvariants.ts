/** What each table and topic must hold after each epoch: what the same job wrote up to it where nothing happened. */
import { Either } from "effect"
import * as Fence from "../../checkpoint/Fence.ts"
import * as Contents from "./Contents.ts"
import type { Stage } from "./Stage.ts"

/** By job and epoch: all that it has written up to then. */
export type References = ReadonlyMap<string, ReadonlyMap<number, Contents.Contents>>

/** Looks once each time it is called: answers the differences, or `null`. A sink is compared when its fence has moved. */
export const make = (stage: Stage, references: References): (() => string | null) => {
  const { broker, database } = stage
  /** The epoch of each job, by sink. */
  const fences = new Map<string, Map<string, number>>()
  const moved = new Set<string>()
  const found = (job: string, sink: string, epoch: number): void => {
    const jobs = fences.get(sink) ?? new Map<string, number>()
    fences.set(sink, jobs)
    if (jobs.get(job) === epoch) return
    jobs.set(job, epoch)
    moved.add(sink)
  }
  const expected = (sink: string): Contents.Contents =>
    Contents.merged(
      [...fences.get(sink)!].map(([job, epoch]) => Contents.select(references.get(job)?.get(epoch) ?? {}, sink))
    )
  return () => {
    const rows = database.query({ sql: `select job, sink, epoch from ${Fence.table}`, parameters: [] })
    for (const { epoch, job, sink } of Either.getOrElse(rows, () => [])) found(String(job), String(sink), Number(epoch))
    for (const topic of broker?.topics.values() ?? [])
      for (const { epoch, job, sink } of topic.fences.values()) found(job, sink, epoch)
    const differences = [...moved].flatMap((sink) => {
      const shared = fences.get(sink)!.size > 1 ? [sink] : []
      return Contents.differences(
        Contents.unplaced(Contents.only(stage, sink), shared),
        Contents.unplaced(expected(sink), shared)
      )
    })
    moved.clear()
    return differences.length === 0 ? null : `the first wrong row: ${differences.join("; ")}`
  }
}
