/** A daemon, topics and tables in memory: lively enough to look at the page with, still enough to test the API with. */
import { Clock, Effect, Layer, PubSub, Schedule, Stream } from "effect"
import type { Savepoint } from "../../src/checkpoint/Savepoint.ts"
import { Daemon, type DaemonService, type DeadLetter, type JobDetail } from "../../src/daemon/Daemon.ts"
import { Tables, type TablesService } from "../../src/flow/Tables.ts"
import { type StoredRecord, Topics, type TopicsService } from "../../src/flow/Topics.ts"
import type { Topology } from "../../src/flow/Topology.ts"
import {
  InvalidJob,
  SavepointExists,
  StatementRefused,
  TopicExists,
  UnknownJob,
  UnknownSavepoint,
  UnknownTopic
} from "../../src/model/Errors.ts"
import type { EpochProgress, JobEvent, JobState, JobStatus } from "../../src/observe/Progress.ts"
import type { StepWaiting } from "../../src/runtime/Chain.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const minute = 60_000

const sink = (label: string, replaces: boolean, key: ReadonlyArray<string>) =>
  ({ kind: "sink", sink: { label, replaces, key, guarantee: "exactly once" } }) as never

/** The `orders` job's drawing, by hand. */
export const ordersTopology: Topology = {
  nodes: [
    { id: "orders", spec: { kind: "source" } as never, label: "topic orders" },
    { id: "decode", spec: { kind: "decode" } as never, label: "Order" },
    { id: "eventTime", spec: { kind: "eventTime" } as never, label: "maxOutOfOrderness 5s" },
    { id: "keyBy", spec: { kind: "keyBy" } as never, label: "region, shopid, itemid" },
    { id: "window", spec: { kind: "window" } as never, label: "tumbling 1m, allowedLateness 30s" },
    { id: "income", spec: { kind: "aggregate" } as never, label: "grossIncome, totalItems, totalOrders" },
    { id: "emit", spec: { kind: "emit" } as never, label: "onUpdate" },
    {
      id: "shop_item_income",
      spec: sink("upsert into shop_item_income by region, shopid, itemid, window_start", true, [
        "region",
        "shopid",
        "itemid",
        "window_start"
      ]),
      label: "upsert into shop_item_income by region, shopid, itemid, window_start"
    },
    { id: "orders.late", spec: sink("topic orders.late", false, []), label: "topic orders.late" },
    { id: "orders.invalid", spec: sink("topic orders.invalid", false, []), label: "topic orders.invalid" }
  ],
  edges: [
    { from: "orders", port: "out", to: "decode", input: 0 },
    { from: "decode", port: "invalid", to: "orders.invalid", input: 0 },
    { from: "decode", port: "out", to: "eventTime", input: 0 },
    { from: "eventTime", port: "out", to: "keyBy", input: 0 },
    { from: "keyBy", port: "out", to: "window", input: 0 },
    { from: "window", port: "out", to: "income", input: 0 },
    { from: "window", port: "late", to: "orders.late", input: 0 },
    { from: "income", port: "out", to: "emit", input: 0 },
    { from: "emit", port: "out", to: "shop_item_income", input: 0 }
  ]
}

const archiveTopology: Topology = {
  nodes: [
    { id: "stocks", spec: { kind: "source" } as never, label: "topic stocks" },
    { id: "decode", spec: { kind: "decode" } as never, label: "Stock" },
    { id: "out", spec: sink("Parquet out/stocks-archive", false, []), label: "Parquet out/stocks-archive" }
  ],
  edges: [
    { from: "stocks", port: "out", to: "decode", input: 0 },
    { from: "decode", port: "out", to: "out", input: 0 }
  ]
}

