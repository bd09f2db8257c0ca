import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import type { Manifest } from "../../src/checkpoint/Checkpoint.ts"
import type { StepState } from "../../src/checkpoint/CheckpointStore.ts"
import * as Flow from "../../src/flow/Flow.ts"
import type { SpecOf } from "../../src/flow/Topology.ts"
import * as Topology from "../../src/flow/Topology.ts"
import { Instant } from "../../src/model/Columns.ts"
import type { Barrier, Batch, PartitionCut } from "../../src/model/Message.ts"
import * as AssignTime from "../../src/operator/AssignTime.ts"
import { Calendar } from "../../src/operator/Calendar.ts"
import * as Waits from "../../src/runtime/Waits.ts"
import { append, topic } from "../flow/Connectors.ts"

const cut = (partition: number, state: PartitionCut["state"]): PartitionCut => ({
  source: "orders",
  partition,
  offset: 1,
  state
})
const barrier = (closedAt: number, partitions: ReadonlyArray<PartitionCut>): Barrier => ({
  _tag: "Barrier",
  epoch: 1,
  openedAt: 0,
  closedAt,
  final: false,
  partitions,
  watermark: Number.NEGATIVE_INFINITY,
  idle: false
})
const batch = (partition: number, at: number): Batch => ({
  _tag: "Batch",
  origin: "orders",
  partition,
  openedAt: 100_000,
  values: [at],
  offsets: Float64Array.of(0),
  rows: null,
  eventTimes: null,
  ownWatermarks: null,
  records: null,
  recordIndexes: null
})
const out = { emit: () => {} }

describe("What a step waits for", () => {
  const spec: SpecOf<"eventTime"> = {
    kind: "eventTime",
    at: ((at: number) => at) as never,
    maxOutOfOrdernessMillis: 1_000,
    idleAfterMillis: 60_000,
    maxFutureSkewMillis: 60_000
  }

  it("is the active partition that is furthest behind, since the barrier at which it became that", () => {
    const time = AssignTime.make({ id: "eventTime", spec }, { triggerMillis: 0 })
    time.onBatch(batch(0, 5_000), out, 0)
    time.onBatch(batch(1, 9_000), out, 0)
    time.onBatch(batch(2, 2_000), out, 0)
    time.onBarrier(barrier(100, [cut(0, "active"), cut(1, "active"), cut(2, "idle")]), out)
    expect(time.waiting!()).toEqual({
      kind: "time",
      watermark: 4_000,
      partitions: [
        { source: "orders", partition: 0, highest: 5_000, watermark: 4_000, state: "active" },
        { source: "orders", partition: 1, highest: 9_000, watermark: 8_000, state: "active" },
        { source: "orders", partition: 2, highest: 2_000, watermark: 1_000, state: "idle" }
      ],
      holder: { source: "orders", partition: 0, since: 100 }
    })
    time.onBatch(batch(0, 6_000), out, 0)
    time.onBarrier(barrier(200, [cut(0, "active"), cut(1, "active")]), out)
    expect(time.waiting!()).toMatchObject({ watermark: 5_000, holder: { partition: 0, since: 100 } })
    time.onBatch(batch(0, 20_000), out, 0)
    time.onBarrier(barrier(300, [cut(0, "active"), cut(1, "active"), cut(3, "active")]), out)
    const waiting = time.waiting!()
    expect(waiting).toMatchObject({ watermark: 5_000, holder: { partition: 3, since: 300 } })
    expect(waiting.kind === "time" && waiting.partitions.at(-1)).toEqual({
      source: "orders",
      partition: 3,
      highest: null,
      watermark: null,
      state: "active"
    })
  })

  it("survives a restart, but for since when", () => {
    const before = AssignTime.make({ id: "eventTime", spec }, { triggerMillis: 0 })
    before.onBatch(batch(0, 5_000), out, 0)
    before.onBarrier(barrier(100, [cut(0, "active")]), out)
    const after = AssignTime.make({ id: "eventTime", spec }, { triggerMillis: 0 })
    after.state!.restore(before.state!.snapshot(1).parts)
    expect(after.waiting!()).toEqual({
      kind: "time",
      watermark: 4_000,
      partitions: [{ source: "orders", partition: 0, highest: 5_000, watermark: 4_000, state: null }],
      holder: null
    })
  })

  it("is told of a job that does not run with the partitions that have given no event", () => {
    const Order = Schema.Struct({ at: Instant })
    const rows = Flow.from(topic("orders")).pipe(
      Flow.decode(Order),
      Flow.eventTime((order) => order.at, { maxOutOfOrderness: "0 seconds" }),
      Flow.to(append("kept"))
    )
    const others = Flow.from(topic("others")).pipe(Flow.to(append("others kept")))
    const topology = Topology.make("job", [rows, others])
    const time = AssignTime.make({ id: "eventTime", spec }, { triggerMillis: 0 })
    time.onBatch(batch(0, 5_000), out, 0)
    time.onBarrier(barrier(100, [cut(0, "active"), cut(1, "active")]), out)
    const manifest = {
      job: "job",
      partitions: [cut(0, "active"), cut(1, "active"), { ...cut(0, "active"), source: "others" }],
      steps: [{ step: "eventTime", fingerprint: time.state!.fingerprint }]
    } as unknown as Manifest
    const waitsOf = (state: ReadonlyArray<StepState>) =>
      Waits.ofCheckpoint(topology, manifest, state).map(({ node, waiting }) => [
        node,
        waiting.kind === "time" &&
          waiting.partitions.map(({ highest, partition, state }) => [partition, highest, state])
      ])
    const silent = [1, null, "active"]
    expect(waitsOf([{ step: "eventTime", parts: time.state!.snapshot(1).parts }])).toEqual([
      ["eventTime", [[0, 5_000, "active"], silent]]
    ])
    expect(waitsOf([])).toEqual([["eventTime", [[0, null, "active"], silent]]])
  })

  it("is told of the windows that close first, in the order of time", () => {
    const calendar = new Calendar<string>()
    for (const time of [50, 10, 40, 20, 30]) calendar.put(time, "x")
    expect(calendar.first(3)).toEqual([10, 20, 30])
    expect(calendar.takeUntil(20).length).toBe(2)
    expect(calendar.first(9)).toEqual([30, 40, 50])
  })
})
