/** Pause, savepoints and checks of jobs over HTTP: routes and the Schema of every answer. Says, does nothing. */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { JobStatus } from "./ApiSchemas.ts"

/** A checkpoint of a job that is kept under a name. */
export const Savepoint = Schema.Struct({
  name: Schema.String,
  takenAt: Schema.Number,
  lineage: Schema.Number,
  epoch: Schema.Number,
  closedAt: Schema.Number.annotations({ description: "When its epoch ended." }),
  stateRows: Schema.Number,
  stateBytes: Schema.Number
}).annotations({ identifier: "Savepoint" })

/** How a job stands after a savepoint, and the savepoint. */
export const SavepointTaken = Schema.Struct({
  ...JobStatus.fields,
  name: Schema.String.annotations({ description: "Of the savepoint." }),
  savepoint: Savepoint
}).annotations({ identifier: "SavepointTaken" })

const StepMark = Schema.Struct({
  step: Schema.String,
  kind: Schema.String,
  fingerprint: Schema.String,
  of: Schema.optionalWith(Schema.Array(Schema.String), { exact: true }),
  numbers: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), {
    exact: true
  }).annotations({
    description: "What the numbers in its state are counted in, by column."
  }),
  waits: Schema.optionalWith(Schema.String, { exact: true }).annotations({
    description: "The form in which events were decoded that wait in its state."
  })
})

/** What a checkpoint says of itself: enough to judge whether a code can take it up. */
export const Checkpoint = Schema.Struct({
  lineage: Schema.Number,
  epoch: Schema.Number,
  closedAt: Schema.Number,
  stateRows: Schema.Number,
  stateBytes: Schema.Number,
  sources: Schema.Array(Schema.Struct({ source: Schema.String })),
  sinks: Schema.Array(Schema.Struct({ sink: Schema.String })),
  steps: Schema.Array(StepMark),
  lookups: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String })).annotations({
    description: "Versions of lookups, by name."
  }),
  lookupMarks: Schema.optional(Schema.Array(Schema.Struct({ lookup: Schema.String, fingerprint: Schema.String }))),
  intents: Schema.Array(Schema.Number).annotations({
    description: "Epochs that were begun after it: a start computes them again."
  })
}).annotations({ identifier: "Checkpoint" })

/** What a start would do with each part of a checkpoint. */
export const Check = Schema.Struct({
  job: Schema.String,
  epoch: Schema.NullOr(Schema.Number).annotations({ description: "Of the checkpoint; `null`: there is none." }),
  restorable: Schema.Boolean,
  parts: Schema.Array(
    Schema.Struct({
      part: Schema.Literal("step", "source", "sink", "lookup"),
      id: Schema.String,
      fate: Schema.Literal("kept", "migrated", "new", "dropped", "changed"),
      says: Schema.String,
      refuses: Schema.Boolean.annotations({ description: "Is it why a start is refused?" })
    })
  ),
  refusal: Schema.NullOr(Schema.Struct({ tag: Schema.String, message: Schema.String, hint: Schema.String }))
}).annotations({ identifier: "Check" })

export const SavepointOptions = Schema.Struct({
  name: Schema.optionalWith(Schema.String, { exact: true }).annotations({
    description: "Absent: it is called after its epoch."
  })
}).annotations({ identifier: "SavepointOptions" })

export const RewindOptions = Schema.Struct({
  savepoint: Schema.String,
  tables: Schema.optionalWith(Schema.Boolean, { exact: true }),
  set: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), { exact: true }),
  dropState: Schema.optionalWith(Schema.Array(Schema.String), { exact: true })
}).annotations({ identifier: "RewindOptions" })

export const Remains = Schema.Struct({ remains: Schema.Array(Schema.String) })

const accepted = <A, I, R>(identifier: string, schema: Schema.Schema<A, I, R>): Schema.Schema<A, I, R> =>
  schema.annotations({ ...HttpApiSchema.annotations({ status: 202 }), identifier })
const said = (description: string) => OpenApi.annotations({ description })
const jobPath = Schema.Struct({ job: Schema.String })
const ofSavepoint = Schema.Struct({ savepoint: Schema.optional(Schema.String) })

export const control = HttpApiGroup.make("control")
  .add(
    HttpApiEndpoint.post("pause", "/api/jobs/:job/pause")
      .setPath(jobPath)
      .addSuccess(accepted("JobStatus", JobStatus))
      .annotateContext(
        said("Drains, commits, and reads nothing until it is resumed, through any restart of the daemon.")
      )
  )
  .add(
    HttpApiEndpoint.post("resume", "/api/jobs/:job/resume")
      .setPath(jobPath)
      .addSuccess(accepted("JobStatus", JobStatus))
      .annotateContext(said("Goes on where it was paused, with the options that it ran with."))
  )
  .add(
    HttpApiEndpoint.post("restart", "/api/jobs/:job/restart")
      .setPath(jobPath)
      .addSuccess(accepted("JobStatus", JobStatus))
      .annotateContext(said("Stops it if it runs, and starts it with the options that it ran with last."))
  )
  .add(
    HttpApiEndpoint.post("savepoint", "/api/jobs/:job/savepoint")
      .setPath(jobPath)
      .setPayload(SavepointOptions)
      .addSuccess(accepted("SavepointTaken", SavepointTaken))
      .annotateContext(
        said("Keeps all that the job has read by now, or its last checkpoint, under a name. The body may be empty.")
      )
  )
  .add(
    HttpApiEndpoint.get("savepoints", "/api/jobs/:job/savepoints")
      .setPath(jobPath)
      .addSuccess(Schema.Array(Savepoint))
      .annotateContext(said("The savepoints of a job, oldest first."))
  )
  .add(
    HttpApiEndpoint.del("removeSavepoint", "/api/jobs/:job/savepoints/:savepoint")
      .setPath(Schema.Struct({ job: Schema.String, savepoint: Schema.String }))
      .addSuccess(Schema.Struct({ removed: Schema.String }))
      .annotateContext(said("Removes a savepoint and what it keeps."))
  )
  .add(
    HttpApiEndpoint.post("rewind", "/api/jobs/:job/rewind")
      .setPath(jobPath)
      .setPayload(RewindOptions)
      .addSuccess(Remains)
      .annotateContext(
        said("A new lineage that goes on from a savepoint, for a job that does not run; says what stays in each sink.")
      )
  )
  .add(
    HttpApiEndpoint.get("check", "/api/jobs/:job/check")
      .setPath(jobPath)
      .setUrlParams(ofSavepoint)
      .addSuccess(Check)
      .annotateContext(
        said("What a start of the daemon's code would do with each part of the last checkpoint, or of a savepoint.")
      )
  )
  .add(
    HttpApiEndpoint.get("checkpoint", "/api/jobs/:job/checkpoint")
      .setPath(jobPath)
      .setUrlParams(ofSavepoint)
      .addSuccess(Schema.NullOr(Checkpoint))
      .annotateContext(said("What the last checkpoint, or a savepoint, says of itself; `null`: there is none."))
  )