/** Two sources joined, then branched: several inputs and several outputs. */
const joinTopology: Topology = {
  nodes: [
    { id: "orders", spec: { kind: "source" } as never, label: "topic orders" },
    { id: "decode", spec: { kind: "decode" } as never, label: "Order" },
    { id: "keyBy", spec: { kind: "keyBy" } as never, label: "customer" },
    { id: "payments", spec: { kind: "source" } as never, label: "topic payments" },
    { id: "decode-2", spec: { kind: "decode" } as never, label: "Payment" },
    { id: "paid", spec: { kind: "join" } as never, label: "inner, within 10 minutes" },
    { id: "bySize", spec: { kind: "branch" } as never, label: "large, small" },
    { id: "large_orders", spec: sink("append to large_orders", false, []), label: "append to large_orders" },
    { id: "small_orders", spec: sink("append to small_orders", false, []), label: "append to small_orders" },
    { id: "orders.late", spec: sink("topic orders.late", false, []), label: "topic orders.late" },
    { id: "orders.invalid", spec: sink("topic orders.invalid", false, []), label: "topic orders.invalid" }
  ],
  edges: [
    { from: "orders", port: "out", to: "decode", input: 0 },
    { from: "decode", port: "invalid", to: "orders.invalid", input: 0 },
    { from: "decode", port: "out", to: "keyBy", input: 0 },
    { from: "payments", port: "out", to: "decode-2", input: 0 },
    { from: "keyBy", port: "out", to: "paid", input: 0 },
    { from: "decode-2", port: "out", to: "paid", input: 1 },
    { from: "paid", port: "late", to: "orders.late", input: 0 },
    { from: "paid", port: "out", to: "bySize", input: 0 },
    { from: "bySize", port: "side large", to: "large_orders", input: 0 },
    { from: "bySize", port: "side small", to: "small_orders", input: 0 }
  ]
}

interface Running {
  status: JobStatus
  readonly topology: Topology
  readonly rate: number
  reports: Array<EpochProgress>
  savepoints: Array<Savepoint>
}

const savepointOf = (status: JobStatus, name: string, takenAt: number): Savepoint => ({
  name,
  takenAt,
  manifest: {
    version: 1,
    job: status.job,
    jobId: "job-1",
    lineage: 1,
    generation: 3,
    epoch: status.epoch,
    openedAt: takenAt,
    closedAt: takenAt,
    final: false,
    partitions: [],
    watermark: null,
    sources: [],
    sinks: [],
    steps: [],
    state: [],
    stateRows: 10,
    stateBytes: 1_000,
    totals: { recordsIn: 1, rowsOut: 1, late: 0, deadLetters: 0 }
  }
})

const exists = (job: string, savepoint: string) =>
  new SavepointExists({
    job,
    savepoint,
    message: `Job ${job} has '${savepoint}' already`,
    hint: "Choose another name."
  })
const unknownSavepoint = (job: string, savepoint: string) =>
  new UnknownSavepoint({
    job,
    savepoint,
    message: `Job ${job} has no savepoint '${savepoint}'`,
    hint: "It has others."
  })

const statusOf = (job: string, state: JobState, now: number): JobStatus => ({
  job,
  state,
  reason:
    state === "failed"
      ? {
          tag: "TableMismatch",
          message: "Table stock_averages has column avg_price double precision, wanted numeric(18,3)",
          hint: "Alter or drop the table, or set another name with `--set table=…`."
        }
      : null,
  runId: "run-1",
  jobId: "job-1",
  epoch: 41,
  checkpointAt: now - 1_400,
  rowsIn: 1_204_220,
  rowsOut: 48_112,
  lag: 180,
  restarts: 1,
  late: 12,
  deadLetters: 3,
  replayed: 2
})

/** The report of the next epoch of a job; the same for the same epoch. */
export const reportOf = (status: JobStatus, rate: number, now: number): EpochProgress => {
  const wave = 1 + 0.4 * Math.sin(status.epoch / 3)
  const rows = Math.round(rate * wave)
  return {
    jobId: "job-1",
    runId: "run-1",
    job: status.job,
    lineage: 1,
    generation: 3,
    epoch: status.epoch,
    triggeredAt: now - 1_000,
    cutAt: now - 995,
    inputRows: rows,
    inputRowsPerSecond: rows,
    processedRowsPerSecond: rows * 8,
    phases: {
      cut: 5,
      process: Math.round(90 * wave),
      prepare: 9 + (status.epoch % 5),
      intent: 3,
      sinks: status.epoch % 4 === 0 ? 30 : 12,
      manifest: 21 + (status.epoch % 7) * 4
    },
    partitions: [0, 1, 2, 3].map((partition) => ({
      source: "orders",
      partition,
      from: (status.epoch - 1) * 300,
      to: status.epoch * 300,
      latest: status.epoch * 300 + partition * 30,
      state: partition === 3 ? "idle" : "active"
    })),
    watermark: now - 6_000,
    stateRows: 3_200 + status.epoch,
    stateBytes: 410_000 + status.epoch * 128,
    stateBytesWritten: 52_000,
    sinks: [{ sink: "shop_item_income", rows: Math.round(rows / 25), outcome: "written" }],
    late: status.epoch % 6 === 0 ? 1 : 0,
    deadLetters: status.epoch % 9 === 0 ? 1 : 0,
    replayed: false,
    final: false
  }
}

