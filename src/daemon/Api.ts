/**
 * What the daemon answers over HTTP: routes, parameters and the Schema of every answer. Says, does nothing.
 *
 * `ApiLive` implements it, `/openapi.json` and `/docs` are made from it, and a client can be (`HttpApiClient`).
 * Errors have one form, `ErrorAnswer`, whatever the status.
 */
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  HttpApiSecurity,
  OpenApi
} from "@effect/platform"
import { Option, Schema, SchemaAST } from "effect"
import * as Limits from "../model/Limits.ts"
import { control } from "./ApiControl.ts"
import { dashboards } from "./ApiDashboards.ts"
import {
  Catalog,
  DeadLetter,
  EpochProgress,
  ErrorAnswer,
  JobDetail,
  JobStatus,
  Produced,
  ProducedRecord,
  QueryAnswer,
  Readiness,
  ReplayAnswer,
  ReplayOptions,
  RunOptions,
  SampledSchema,
  StepWaiting,
  StoredRecord,
  TableDescription,
  TopicDescription
} from "./ApiSchemas.ts"

/** A Schema as the answer of a status; it keeps its name in the description. */
const answered = <A, I, R>(status: number, schema: Schema.Schema<A, I, R>): Schema.Schema<A, I, R> =>
  schema.annotations({
    ...HttpApiSchema.annotations({ status }),
    ...Option.match(SchemaAST.getIdentifierAnnotation(schema.ast), {
      onNone: () => ({}),
      onSome: (identifier) => ({ identifier })
    })
  })
const failing = (status: number) => answered(status, ErrorAnswer)

/** A bearer token, if the daemon has one; without one the call must have come to a loopback name. */
export class Authorization extends HttpApiMiddleware.Tag<Authorization>()("weir/Authorization", {
  failure: failing(401),
  security: {
    token: HttpApiSecurity.bearer.pipe(
      HttpApiSecurity.annotate(OpenApi.Description, "The value of WEIR_TOKEN, if the daemon was started with one.")
    )
  }
}) {}

const whole = (minimum: number, maximum: number) =>
  Schema.NumberFromString.pipe(
    Schema.int(),
    Schema.between(minimum, maximum),
    Schema.annotations({ jsonSchema: { type: "integer", minimum, maximum } })
  )
const offset = whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
const jobPath = Schema.Struct({ job: Schema.String })
const topicPath = Schema.Struct({ topic: Schema.String })
const last = (bound: number) => Schema.Struct({ last: Schema.optional(whole(1, bound)) })
const partitions = Schema.optional(whole(1, Limits.partitionsMax))
const partition = Schema.optional(whole(0, Limits.partitionsMax - 1))
const text = (contentType: string) => HttpApiSchema.Text({ contentType })

const said = (description: string) => OpenApi.annotations({ description })

