/**
 * What an epoch costs against the size of the state: the windowed operator and the checkpoint store in the embedded
 * Postgres, joined as a job joins them. In every epoch 5,000 keys change, drawn anew from all keys by the same seed;
 * or, with `--keys same`, the same 5,000 in every epoch. One long window, so that none closes.
 *
 * The cost of an epoch is: rows to emit, snapshot (folding included), intent, and the transaction of state and
 * manifest; with `rows written`, also preparing and upserting its 5,000 rows in that transaction. Reading and adding
 * events is not in it.
 */
import { Effect } from "effect"
import { ShopItemIncome } from "../actors/orders.ts"
import type { Intent, Manifest } from "../src/checkpoint/Checkpoint.ts"
import { CheckpointStore, type Claim } from "../src/checkpoint/CheckpointStore.ts"
import { commitManifest } from "../src/checkpoint/Commit.ts"
import { handlesAfter, type SinkHandle } from "../src/checkpoint/EpochFacts.ts"
import * as Fence from "../src/checkpoint/Fence.ts"
import { Sql } from "../src/connectors/sql/index.ts"
import type { TablesWriter } from "../src/flow/Sink.ts"
import { Aggregate } from "../src/index.ts"
import type { Barrier, Batch } from "../src/model/Message.ts"
import * as WindowAggregate from "../src/operator/WindowAggregate.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as World from "./World.ts"

const options = Figures.options({
  /** Sizes of the state, in keys. */
  sizes: "10000,100000,1000000",
  epochs: 240,
  /** Epochs before these, which are not timed. */
  warmup: 20,
  /** Keys that change in each epoch. */
  changed: 5_000,
  /** `anew`: other keys in each epoch. `same`: the same keys in each. */
  keys: "anew",
  // What the processes of one run are told:
  size: 0,
  rows: "dropped",
  folder: ""
})

interface Sample {
  /** Rows to emit, and the snapshot. */
  readonly barrierMillis: number
  readonly prepareMillis: number
  /** Intent, and the transaction. */
  readonly commitMillis: number
  /** Of all three, what the processor spent. */
  readonly processorMillis: number
  readonly bytes: number
  readonly parts: number
  readonly bases: number
}

interface Run {
  readonly samples: ReadonlyArray<Sample>
  readonly stateBytes: number
}

interface Order {
  readonly region: string
  readonly shopid: number
  readonly itemid: number
  readonly price: bigint
  readonly count: bigint
}

// The parts of a job

const step = "income"
const start = Date.UTC(2018, 8, 21)

const operator = () =>
  WindowAggregate.make({
    id: step,
    keyBy: {
      kind: "keyBy",
      columns: [
        { name: "region", of: (order: Order) => order.region },
        { name: "shopid", of: (order: Order) => order.shopid },
        { name: "itemid", of: (order: Order) => order.itemid }
      ]
    },
    window: { kind: "window", window: { kind: "tumbling", sizeMillis: 86_400_000 }, allowedLatenessMillis: 0 },
    aggregate: {
      kind: "aggregate",
      id: step,
      aggregates: {
        grossIncome: Aggregate.sum((order: Order) => order.price as never),
        totalItems: Aggregate.sum((order: Order) => order.count as never),
        totalOrders: Aggregate.count
      }
    },
    mode: "onUpdate",
    appends: false
  })

const regions = ["TW", "ID", "TH", "SG", "VN", "MY", "PH"]
const orderOf = (key: number): Order => ({
  region: regions[key % regions.length]!,
  shopid: 100_000 + (key % 1_200),
  itemid: 100_000 + Math.floor(key / regions.length),
  price: 1_234n + BigInt(key % 5_000),
  count: 1n + BigInt(key % 100)
})

