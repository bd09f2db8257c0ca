/** The Schema of every answer of the API: what `Progress`, `Topics`, `Tables` and `Daemon` say, as JSON. */
import { Schema } from "effect"

/** The one form of every error. */
export const ErrorAnswer = Schema.Struct({
  error: Schema.Struct({
    tag: Schema.String.annotations({ description: "What happened, for a program." }),
    message: Schema.String.annotations({ description: "What happened and where, in one sentence." }),
    hint: Schema.String.annotations({ description: "How to mend it." })
  })
}).annotations({ identifier: "Error" })

/** Bytes as text where they are UTF-8, else as base64: nothing is lost either way. */
export const Bytes = Schema.Union(Schema.String, Schema.Struct({ base64: Schema.String })).annotations({
  identifier: "Bytes"
})
export type Bytes = typeof Bytes.Type

const Reason = Schema.Struct({ tag: Schema.String, message: Schema.String, hint: Schema.String })
/** Milliseconds since 1970. */
const Millis = Schema.Number

const statusFields = {
  job: Schema.String,
  state: Schema.Literal(
    "starting",
    "recovering",
    "running",
    "backing off",
    "paused",
    "stopping",
    "stopped",
    "finished",
    "failed"
  ),
  reason: Schema.NullOr(Reason),
  runId: Schema.NullOr(Schema.String),
  jobId: Schema.NullOr(Schema.String),
  epoch: Schema.Number,
  checkpointAt: Schema.NullOr(Millis),
  checkpointAgeMillis: Schema.NullOr(Schema.Number),
  rowsIn: Schema.Number,
  rowsOut: Schema.Number,
  lag: Schema.Number,
  restarts: Schema.Number,
  late: Schema.Number,
  deadLetters: Schema.Number,
  replayed: Schema.Number.annotations({ description: "Records that had been set aside and were put through it again." })
}

/** One line of `weir jobs`. */
export const JobStatus = Schema.Struct(statusFields).annotations({ identifier: "JobStatus" })

const Node = Schema.Struct({
  id: Schema.String,
  kind: Schema.String,
  label: Schema.String,
  rowsIn: Schema.Number,
  rowsOut: Schema.Number,
  rowsPerSecond: Schema.Number,
  watermark: Schema.NullOr(Millis),
  waiting: Schema.Number.annotations({ description: "Messages waiting in its mailbox." }),
  sink: Schema.NullOr(
    Schema.Struct({
      guarantee: Schema.String,
      replaces: Schema.Boolean,
      key: Schema.Array(Schema.String)
    })
  )
}).annotations({ identifier: "Node" })

const Edge = Schema.Struct({
  from: Schema.String,
  port: Schema.String,
  to: Schema.String,
  input: Schema.Int
}).annotations({ identifier: "Edge" })

const Setting = Schema.Struct({
  name: Schema.String,
  type: Schema.String,
  value: Schema.String,
  fallback: Schema.String,
  meaning: Schema.String
}).annotations({ identifier: "Setting" })

export const JobDetail = Schema.Struct({
  ...statusFields,
  topology: Schema.Struct({ nodes: Schema.Array(Node), edges: Schema.Array(Edge) }),
  settings: Schema.Array(Setting)
}).annotations({ identifier: "JobDetail" })