const jobs = HttpApiGroup.make("jobs")
  .add(
    HttpApiEndpoint.get("list", "/api/jobs")
      .addSuccess(Schema.Array(JobStatus))
      .annotateContext(said("Every job: state, epoch, age of the last checkpoint, rows, lag, restarts."))
  )
  .add(
    HttpApiEndpoint.get("detail", "/api/jobs/:job")
      .setPath(jobPath)
      .addSuccess(JobDetail)
      .annotateContext(said("One job with its settings, and its topology with each node's figures."))
  )
  .add(
    HttpApiEndpoint.get("progress", "/api/jobs/:job/progress")
      .setPath(jobPath)
      .setUrlParams(last(Limits.progressKept))
      .addSuccess(Schema.Array(EpochProgress))
      .annotateContext(said("The last epochs, newest last."))
  )
  .add(
    HttpApiEndpoint.get("waiting", "/api/jobs/:job/waiting")
      .setPath(jobPath)
      .addSuccess(Schema.Array(StepWaiting))
      .annotateContext(
        said(
          "What each step waits for: which partition holds the watermark, since when, how far; the windows that close first."
        )
      )
  )
  .add(
    HttpApiEndpoint.get("deadLetters", "/api/jobs/:job/dead-letters")
      .setPath(jobPath)
      .setUrlParams(
        Schema.Struct({
          last: Schema.optional(whole(1, Limits.fetchRecordsMax)),
          late: Schema.optional(Schema.BooleanFromString),
          step: Schema.optional(Schema.String),
          reason: Schema.optional(Schema.String)
        })
      )
      .addSuccess(Schema.Array(DeadLetter))
      .annotateContext(
        said(
          "The last records that the job set aside: bytes, position, cause, time. `late=true`: late events instead; `step` and `reason` choose among them."
        )
      )
  )
  .add(
    HttpApiEndpoint.post("replayDeadLetters", "/api/jobs/:job/dead-letters/replay")
      .setPath(jobPath)
      .setPayload(ReplayOptions)
      .addSuccess(ReplayAnswer)
      .annotateContext(
        said(
          "Puts the dead letters through the job again that are there now and were not before, each once; answers when that is durable. A job that does not run reads nothing else, and ends. The body may be empty."
        )
      )
  )
  .add(
    HttpApiEndpoint.post("start", "/api/jobs/:job/start")
      .setPath(jobPath)
      .setPayload(RunOptions)
      .addSuccess(answered(202, JobStatus))
      .annotateContext(said("Starts a job that does not run. The body may be empty."))
  )
  .add(
    HttpApiEndpoint.post("stop", "/api/jobs/:job/stop")
      .setPath(jobPath)
      .addSuccess(answered(202, JobStatus))
      .annotateContext(said("Drains, commits, ends."))
  )
  .add(
    HttpApiEndpoint.post("reset", "/api/jobs/:job/reset")
      .setPath(jobPath)
      .setPayload(Schema.Struct({ tables: Schema.optional(Schema.Boolean) }))
      .addSuccess(Schema.Struct({ remains: Schema.Array(Schema.String) }))
      .annotateContext(said("A new lineage for a job that does not run; says what stays in each sink."))
  )
  .add(
    HttpApiEndpoint.get("events", "/api/events")
      .addSuccess(text("text/event-stream"))
      .annotateContext(
        said(
          "Server-sent events: `state` (a job's status; once for each job at first, then at every change) and `progress` (the report of an epoch)."
        )
      )
  )

const topics = HttpApiGroup.make("topics")
  .add(
    HttpApiEndpoint.get("list", "/api/topics")
      .addSuccess(Schema.Array(TopicDescription))
      .annotateContext(said("Every topic with its partitions and what they hold."))
  )
  .add(
    HttpApiEndpoint.put("create", "/api/topics/:topic")
      .setPath(topicPath)
      .setUrlParams(Schema.Struct({ partitions, retention: Schema.optional(Schema.String) }))
      .addSuccess(answered(201, TopicDescription))
      .annotateContext(said("Creates a topic. `retention` is a duration such as `7 days`; without it, for ever."))
  )
  .add(
    HttpApiEndpoint.post("produce", "/api/topics/:topic")
      .setPath(topicPath)
      .setUrlParams(Schema.Struct({ key: Schema.optional(Schema.String), partition, partitions }))
      .setPayload(text("application/x-ndjson"))
      .addSuccess(Produced)
      .annotateContext(
        said(
          "Appends JSON lines, one record a line; creates an unknown topic (4 partitions, or `partitions`). `key` names the field that holds the key: murmur2(key) mod n, as Kafka's. Without a key one partition after the other, by call."
        )
      )
  )
  .add(
    HttpApiEndpoint.post("append", "/api/topics/:topic/records")
      .setPath(topicPath)
      .setUrlParams(Schema.Struct({ partition: whole(0, Limits.partitionsMax - 1), partitions }))
      .setPayload(Schema.Array(ProducedRecord))
      .addSuccess(Produced)
      .annotateContext(
        said(
          "Appends whole records to one partition, with their keys and headers, whatever their bytes; creates an unknown topic (4 partitions, or `partitions`)."
        )
      )
  )
  .add(
    HttpApiEndpoint.get("read", "/api/topics/:topic")
      .setPath(topicPath)
      .setUrlParams(
        Schema.Struct({
          partition: Schema.optional(whole(0, Number.MAX_SAFE_INTEGER)),
          offset: Schema.optional(offset),
          count: Schema.optional(whole(1, Limits.fetchRecordsMax))
        })
      )
      .addSuccess(Schema.Array(StoredRecord))
      .annotateContext(
        said(
          "Records from an offset on, of one partition or of all; a negative offset counts from the end of each partition. At most `count` (100)."
        )
      )
  )