const batchOf = (keys: ReadonlyArray<number>): Batch<Order> => ({
  _tag: "Batch",
  origin: "orders",
  partition: 0,
  openedAt: 0,
  values: keys.map(orderOf),
  offsets: Float64Array.from(keys),
  rows: null,
  eventTimes: new Float64Array(keys.length).fill(start + 1_000),
  ownWatermarks: new Float64Array(keys.length).fill(start),
  records: null,
  recordIndexes: null
})

const barrierOf = (epoch: number): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: start,
  closedAt: start,
  final: false,
  partitions: [{ source: "orders", partition: 0, offset: epoch, state: "active" }],
  watermark: start + epoch,
  idle: false
})

/** Different keys from 0 to below `size`, drawn by a seed. */
const drawn = (count: number, size: number, seed: number): ReadonlyArray<number> => {
  const keys = new Set<number>()
  let state = seed
  while (keys.size < count) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    keys.add(Math.floor((state / 2 ** 32) * size))
  }
  return [...keys]
}

// A run

const openSink = (claim: Claim) =>
  Effect.gen(function* () {
    const sink = Sql.upsert("shop_item_income", ShopItemIncome, {
      key: ["region", "shopid", "itemid", "windowStart"],
      updatedAt: "updatedAt"
    })
    const opening = { ...claim, sink: sink.name, manifestEpoch: 0, intentEpochs: [], position: null }
    const writer = (yield* sink.open(opening)) as TablesWriter
    yield* Fence.open(writer.tables, opening)
    return { id: sink.name, writer, takesInvalid: false, counts: true } satisfies SinkHandle
  })

const intentOf = (claim: Claim, barrier: Barrier): Intent => ({
  job: claim.job,
  lineage: claim.lineage,
  generation: claim.generation,
  epoch: barrier.epoch,
  openedAt: barrier.openedAt,
  closedAt: barrier.closedAt,
  final: false,
  partitions: barrier.partitions
})

const run = Effect.gen(function* () {
  const store = yield* CheckpointStore
  const claim = yield* store.claim("epochs", "bench")
  const sinks = options.rows === "written" ? [yield* openSink(claim)] : []
  const aggregate = operator()
  const samples: Array<Sample> = []
  let emitted: Array<Batch> = []
  let handles: Manifest["state"] = []
  let stateBytes = 0
  let epoch = 0

  /** One epoch of these keys; answers what it cost. */
  const epochOf = (keys: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      epoch += 1
      const barrier = barrierOf(epoch)
      const out = { emit: (_: string, batch: Batch) => void emitted.push(batch) }
      for (let at = 0; at < keys.length; at += 8_192) aggregate.onBatch(batchOf(keys.slice(at, at + 8_192)), out, 0)
      const end = Processes.stopwatch()
      const began = performance.now()
      aggregate.onBarrier(barrier, out)
      const { bytes, parts, rows } = aggregate.state!.snapshot(epoch)
      const barrierMillis = performance.now() - began
      const prepared = new Map()
      for (const { id, writer } of sinks) prepared.set(id, yield* writer.prepare({ barrier, batches: emitted }))
      emitted = []
      const prepareMillis = performance.now() - began - barrierMillis
      const state = [{ step, parts }]
      handles = handlesAfter(handles, epoch, state)
      const intent = intentOf(claim, barrier)
      const manifest: Manifest = {
        ...intent,
        version: 1,
        jobId: claim.jobId,
        watermark: barrier.watermark,
        sources: [{ source: "orders", identity: "bench", partitions: [] }],
        sinks: [],
        steps: [{ step, kind: "aggregate", fingerprint: aggregate.state!.fingerprint }],
        state: handles,
        stateRows: rows,
        stateBytes: bytes,
        totals: { recordsIn: 0, rowsOut: 0, late: 0, deadLetters: 0 }
      }
      yield* store.writeIntent(claim, intent)
      yield* commitManifest({ store, claim, sinks, prepared }, { manifest, state, progress: "" })
      const commitMillis = performance.now() - began - barrierMillis - prepareMillis
      const { processorMillis } = end()
      stateBytes = bytes
      const written = parts.reduce((sum, part) => sum + part.bytes.length, 0)
      const bases = parts.filter((part) => part.kind === "base").length
      return { barrierMillis, prepareMillis, commitMillis, processorMillis, bytes: written, parts: parts.length, bases }
    })

  const all = Array.from({ length: options.size }, (_, key) => key)
  for (let at = 0; at < all.length; at += 50_000) yield* epochOf(all.slice(at, at + 50_000))
  for (let i = 0; i < options.warmup + options.epochs; i++) {
    const seed = options.keys === "same" ? 1 : 1 + i
    const sample = yield* epochOf(drawn(options.changed, options.size, seed))
    if (i >= options.warmup) samples.push(sample)
  }
  Processes.tell({ samples, stateBytes } satisfies Run)
}).pipe(Effect.scoped, Effect.provide(World.storeLayer(options.folder)))

