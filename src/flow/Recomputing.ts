/** What a job that computes its whole result anew at each run cannot be set to, and which sinks it may write to. */
import { Either } from "effect"
import { InvalidJob, InvalidParameter } from "../model/Errors.ts"
import { eventTimeMax, eventTimeMin } from "../model/Time.ts"
import * as Topology from "./Topology.ts"
import type { Trigger } from "./Trigger.ts"

/** It is given all events before anything is emitted: their order of arrival says nothing. */
export const overrides = (recomputes: boolean): Topology.Overrides =>
  recomputes ? { maxOutOfOrdernessMillis: allTimeMillis } : {}

/** Whole days that hold every event time. */
const allTimeMillis = eventTimeMax + 1 - eventTimeMin

/** Its one epoch holds all records of its sources, and ends with the run. */
export const checkSettings = (
  job: string,
  {
    maxPerEpoch,
    startAt,
    trigger
  }: { readonly trigger: Trigger; readonly startAt: "earliest" | "latest"; readonly maxPerEpoch: number }
): Either.Either<void, InvalidParameter> => {
  const refused =
    trigger.kind !== "availableNow"
      ? "trigger"
      : startAt === "latest"
        ? "startAt"
        : maxPerEpoch > 0
          ? "maxPerEpoch"
          : null
  if (refused === null) return Either.void
  return Either.left(
    new InvalidParameter({
      parameter: refused,
      message: `Job ${job} computes its whole result anew at each run, in one epoch: '${refused}' cannot be set so`,
      hint: "Its trigger is 'availableNow', it begins at 'earliest', and its epoch holds all records: leave them as they are."
    })
  )
}

/** A sink that holds one result belongs to such a job, and one that adds to what is there does not. */
export const checkSinks = (
  job: string,
  topology: Topology.Topology,
  recomputes: boolean
): Either.Either<void, InvalidJob> => {
  for (const { id, spec } of topology.nodes) {
    if (spec.kind !== "sink") continue
    const { guarantee, isWhole = false, replaces } = spec.sink
    if (isWhole && !recomputes)
      return Either.left(
        new InvalidJob({
          job,
          message: `Job ${job}: sink '${id}' holds the rows of one epoch alone, and this job has one epoch after the other`,
          hint: "Say `recomputes: true` of the job, if each of its runs is to compute the whole result; or write by key: Sql.upsert."
        })
      )
    const adds = !isWhole && !replaces && guarantee === "exactly once"
    if (recomputes && adds && !takesWhatWasSetAside(topology, id))
      return Either.left(
        new InvalidJob({
          job,
          message: `Job ${job}: sink '${id}' adds rows to those that are there, and each run of this job computes all of them anew`,
          hint: "Write to a sink that holds one result, such as Sql.replace; or leave `recomputes` out."
        })
      )
  }
  return Either.void
}

/** What is set aside is told of each run. */
const takesWhatWasSetAside = ({ edges }: Topology.Topology, sink: string): boolean =>
  edges.filter(({ to }) => to === sink).every(({ port }) => port === "invalid" || Topology.isLate(port))
