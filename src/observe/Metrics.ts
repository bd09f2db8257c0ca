/**
 * The table of every metric, and the text that Prometheus reads.
 *
 * A metric is one row: what it is called, what it means, and where its value stands. Units are base units, last in
 * the name; a counter ends in `_total`.
 */
import type { Millis } from "../model/Time.ts"
import type { EpochPhases, EpochProgress, JobState, JobStatus, PartitionProgress } from "./Progress.ts"

/** What one node of a topology has counted. */
export interface NodeFacts {
  readonly node: string
  readonly rowsIn: number
  readonly rowsOut: number
  readonly rowsPerSecond: number
  readonly watermark: Millis | null
  readonly waiting: number
  /** What its operator counts, by name; absent for sources and sinks. */
  readonly counts?: Readonly<Record<string, number>>
}

export interface JobFacts {
  readonly status: JobStatus
  /** The report of its last epoch; `null` before the first. */
  readonly last: EpochProgress | null
  readonly nodes: ReadonlyArray<NodeFacts>
}

/** What a runtime says of its own process. */
export interface ProcessFacts {
  /** Memory that the process holds, as the system counts it. */
  readonly residentBytes: number
  /** Memory of the language's own heap that is in use. */
  readonly heapBytes: number
  readonly uptimeMillis: number
}

export interface Facts {
  readonly now: Millis
  readonly jobs: ReadonlyArray<JobFacts>
  readonly process: ProcessFacts
}

export interface Sample {
  /** Values of the metric's labels, in their order. */
  readonly labels: ReadonlyArray<string>
  readonly value: number
}

export interface Metric {
  readonly name: string
  readonly type: "counter" | "gauge"
  readonly unit: "1" | "records" | "rows" | "rows/second" | "bytes" | "seconds" | "messages"
  readonly labels: ReadonlyArray<string>
  readonly help: string
  readonly samples: (facts: Facts) => ReadonlyArray<Sample>
}

type Shape = Omit<Metric, "samples" | "labels">

const ofProcess = (shape: Shape, value: (process: ProcessFacts) => number): Metric => ({
  ...shape,
  labels: [],
  samples: ({ process }) => [{ labels: [], value: value(process) }]
})

/** One value for each job; none where it is `null`. */
const ofJob = (shape: Shape, value: (status: JobStatus, now: Millis) => number | null): Metric => ({
  ...shape,
  labels: ["job"],
  samples: ({ jobs, now }) => jobs.flatMap(({ status }) => sample([status.job], value(status, now)))
})

/** One value for each job that has reported an epoch. */
const ofEpoch = (shape: Shape, value: (last: EpochProgress, now: Millis) => number | null): Metric => ({
  ...shape,
  labels: ["job"],
  samples: ({ jobs, now }) =>
    jobs.flatMap(({ status, last }) => (last === null ? [] : sample([status.job], value(last, now))))
})

const ofPartition = (shape: Shape, value: (partition: PartitionProgress) => number): Metric => ({
  ...shape,
  labels: ["job", "source", "partition"],
  samples: ({ jobs }) =>
    jobs.flatMap(({ status, last }) =>
      (last?.partitions ?? []).map((of) => ({
        labels: [status.job, of.source, String(of.partition)],
        value: value(of)
      }))
    )
})

const ofNode = (shape: Shape, value: (node: NodeFacts, now: Millis) => number | null): Metric => ({
  ...shape,
  labels: ["job", "node"],
  samples: ({ jobs, now }) =>
    jobs.flatMap(({ status, nodes }) => nodes.flatMap((node) => sample([status.job, node.node], value(node, now))))
})

const sample = (labels: ReadonlyArray<string>, value: number | null): ReadonlyArray<Sample> =>
  value === null ? [] : [{ labels, value }]

/** What the label `state` may be. */
export const states: ReadonlyArray<JobState> = [
  "starting",
  "recovering",
  "running",
  "backing off",
  "paused",
  "stopping",
  "stopped",
  "finished",
  "failed"
]
/** What the label `phase` may be, in the order of an epoch. */
export const phases: ReadonlyArray<keyof EpochPhases> = ["cut", "process", "intent", "prepare", "sinks", "manifest"]
const seconds = (millis: number): number => millis / 1000
const secondsSince = (at: Millis | null, now: Millis): number | null => (at === null ? null : seconds(now - at))