/** Jobs that stand still until `tick` gives each running one an epoch. */
export const makeDaemon = Effect.gen(function* () {
  const now = yield* Clock.currentTimeMillis
  const hub = yield* PubSub.sliding<JobEvent>(1_024)
  const job = (name: string, state: JobState, topology: Topology, rate: number): [string, Running] => {
    const status = statusOf(name, state, now)
    return [
      name,
      {
        status,
        topology,
        rate,
        savepoints: [],
        reports: Array.from({ length: 40 }, (_, i) =>
          reportOf({ ...status, epoch: i + 2 }, rate, now - (40 - i) * 1_000)
        )
      }
    ]
  }
  const jobs = new Map([
    job("orders", "running", ordersTopology, 1_200),
    job("stocks-archive", "stopped", archiveTopology, 300),
    job("stocks-average", "failed", joinTopology, 0)
  ])
  const known = (name: string) =>
    Effect.fromNullable(jobs.get(name)).pipe(
      Effect.mapError(
        () =>
          new UnknownJob({
            message: `There is no job '${name}'`,
            hint: `There are: ${[...jobs.keys()].join(", ")}.`,
            job: name
          })
      )
    )
  const move = (of: Running, state: JobState, reason: JobStatus["reason"] = null) =>
    Effect.suspend(() => {
      of.status = { ...of.status, state, reason }
      return Effect.as(PubSub.publish(hub, { _tag: "State", status: of.status }), of.status)
    })
  const refuse = (name: string, why: string) =>
    new InvalidJob({ message: `Job ${name} ${why}`, hint: "`weir jobs` shows every job's state.", job: name })
  const service: DaemonService = {
    jobs: [],
    statuses: Effect.sync(() => [...jobs.values()].map(({ status }) => status)),
    detail: (name) =>
      Effect.map(
        known(name),
        (of): JobDetail => ({
          status: of.status,
          topology: of.topology,
          settings: [
            { name: "window", type: "duration", value: "1m", fallback: "1m", meaning: "size of the window" },
            {
              name: "startAt",
              type: "text",
              value: "earliest",
              fallback: "earliest",
              meaning: "where a first start begins"
            }
          ],
          figures: of.topology.nodes.map((node, i) => ({
            node: node.id,
            rowsIn: of.status.rowsIn,
            rowsOut: i > 4 ? of.status.rowsOut : of.status.rowsIn,
            rowsPerSecond: of.status.state === "running" ? (i > 4 ? of.rate / 25 : of.rate) : 0,
            watermark: i > 1 ? of.status.checkpointAt : null,
            waiting: i === 4 ? 3 : 0,
            ...(node.id === "income"
              ? { counts: { windowsOpen: 3, keys: 3_200, lookupRows: 40, lookupFailures: 1 } }
              : {})
          }))
        })
      ),
    waiting: (name) =>
      Effect.map(known(name), ({ status, topology }) =>
        topology === ordersTopology ? waitingAt(status.checkpointAt ?? now) : []
      ),
    progress: (name, last) => Effect.map(known(name), ({ reports }) => reports.slice(-last)),
    deadLetters: (name, { last, reason, step }) =>
      Effect.map(known(name), () =>
        letters(now)
          .filter(({ about }) => (step ?? about.step) === about.step && (reason ?? about.reason) === about.reason)
          .slice(-last)
      ),
    replayDeadLetters: (name) =>
      Effect.map(known(name), () => ({ replayed: 3, succeeded: 1, late: 1, deadLetters: 1, skipped: 0 })),
    start: (name) =>
      Effect.flatMap(known(name), (of) =>
        of.status.state === "running" ? refuse(name, "runs already") : move(of, "running")
      ),
    stop: (name) =>
      Effect.flatMap(known(name), (of) =>
        of.status.state === "running" || of.status.state === "paused"
          ? move(of, "stopped")
          : refuse(name, "does not run")
      ),
    pause: (name) =>
      Effect.flatMap(known(name), (of) =>
        of.status.state === "running" ? move(of, "paused") : refuse(name, "does not run")
      ),
    resume: (name) =>
      Effect.flatMap(known(name), (of) =>
        of.status.state === "paused" ? move(of, "running") : refuse(name, "is not paused")
      ),
    restart: (name) => Effect.flatMap(known(name), (of) => move(of, "running")),
    savepoint: (name, wanted) =>
      Effect.flatMap(known(name), ({ savepoints, status }) => {
        const savepoint = savepointOf(status, wanted ?? `epoch-${status.epoch}`, now)
        if (savepoints.some((other) => other.name === savepoint.name)) return exists(name, savepoint.name)
        savepoints.push(savepoint)
        return Effect.succeed(savepoint)
      }),
    savepoints: (name) => Effect.map(known(name), ({ savepoints }) => savepoints),
    removeSavepoint: (name, savepoint) =>
      Effect.flatMap(known(name), (of) => {
        if (of.savepoints.every((other) => other.name !== savepoint)) return unknownSavepoint(name, savepoint)
        of.savepoints = of.savepoints.filter((other) => other.name !== savepoint)
        return Effect.void
      }),
    rewind: (name, { savepoint, tables }) =>
      Effect.flatMap(known(name), (of): Effect.Effect<ReadonlyArray<string>, InvalidJob | UnknownSavepoint> => {
        if (of.status.state === "running") return refuse(name, "runs: stop it first")
        return of.savepoints.some((other) => other.name === savepoint)
          ? Effect.succeed([`From ${savepoint}, ${tables ? "without" : "with"} the rows.`])
          : unknownSavepoint(name, savepoint)
      }),
    check: (name) =>
      Effect.map(known(name), ({ status }) => ({
        job: name,
        epoch: status.epoch,
        parts: [
          { part: "step" as const, id: "income", fate: "kept" as const, says: "goes on with its state", refuses: false }
        ],
        refusal: null,
        warnings: [],
        migrating: new Map()
      })),
    checkpoint: (name) =>
      Effect.map(known(name), ({ status }) => ({
        lineage: 1,
        epoch: status.epoch,
        closedAt: now,
        stateRows: 10,
        stateBytes: 1_000,
        sources: [{ source: "orders" }],
        sinks: [{ sink: "shop_item_income" }],
        steps: [
          {
            step: "income",
            kind: "aggregate",
            fingerprint: "window 1",
            of: ["orders"],
            numbers: { price: "decimal 2" },
            waits: "{ price: decimal 2 }"
          }
        ],
        intents: []
      })),
    reset: (name, { tables }) =>
      Effect.flatMap(known(name), (of) =>
        of.status.state === "running"
          ? refuse(name, "runs: stop it first")
          : Effect.succeed([tables ? "Table shop_item_income is empty." : "Table shop_item_income keeps its rows."])
      ),
    ended: () => Effect.never,
    events: Stream.fromPubSub(hub)
  }
  const tick = Effect.gen(function* () {
    const at = yield* Clock.currentTimeMillis
    for (const of of jobs.values()) {
      if (of.status.state !== "running") continue
      const report = reportOf({ ...of.status, epoch: of.status.epoch + 1 }, of.rate, at)
      of.reports = [...of.reports, report].slice(-200)
      of.status = {
        ...of.status,
        epoch: report.epoch,
        checkpointAt: at,
        rowsIn: of.status.rowsIn + report.inputRows,
        rowsOut: of.status.rowsOut + report.sinks[0]!.rows,
        lag: 120 + (report.epoch % 7) * 25,
        late: of.status.late + report.late,
        deadLetters: of.status.deadLetters + report.deadLetters
      }
      yield* PubSub.publish(hub, { _tag: "Progress", progress: report })
    }
  })
  const setState = (name: string, state: JobState, reason: JobStatus["reason"] = null) =>
    Effect.flatMap(known(name), (of) => move(of, state, reason))
  return { service, tick, setState }
})

