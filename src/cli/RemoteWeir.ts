/** The commands' questions, asked of the process that has the data folder, over its local socket. */
import { Path } from "@effect/platform"
import { Effect, Either, Schema } from "effect"
import * as ApiControl from "../daemon/ApiControl.ts"
import * as ApiRecords from "../daemon/ApiRecords.ts"
import * as ApiSchemas from "../daemon/ApiSchemas.ts"
import { type Owner, socketOf } from "../daemon/DataFolder.ts"
import { type LocalAnswer, type LocalRequest, Network } from "../daemon/Network.ts"
import type { StoredRecord } from "../flow/Topics.ts"
import { Refused, SourceUnavailable } from "../model/Errors.ts"
import type { JobStatus } from "../observe/Progress.ts"
import type { Failure } from "./Usage.ts"
import type { WeirService } from "./Weir.ts"

/** Milliseconds between two looks at what another process does. */
const lookMillis = 200

/** Speaks to the owner of a folder. */
export const make = (folder: string, owner: Owner): Effect.Effect<WeirService, never, Network | Path.Path> =>
  Effect.gen(function* () {
    const network = yield* Network
    const socket = socketOf((yield* Path.Path).resolve(folder), owner)
    const call = <A, I>(schema: Schema.Schema<A, I>, request: LocalRequest): Effect.Effect<A, Failure> =>
      Effect.flatMap(network.ask(socket, request), (answer) => {
        if (answer._tag === "Absent" || isPassing(answer)) return Effect.fail(ended(owner))
        if (answer._tag !== "Answer") return Effect.fail(gone(owner))
        if (answer.status >= 400) return Effect.fail(refusal(answer.status, answer.body))
        return Effect.mapError(Schema.decode(Schema.parseJson(schema))(answer.body), () => strange(owner))
      })
    return service(call)
  })

type Call = <A, I>(schema: Schema.Schema<A, I>, request: LocalRequest) => Effect.Effect<A, Failure>

const get = (path: string): LocalRequest => ({ method: "GET", path })
const post = (path: string, body: unknown = {}): LocalRequest => ({
  method: "POST",
  path,
  body: encoder.encode(JSON.stringify(body))
})
const encoder = new TextEncoder()

const service = (call: Call): WeirService => {
  const topic = (name: string) => `/api/topics/${encodeURIComponent(name)}`
  const job = (name: string) => `/api/jobs/${encodeURIComponent(name)}`
  const topics = call(Schema.Array(ApiSchemas.TopicDescription), get("/api/topics"))
  const statuses = call(Schema.Array(ApiSchemas.JobStatus), get("/api/jobs"))
  return {
    topics,
    describe: (name) =>
      Effect.flatMap(topics, (all) => {
        const found = all.find((description) => description.topic === name)
        return found === undefined ? Effect.fail(unknownTopic(name)) : Effect.succeed(found)
      }),
    create: (name, { partitions, retentionMillis }) =>
      call(Schema.Unknown, {
        method: "PUT",
        path: `${topic(name)}?${query({ partitions, retention: retentionMillis === null ? undefined : `${retentionMillis} millis` })}`
      }),
    produce: (name, lines, options) =>
      Effect.map(
        call(ApiSchemas.Produced, {
          method: "POST",
          path: `${topic(name)}?${query({ ...options })}`,
          body: lines,
          contentType: "application/x-ndjson"
        }),
        (produced) => produced.produced
      ),
    append: (name, partition, records) =>
      Effect.asVoid(
        call(
          ApiSchemas.Produced,
          post(`${topic(name)}/records?${query({ partition })}`, records.map(ApiRecords.produced))
        )
      ),
    fetch: (name, partition, offset, count) =>
      Effect.map(
        call(Schema.Array(ApiSchemas.StoredRecord), get(`${topic(name)}?${query({ partition, offset, count })}`)),
        (records) => records.map(recordOf)
      ),
    changed: () => Effect.sleep(lookMillis),
    ask: (sql) => call(ApiSchemas.QueryAnswer, post("/api/query", { sql })),
    tables: call(Schema.Array(Schema.String), get("/api/tables")),
    table: (name) =>
      call(ApiSchemas.TableDescription, get(`/api/tables/${encodeURIComponent(name)}`)).pipe(
        Effect.catchIf(
          (error) => error._tag === "Refused" && (error as Refused).status === 404,
          () => Effect.succeed(null)
        )
      ),
    schema: (of, sample) => call(ApiSchemas.SampledSchema, get(`/api/schema?${query({ of, sample })}`)),
    statuses,
    waiting: (name) => call(Schema.Array(ApiSchemas.StepWaiting), get(`${job(name)}/waiting`)),
    progress: (name, last) =>
      call(Schema.Array(ApiSchemas.EpochProgress), get(`${job(name)}/progress?${query({ last })}`)),
    deadLetters: (name, wanted) =>
      Effect.map(
        call(
          Schema.Array(ApiSchemas.DeadLetter),
          get(`${job(name)}/dead-letters?${query({ ...wanted, late: wanted.late === true ? "true" : undefined })}`)
        ),
        (letters) => letters.map((letter) => ({ ...letter, record: recordOf(letter.record) }))
      ),
    replayDeadLetters: (name, options) =>
      call(ApiSchemas.ReplayAnswer, post(`${job(name)}/dead-letters/replay`, options)),
    start: (name, options) => call(ApiSchemas.JobStatus, post(`${job(name)}/start`, options)),
    stop: (name) => call(ApiSchemas.JobStatus, post(`${job(name)}/stop`)),
    pause: (name) => call(ApiSchemas.JobStatus, post(`${job(name)}/pause`)),
    resume: (name) => call(ApiSchemas.JobStatus, post(`${job(name)}/resume`)),
    restart: (name) => call(ApiSchemas.JobStatus, post(`${job(name)}/restart`)),
    savepoint: (name, savepoint) =>
      Effect.map(
        call(ApiControl.SavepointTaken, post(`${job(name)}/savepoint`, savepoint === null ? {} : { name: savepoint })),
        (taken) => taken.savepoint
      ),
    savepoints: (name) => call(Schema.Array(ApiControl.Savepoint), get(`${job(name)}/savepoints`)),
    removeSavepoint: (name, savepoint) =>
      Effect.asVoid(
        call(Schema.Unknown, { method: "DELETE", path: `${job(name)}/savepoints/${encodeURIComponent(savepoint)}` })
      ),
    rewind: (name, options) =>
      Effect.map(call(ApiControl.Remains, post(`${job(name)}/rewind`, options)), ({ remains }) => remains),
    checkpoint: (name, savepoint) =>
      call(
        Schema.NullOr(ApiControl.Checkpoint),
        get(`${job(name)}/checkpoint${savepoint === null ? "" : `?${query({ savepoint })}`}`)
      ),
    reset: (name, options) =>
      Effect.map(
        call(Schema.Struct({ remains: Schema.Array(Schema.String) }), post(`${job(name)}/reset`, options)),
        ({ remains }) => remains
      ),
    ended: (name) => jobEnded(statuses, name)
  }
}