/** Every metric, in the order of the text. */
export const table: ReadonlyArray<Metric> = [
  ofProcess(
    { name: "weir_process_resident_bytes", type: "gauge", unit: "bytes", help: "Memory that the process holds." },
    (process) => process.residentBytes
  ),
  ofProcess(
    { name: "weir_process_heap_bytes", type: "gauge", unit: "bytes", help: "Memory of the heap that is in use." },
    (process) => process.heapBytes
  ),
  ofProcess(
    { name: "weir_process_uptime_seconds", type: "gauge", unit: "seconds", help: "Time since the process began." },
    (process) => seconds(process.uptimeMillis)
  ),
  {
    name: "weir_job_state",
    type: "gauge",
    unit: "1",
    labels: ["job", "state"],
    help: "1 for the state that the job is in, 0 for the others.",
    samples: ({ jobs }) =>
      jobs.flatMap(({ status }) =>
        states.map((state) => ({ labels: [status.job, state], value: status.state === state ? 1 : 0 }))
      )
  },
  ofJob(
    { name: "weir_job_epoch", type: "gauge", unit: "1", help: "The last durable epoch." },
    (status) => status.epoch
  ),
  ofJob(
    {
      name: "weir_job_checkpoint_age_seconds",
      type: "gauge",
      unit: "seconds",
      help: "Time since the last checkpoint became durable."
    },
    (status, now) => secondsSince(status.checkpointAt, now)
  ),
  ofJob(
    { name: "weir_job_rows_in_total", type: "counter", unit: "rows", help: "Rows read from the sources." },
    (status) => status.rowsIn
  ),
  ofJob(
    { name: "weir_job_rows_out_total", type: "counter", unit: "rows", help: "Rows written to the sinks." },
    (status) => status.rowsOut
  ),
  ofJob(
    {
      name: "weir_job_lag_records",
      type: "gauge",
      unit: "records",
      help: "Records in the sources that are not yet in a durable epoch."
    },
    (status) => status.lag
  ),
  ofJob(
    { name: "weir_job_restarts_total", type: "counter", unit: "1", help: "Restarts after a failure." },
    (status) => status.restarts
  ),
  ofJob(
    { name: "weir_job_late_total", type: "counter", unit: "records", help: "Events later than allowedLateness." },
    (status) => status.late
  ),
  ofJob(
    { name: "weir_job_dead_letters_total", type: "counter", unit: "records", help: "Records that were set aside." },
    (status) => status.deadLetters
  ),
  ofJob(
    {
      name: "weir_job_replayed_total",
      type: "counter",
      unit: "records",
      help: "Records that had been set aside and were put through the job again."
    },
    (status) => status.replayed
  ),
  {
    name: "weir_epoch_phase_seconds",
    type: "gauge",
    unit: "seconds",
    labels: ["job", "phase"],
    help: "Time that each phase of the last epoch took.",
    samples: ({ jobs }) =>
      jobs.flatMap(({ status, last }) =>
        last === null
          ? []
          : phases.map((phase) => ({ labels: [status.job, phase], value: seconds(last.phases[phase]) }))
      )
  },
  ofEpoch(
    {
      name: "weir_epoch_duration_seconds",
      type: "gauge",
      unit: "seconds",
      help: "Time from the trigger of the last epoch until it was durable."
    },
    ({ phases: { cut, intent, prepare, sinks, manifest } }) => seconds(cut + intent + prepare + sinks + manifest)
  ),
  ofEpoch(
    {
      name: "weir_epoch_input_rows_per_second",
      type: "gauge",
      unit: "rows/second",
      help: "Rows per second that came between the last two triggers."
    },
    (last) => last.inputRowsPerSecond
  ),
  ofEpoch(
    {
      name: "weir_epoch_processed_rows_per_second",
      type: "gauge",
      unit: "rows/second",
      help: "Rows of the last epoch per second of the time spent on them."
    },
    (last) => last.processedRowsPerSecond
  ),
  ofEpoch(
    { name: "weir_epoch_input_rows", type: "gauge", unit: "rows", help: "Rows that the last epoch read." },
    (last) => last.inputRows
  ),
  ofEpoch(
    { name: "weir_state_rows", type: "gauge", unit: "rows", help: "Rows of state after the last epoch." },
    (last) => last.stateRows
  ),
  ofEpoch(
    { name: "weir_state_bytes", type: "gauge", unit: "bytes", help: "Bytes of state after the last epoch." },
    (last) => last.stateBytes
  ),
  ofEpoch(
    {
      name: "weir_state_written_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Bytes of state that the last epoch wrote."
    },
    (last) => last.stateBytesWritten
  ),
  ofEpoch(
    {
      name: "weir_watermark_lag_seconds",
      type: "gauge",
      unit: "seconds",
      help: "How far the watermark of the last epoch is behind the clock."
    },
    (last, now) => secondsSince(last.watermark, now)
  ),
  {
    name: "weir_sink_rows",
    type: "gauge",
    unit: "rows",
    labels: ["job", "sink"],
    help: "Rows that the last epoch wrote to the sink.",
    samples: ({ jobs }) =>
      jobs.flatMap(({ status, last }) =>
        (last?.sinks ?? []).map((sink) => ({ labels: [status.job, sink.sink], value: sink.rows }))
      )
  },
  ofPartition(
    {
      name: "weir_partition_offset",
      type: "gauge",
      unit: "records",
      help: "The offset up to which the last epoch has read the partition."
    },
    (of) => of.to
  ),
  ofPartition(
    {
      name: "weir_partition_latest_offset",
      type: "gauge",
      unit: "records",
      help: "The offset at which the partition ended at the last epoch."
    },
    (of) => of.latest
  ),
  ofPartition(
    {
      name: "weir_partition_lag_records",
      type: "gauge",
      unit: "records",
      help: "Records of the partition that the last epoch had not read."
    },
    (of) => of.latest - of.to
  ),
  ofPartition(
    {
      name: "weir_partition_idle",
      type: "gauge",
      unit: "1",
      help: "1 if the partition does not hold the watermark back: it is idle or finished."
    },
    (of) => (of.state === "active" ? 0 : 1)
  ),
  ofNode(
    { name: "weir_node_rows_in_total", type: "counter", unit: "rows", help: "Rows that came to the node." },
    (node) => node.rowsIn
  ),
  ofNode(
    { name: "weir_node_rows_out_total", type: "counter", unit: "rows", help: "Rows that the node passed on." },
    (node) => node.rowsOut
  ),
  ofNode(
    { name: "weir_node_waiting_messages", type: "gauge", unit: "messages", help: "Messages waiting in its mailbox." },
    (node) => node.waiting
  ),
  ofNode(
    {
      name: "weir_node_watermark_lag_seconds",
      type: "gauge",
      unit: "seconds",
      help: "How far the node's watermark is behind the clock."
    },
    (node, now) => secondsSince(node.watermark, now)
  ),
  ofNode(
    { name: "weir_node_open_windows", type: "gauge", unit: "1", help: "Windows of the step that hold rows." },
    (node) => node.counts?.windowsOpen ?? null
  ),
  ofNode(
    {
      name: "weir_node_keys",
      type: "gauge",
      unit: "rows",
      help: "Rows of state that the step keeps, over all windows."
    },
    (node) => node.counts?.keys ?? null
  ),
  ofNode(
    { name: "weir_node_lookup_rows", type: "gauge", unit: "rows", help: "Rows of the lookup that the step reads." },
    (node) => node.counts?.lookupRows ?? null
  ),
  ofNode(
    {
      name: "weir_node_lookup_failures_total",
      type: "counter",
      unit: "1",
      help: "Loads of the step's lookup that failed since the job's last start; the version before stays in force."
    },
    (node) => node.counts?.lookupFailures ?? null
  )
]

/** The text that Prometheus reads, format 0.0.4. */
export const toText = (facts: Facts): string =>
  table
    .map(
      (metric) =>
        `# HELP ${metric.name} ${metric.help}\n# TYPE ${metric.name} ${metric.type}\n${metric
          .samples(facts)
          .map((sample) => `${metric.name}${labelsOf(metric, sample)} ${numberOf(sample.value)}\n`)
          .join("")}`
    )
    .join("")

const labelsOf = (metric: Metric, { labels }: Sample): string =>
  metric.labels.length === 0
    ? ""
    : `{${metric.labels.map((label, i) => `${label}="${escaped(labels[i] ?? "")}"`).join(",")}}`

const escaped = (value: string): string =>
  value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))

const numberOf = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