/** Partition 2 is behind the others, and two windows wait for it. */
const waitingAt = (at: number): ReadonlyArray<StepWaiting> => [
  {
    node: "eventTime",
    waiting: {
      kind: "time",
      watermark: at - 6_000,
      partitions: [0, 1, 2, 3].map((partition) => ({
        source: "orders",
        partition,
        highest: at - (partition === 2 ? 1_000 : 200),
        watermark: at - (partition === 2 ? 6_000 : 5_200),
        state: partition === 3 ? "idle" : "active"
      })),
      holder: { source: "orders", partition: 2, since: at - 4_000 }
    }
  },
  {
    node: "income",
    waiting: {
      kind: "windows",
      watermark: at - 6_000,
      open: 2,
      first: [0, 1].map((i) => {
        const start = Math.floor(at / minute + i - 1) * minute
        return { start, end: start + minute, closesAt: start + minute + 30_000, rows: 9 - i }
      })
    }
  },
  {
    node: "payments",
    waiting: {
      kind: "events",
      watermark: at - 6_000,
      waiting: 12,
      first: { eventTime: at - 60_000, until: at + 30_001 }
    }
  }
]

const letters = (now: number): ReadonlyArray<DeadLetter> =>
  [
    ['{"ordered_at": "yesterday", "region": "SG"}', "orderedAt: 'yesterday' is not an ISO 8601 instant"],
    ["{broken", "the record is no JSON: a name was expected at byte 1"],
    ["\u00ff\u00fe", "the record is no UTF-8 at byte 0"]
  ].map(([value, cause], i) => ({
    topic: "orders.invalid",
    record: {
      partition: i % 4,
      offset: 10 + i,
      timestamp: now - (3 - i) * minute,
      key: null,
      value: i === 2 ? Uint8Array.of(0xff, 0xfe, 0x00) : bytes(value!),
      headers: []
    },
    about: {
      job: "orders",
      step: "decode",
      reason: "undecodable",
      cause: cause!,
      source: "orders",
      partition: String(i),
      offset: String(4_711 + i)
    },
    replay: "next"
  }))