/** Looks until the job no longer runs. */
const jobEnded = (
  statuses: Effect.Effect<ReadonlyArray<JobStatus>, Failure>,
  name: string
): Effect.Effect<void, Failure> =>
  Effect.gen(function* () {
    while (true) {
      const status = (yield* statuses).find((status) => status.job === name)
      if (status === undefined || status.state === "stopped" || status.state === "finished") return
      if (status.state === "failed")
        return yield* Effect.fail(
          new Refused({
            status: 500,
            tag: status.reason?.tag ?? "failed",
            message: status.reason?.message ?? `Job ${name} failed`,
            hint: status.reason?.hint ?? `\`weir jobs\` and the daemon's log say more.`
          })
        )
      yield* Effect.sleep(lookMillis)
    }
  })

/** A daemon writes base64 as it is. */
const recordOf = (record: typeof ApiSchemas.StoredRecord.Type): StoredRecord =>
  Either.getOrThrow(ApiRecords.storedOf(record))

const query = (parameters: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(parameters)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]))
    .join("&")

const unknownTopic = (topic: string) =>
  new Refused({
    status: 404,
    tag: "UnknownTopic",
    message: `There is no topic '${topic}'`,
    hint: `\`weir topics\` lists all; \`weir topics create ${topic}\` makes it.`
  })

const refusal = (status: number, body: string): Failure => {
  const decoded = Schema.decodeOption(Schema.parseJson(ApiSchemas.ErrorAnswer))(body)
  return decoded._tag === "Some"
    ? new Refused({ status, ...decoded.value.error })
    : new Refused({
        status,
        tag: "Refused",
        message: `The process that has the data folder answered with status ${status}`,
        hint: "Its log says more."
      })
}

/** Does it refuse because it starts or ends just now? Nothing was done then. */
const isPassing = (answer: LocalAnswer): boolean =>
  answer._tag === "Answer" && answer.status === 503 && /"tag":"(Starting|Ending)"/.test(answer.body)

/** The tag of the error that says: the owner ended, and nothing of the request was done. */
const ownerEnded = "OwnerEnded"

const ended = (owner: Owner): Failure =>
  new Refused({
    status: 503,
    tag: ownerEnded,
    message: `Process ${owner.pid}, which had the data folder, is ending`,
    hint: "Run the command again."
  })

const gone = (owner: Owner): Failure =>
  new SourceUnavailable({
    source: owner.socket,
    message: `Process ${owner.pid}, which had the data folder, ended while it was asked`,
    hint: "Run the command again. What it was to write may have been written: look first."
  })

const strange = (owner: Owner): Failure =>
  new SourceUnavailable({
    source: owner.socket,
    message: `Process ${owner.pid}, which has the data folder, answered in a form that is not known here`,
    hint: "It is another version of Weir: use the same one for both."
  })