const tables = HttpApiGroup.make("tables")
  .add(
    HttpApiEndpoint.post("query", "/api/query")
      .setPayload(Schema.Struct({ sql: Schema.NonEmptyString }))
      .addSuccess(QueryAnswer)
      .annotateContext(
        said(
          "Any SQL in a read-only transaction, with limits of rows and time. Every value is text: digits stay digits."
        )
      )
  )
  .add(
    HttpApiEndpoint.get("list", "/api/tables")
      .addSuccess(Schema.Array(Schema.String))
      .annotateContext(said("The names of all tables and views."))
  )
  .add(
    HttpApiEndpoint.get("describe", "/api/tables/:table")
      .setPath(Schema.Struct({ table: Schema.String }))
      .addSuccess(TableDescription)
      .annotateContext(said("A table's columns and primary key."))
  )

const databases = HttpApiGroup.make("databases").add(
  HttpApiEndpoint.get("list", "/api/databases")
    .addSuccess(Schema.Array(Catalog))
    .annotateContext(said("The database of the tables, with every table and view and their columns."))
)

const schema = HttpApiGroup.make("schema").add(
  HttpApiEndpoint.get("sample", "/api/schema")
    .setUrlParams(
      Schema.Struct({ of: Schema.NonEmptyString, sample: Schema.optional(whole(1, Limits.fetchRecordsMax)) })
    )
    .addSuccess(SampledSchema)
    .annotateContext(
      said(
        "The fields of the topic, or else the table, named `of`, from at most `sample` (1,000) of its newest records."
      )
    )
)

const metrics = HttpApiGroup.make("observe").add(
  HttpApiEndpoint.get("metrics", "/metrics")
    .addSuccess(text("text/plain"))
    .annotateContext(said("Every metric as Prometheus text."))
)

const health = HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("live", "/health/live")
      .addSuccess(Schema.Struct({ live: Schema.Literal(true) }))
      .annotateContext(said("The process answers."))
  )
  .add(
    HttpApiEndpoint.get("ready", "/health/ready")
      .addSuccess(Readiness)
      .addSuccess(answered(503, Readiness))
      .annotateContext(
        said("No job is starting, recovering or backing off, or waits for another system; 503 while one does.")
      )
  )

const page = HttpApiGroup.make("page")
  .add(HttpApiEndpoint.get("index", "/").addSuccess(text("text/html")).annotateContext(said("The page.")))
  .add(
    HttpApiEndpoint.get("file", "/page/:file")
      .setPath(Schema.Struct({ file: Schema.String }))
      .addSuccess(HttpApiSchema.Uint8Array())
      .annotateContext(said("A file of the page."))
  )
  .add(
    HttpApiEndpoint.get("openapi", "/openapi.json")
      .addSuccess(Schema.Unknown)
      .annotateContext(said("This description, as OpenAPI 3.1."))
  )
  .add(
    HttpApiEndpoint.get("docs", "/docs")
      .addSuccess(text("text/html"))
      .annotateContext(said("This description, to read."))
  )

// The platform would describe a malformed call in a form of its own; the daemon answers all errors in one.
const oneErrorForm = (description: OpenApi.OpenAPISpec): Record<string, unknown> => {
  const { HttpApiDecodeError: _, Issue: __, PropertyKey: ___, ...schemas } = description.components.schemas
  const error = { $ref: "#/components/schemas/Error" }
  const namesOther = (value: unknown) => JSON.stringify(value).includes("/HttpApiDecodeError")
  const replaced = JSON.stringify(
    { ...description, components: { ...description.components, schemas } },
    (key, value) => (key === "schema" && namesOther(value) ? error : value)
  )
  return JSON.parse(replaced.replaceAll("The request did not match the expected schema", "Error"))
}

/** Everything that the daemon answers. */
export class Api extends HttpApi.make("weir")
  .add(jobs.middleware(Authorization))
  .add(control.middleware(Authorization))
  .add(topics.middleware(Authorization))
  .add(tables.middleware(Authorization))
  .add(databases.middleware(Authorization))
  .add(dashboards.middleware(Authorization))
  .add(schema.middleware(Authorization))
  .add(metrics.middleware(Authorization))
  .add(health)
  .add(page)
  .addError(failing(400))
  .addError(failing(403))
  .addError(failing(404))
  .addError(failing(409))
  .addError(failing(413))
  .addError(failing(500))
  .addError(failing(502))
  .addError(failing(503))
  .annotate(OpenApi.Title, "Weir")
  .annotate(OpenApi.Description, "Jobs, topics and tables of a streaming daemon.")
  .annotate(OpenApi.Version, "1")
  .annotate(OpenApi.Transform, (description) => oneErrorForm(description as OpenApi.OpenAPISpec)) {}