/** Topics in memory: `orders` with four partitions of a hundred records. */
export const makeTopics = (): TopicsService => {
  const logs = new Map<string, { retention: number | null; partitions: Array<Array<StoredRecord>> }>()
  const unknown = (topic: string) =>
    new UnknownTopic({ message: `There is no topic '${topic}'`, hint: "`weir topics` lists all.", topic })
  const known = (topic: string) =>
    Effect.mapError(
      Effect.suspend(() => Effect.fromNullable(logs.get(topic))),
      () => unknown(topic)
    )
  const described = (topic: string) =>
    Effect.map(known(topic), ({ partitions, retention }) => ({
      topic,
      partitions: partitions.map((records, partition) => ({ partition, oldest: 0, latest: records.length })),
      retentionMillis: retention
    }))
  const append = (
    topic: string,
    partition: number,
    values: ReadonlyArray<Omit<StoredRecord, "partition" | "offset" | "timestamp">>
  ) => {
    const log = logs.get(topic)!.partitions[partition]!
    const first = log.length
    for (const record of values) log.push({ ...record, partition, offset: log.length, timestamp: 1_000 + log.length })
    return first
  }
  logs.set("orders", { retention: null, partitions: [[], [], [], []] })
  for (let i = 0; i < 400; i++)
    append("orders", i % 4, [{ key: bytes(`SG-${i}`), value: bytes(`{"n":${i}}`), headers: [] }])
  const notHere = () => Effect.dieMessage("not of this test")
  return {
    identity: "memory",
    list: Effect.suspend(() => Effect.forEach(logs.keys(), described)),
    describe: described,
    create: (topic, options) =>
      Effect.suspend(() => {
        if (logs.has(topic)) return new TopicExists({ message: `Topic ${topic} exists`, hint: "Write to it.", topic })
        const partitions = Array.from({ length: options.partitions }, () => [])
        logs.set(topic, { retention: options.retentionMillis ?? null, partitions })
        return Effect.void
      }),
    reader: notHere,
    produce: (topic, partition, records) => Effect.map(known(topic), () => append(topic, partition, records)),
    fetch: (topic, partition, offset, count) =>
      Effect.map(known(topic), ({ partitions }) => partitions[partition]!.slice(offset, offset + count)),
    changed: () => Effect.never,
    epochWriter: notHere
  }
}