// All runs

const costOf = ({ barrierMillis, commitMillis, prepareMillis }: Sample): number =>
  barrierMillis + prepareMillis + commitMillis

const rowOf = (size: number, { samples, stateBytes }: Run): ReadonlyArray<string> => {
  const costs = samples.map(costOf)
  const processor = samples.map((sample) => sample.processorMillis)
  const bytes = samples.map((sample) => sample.bytes)
  const median = (of: (sample: Sample) => number): string => Figures.quantile(samples.map(of), 0.5).toFixed(1)
  return [
    Figures.grouped(size),
    Figures.megabytes(stateBytes),
    Figures.quantile(costs, 0.5).toFixed(1),
    Figures.quantile(costs, 0.99).toFixed(1),
    Math.max(...costs).toFixed(1),
    Figures.quantile(processor, 0.5).toFixed(1),
    Figures.quantile(processor, 0.99).toFixed(1),
    median((sample) => sample.barrierMillis),
    median((sample) => sample.prepareMillis),
    median((sample) => sample.commitMillis),
    Figures.grouped(Figures.quantile(bytes, 0.5)),
    Figures.grouped(Figures.quantile(bytes, 0.99)),
    String(samples.reduce((sum, sample) => sum + sample.bases, 0))
  ]
}
const head = [
  "keys",
  "state",
  "median ms",
  "p99",
  "most",
  "processor",
  "p99",
  "barrier",
  "prepare",
  "commit",
  "bytes, median",
  "bytes, p99",
  "folds"
]

const compare = async (rows: string): Promise<void> => {
  const sizes = options.sizes.split(",").map(Number)
  const runs: Array<Run> = []
  for (const size of sizes) {
    const { answer } = await World.withFolder((folder) =>
      Processes.run<Run>({
        size,
        rows,
        folder,
        epochs: options.epochs,
        warmup: options.warmup,
        changed: options.changed,
        keys: options.keys
      })
    )
    runs.push(answer)
  }
  const costs = runs.map(({ samples }) => samples.map(costOf))
  const processor = runs.map(({ samples }) => samples.map((sample) => sample.processorMillis))
  const growth = (of: ReadonlyArray<ReadonlyArray<number>>, share: number): string =>
    (Figures.quantile(of.at(-1)!, share) / Figures.quantile(of[0]!, share)).toFixed(2)
  console.log(`rows ${rows}, ${options.epochs} epochs of ${Figures.grouped(options.changed)} changed keys, keys ${options.keys}
${Figures.table([head, ...runs.map((run, i) => rowOf(sizes[i]!, run))])}
largest to smallest: median ${growth(costs, 0.5)} times, p99 ${growth(costs, 0.99)} times; of processor time median ${growth(processor, 0.5)} times, p99 ${growth(processor, 0.99)} times
`)
}

if (options.size > 0) await World.run(run)
else {
  console.log(`${Processes.machine()}\n`)
  await compare("dropped")
  await compare("written")
}