/** One epoch, as `weir progress` shows it. */
export const EpochProgress = Schema.Struct({
  jobId: Schema.String,
  runId: Schema.String,
  job: Schema.String,
  lineage: Schema.Number,
  generation: Schema.Number,
  epoch: Schema.Number,
  triggeredAt: Millis,
  cutAt: Millis,
  inputRows: Schema.Number,
  inputRowsPerSecond: Schema.Number,
  processedRowsPerSecond: Schema.Number,
  phases: Schema.Struct({
    cut: Schema.Number,
    process: Schema.Number,
    prepare: Schema.Number,
    intent: Schema.Number,
    sinks: Schema.Number,
    manifest: Schema.Number
  }).annotations({ description: "Milliseconds of each phase. Epochs overlap: they do not add up to the interval." }),
  partitions: Schema.Array(
    Schema.Struct({
      source: Schema.String,
      partition: Schema.Number,
      from: Schema.Number,
      to: Schema.Number,
      latest: Schema.Number,
      state: Schema.Literal("active", "idle", "finished")
    })
  ),
  watermark: Schema.NullOr(Millis),
  stateRows: Schema.Number,
  stateBytes: Schema.Number,
  stateBytesWritten: Schema.Number,
  sinks: Schema.Array(
    Schema.Struct({
      sink: Schema.String,
      rows: Schema.Number,
      outcome: Schema.Literal("written", "already there", "nothing to write")
    })
  ),
  late: Schema.Number,
  deadLetters: Schema.Number,
  again: Schema.optionalWith(
    Schema.Struct({
      records: Schema.Number,
      succeeded: Schema.Number,
      late: Schema.Number,
      deadLetters: Schema.Number,
      skipped: Schema.Number
    }),
    { exact: true }
  ).annotations({ description: "Of records that had been set aside and came again; absent: none did." }),
  replayed: Schema.Boolean,
  final: Schema.Boolean
}).annotations({ identifier: "EpochProgress" })

const PartitionTime = Schema.Struct({
  source: Schema.String,
  partition: Schema.Number,
  highest: Schema.NullOr(Millis),
  watermark: Schema.NullOr(Millis),
  state: Schema.NullOr(Schema.Literal("active", "idle", "finished"))
})

/** What a step waits for, as `weir explain` tells it. */
export const StepWaiting = Schema.Struct({
  node: Schema.String,
  waiting: Schema.Union(
    Schema.Struct({
      kind: Schema.Literal("time"),
      watermark: Schema.NullOr(Millis),
      partitions: Schema.Array(PartitionTime),
      holder: Schema.NullOr(Schema.Struct({ source: Schema.String, partition: Schema.Number, since: Millis }))
    }),
    Schema.Struct({
      kind: Schema.Literal("windows"),
      watermark: Schema.NullOr(Millis),
      open: Schema.Number,
      first: Schema.Array(Schema.Struct({ start: Millis, end: Millis, closesAt: Millis, rows: Schema.Number }))
    }),
    Schema.Struct({
      kind: Schema.Literal("events"),
      watermark: Schema.NullOr(Millis),
      waiting: Schema.Number,
      first: Schema.NullOr(Schema.Struct({ eventTime: Millis, until: Millis }))
    })
  )
}).annotations({ identifier: "StepWaiting" })

/** The fields of a topic or a table, as `weir schema` shows them. */
export const SampledSchema = Schema.Struct({
  name: Schema.String,
  kind: Schema.Literal("topic", "table", "files"),
  sampled: Schema.Number,
  unusable: Schema.Number.annotations({ description: "How many of the sampled records no schema reads." }),
  fields: Schema.Array(
    Schema.Struct({
      path: Schema.String,
      name: Schema.String,
      depth: Schema.Number,
      type: Schema.String,
      nullable: Schema.Boolean,
      optional: Schema.Boolean
    })
  ),
  code: Schema.String.annotations({ description: "A module with a Schema of the records." })
}).annotations({ identifier: "SampledSchema" })

/** How a run is to end and how it is set. */
export const RunOptions = Schema.Struct({
  availableNow: Schema.optionalWith(Schema.Boolean, { exact: true }),
  final: Schema.optionalWith(Schema.Boolean, { exact: true }),
  set: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), { exact: true }),
  dropState: Schema.optionalWith(Schema.Array(Schema.String), { exact: true }).annotations({
    description:
      "Ids of steps and sources that may begin without what was kept of them, if this code cannot take it up."
  })
}).annotations({ identifier: "RunOptions" })

/** A record as `weir tail` shows it. */
export const StoredRecord = Schema.Struct({
  partition: Schema.Number,
  offset: Schema.Number,
  timestamp: Millis,
  key: Schema.NullOr(Bytes),
  value: Bytes,
  headers: Schema.Array(Schema.Struct({ name: Schema.String, value: Bytes }))
}).annotations({ identifier: "StoredRecord" })