const items = ["SG", "MY", "TW"].flatMap((region) => [11, 12, 13].map((item) => ({ region, item })))

/** One table of income by minute, and a database that refuses what is not about it. */
export const makeTables = (now: Effect.Effect<number>): TablesService => {
  const notHere = () => Effect.dieMessage("not of this test")
  const columns = [
    "region",
    "shopid",
    "itemid",
    "window_start",
    "window_end",
    "gross_income",
    "total_items",
    "updated_at"
  ]
  const iso = (at: number) => new Date(at).toISOString()
  const detail = (at: number, limit: number) =>
    Array.from({ length: limit }, (_, i) => {
      const { region, item } = items[i % items.length]!
      const start = Math.floor(at / minute - Math.floor(i / items.length)) * minute
      return [
        region,
        "7",
        String(item),
        iso(start),
        iso(start + minute),
        ((at % minute) / 7 + item * 3.05).toFixed(2),
        String(item * 4),
        iso(at - i * 230)
      ]
    })
  const perMinute = (at: number) =>
    Array.from({ length: 30 }, (_, i) => {
      const start = Math.floor(at / minute - 29 + i) * minute
      const full = 8_000 + 3_000 * Math.sin(i / 4) + ((i * 37) % 11) * 140
      return [iso(start), (i === 29 ? (full * (at % minute)) / minute : full).toFixed(2)]
    })
  return {
    identity: "memory",
    dialect: { name: "postgres" } as never,
    transaction: notHere,
    query: notHere,
    ask: (sql, { rowsMax }) =>
      Effect.flatMap(now, (at) => {
        if (!sql.includes("shop_item_income"))
          return new StatementRefused({
            message: "relation does not exist",
            hint: "`weir query` lists tables with `\\dt`.",
            code: "42P01",
            statement: sql
          })
        if (/^select window_start, gross_income from \(select/.test(sql))
          return Effect.succeed({ columns: ["window_start", "gross_income"], rows: perMinute(at), truncated: false })
        if (/sum\(/i.test(sql))
          return Effect.succeed({ columns: ["at", "total"], rows: perMinute(at).reverse(), truncated: false })
        const limit = Math.min(rowsMax, Number(/limit (\d+)/i.exec(sql)?.[1] ?? 20))
        return Effect.succeed({ columns, rows: detail(at, limit), truncated: false })
      }),
    describe: (table) =>
      Effect.succeed(
        table === "shop_item_income"
          ? {
              columns: columns.map((name) => ({
                name,
                type: /^(window|updated)/.test(name)
                  ? "timestamp with time zone"
                  : name === "gross_income"
                    ? "numeric"
                    : name === "region"
                      ? "text"
                      : "bigint",
                nullable: false
              })),
              primaryKey: ["region", "shopid", "itemid", "window_start"]
            }
          : null
      ),
    list: Effect.succeed(["agg_order_minute", "shop_item_income"]),
    maintain: Effect.void
  }
}

/** All three, with an epoch a second. */
export const layerLively = Layer.mergeAll(
  Layer.scoped(
    Daemon,
    Effect.gen(function* () {
      const { service, tick } = yield* makeDaemon
      yield* Effect.forkScoped(Effect.repeat(tick, Schedule.spaced("1 second")))
      return service
    })
  ),
  Layer.sync(Topics, makeTopics),
  Layer.sync(Tables, () => makeTables(Clock.currentTimeMillis))
)