/** A record to be appended; without a key or headers if they are left out. */
export const ProducedRecord = Schema.Struct({
  key: Schema.optionalWith(Schema.NullOr(Bytes), { exact: true }),
  value: Bytes,
  headers: Schema.optionalWith(StoredRecord.fields.headers, { exact: true })
}).annotations({ identifier: "ProducedRecord" })

export const DeadLetter = Schema.Struct({
  topic: Schema.String,
  record: StoredRecord,
  about: Schema.Record({ key: Schema.String, value: Schema.String }).annotations({
    description: "Of the `weir.*` headers: job, step, reason, cause, source, partition, offset."
  }),
  replay: Schema.NullOr(Schema.Literal("next", "done", "failed again", "kept")).annotations({
    description:
      "`next`: the next replay puts it through; `done`: it was put through, or a reset left it behind; `failed again`: it was, and there is a newer letter of its record; `kept`: a row, which cannot be put through; `null`: a late event."
  })
}).annotations({ identifier: "DeadLetter" })

/** Parameters of the job, where it does not run. */
export const ReplayOptions = Schema.Struct({
  set: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), { exact: true })
}).annotations({ identifier: "ReplayOptions" })

export const ReplayAnswer = Schema.Struct({
  replayed: Schema.Number.annotations({ description: "Dead letters that were put through the job." }),
  succeeded: Schema.Number.annotations({ description: "Used: neither late nor dead letters again." }),
  late: Schema.Number.annotations({ description: "Too late for their windows: they are late events now." }),
  deadLetters: Schema.Number.annotations({ description: "Dead letters again; the next replay tries them." }),
  skipped: Schema.Number.annotations({
    description: "Rows that a sink refused, and records of a step that the job no longer has: not put through."
  })
}).annotations({ identifier: "ReplayAnswer" })

export const TopicDescription = Schema.Struct({
  topic: Schema.String,
  partitions: Schema.Array(Schema.Struct({ partition: Schema.Number, oldest: Schema.Number, latest: Schema.Number })),
  retentionMillis: Schema.NullOr(Schema.Number)
}).annotations({ identifier: "TopicDescription" })

export const Produced = Schema.Struct({
  topic: Schema.String,
  produced: Schema.Number.annotations({ description: "How many records." }),
  partitions: Schema.Array(Schema.Struct({ partition: Schema.Number, offset: Schema.Number, records: Schema.Number }))
}).annotations({ identifier: "Produced" })

export const QueryAnswer = Schema.Struct({
  columns: Schema.Array(Schema.String),
  rows: Schema.Array(Schema.Array(Schema.NullOr(Schema.String))),
  truncated: Schema.Boolean.annotations({ description: "More rows were there than the limit." })
}).annotations({ identifier: "QueryAnswer" })

export const TableDescription = Schema.Struct({
  table: Schema.String,
  columns: Schema.Array(Schema.Struct({ name: Schema.String, type: Schema.String, nullable: Schema.Boolean })),
  primaryKey: Schema.Array(Schema.String)
}).annotations({ identifier: "TableDescription" })

/** The tables of a database with their columns: what completes a query. */
export const Catalog = Schema.Struct({
  database: Schema.String.annotations({ description: "Which server and database, without secrets." }),
  dialect: Schema.String,
  tables: Schema.Array(
    Schema.Struct({
      table: Schema.String,
      columns: Schema.NullOr(
        Schema.Array(Schema.Struct({ name: Schema.String, type: Schema.String, nullable: Schema.Boolean }))
      ).annotations({ description: "`null`: not read, since there are too many tables." }),
      primaryKey: Schema.Array(Schema.String)
    })
  )
}).annotations({ identifier: "Catalog" })

export const Readiness = Schema.Struct({
  ready: Schema.Boolean,
  waitingFor: Schema.Array(Schema.String).annotations({ description: "Jobs that start, recover or back off." })
}).annotations({ identifier: "Readiness" })
