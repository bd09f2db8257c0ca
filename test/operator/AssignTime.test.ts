import { describe, expect, test } from "vitest"
import { StepFailed } from "../../src/model/Errors.ts"
import type { Invalid } from "../../src/model/Event.ts"
import type { Barrier, Batch, PartitionCut, PartitionState } from "../../src/model/Message.ts"
import * as Time from "../../src/model/Time.ts"
import * as AssignTime from "../../src/operator/AssignTime.ts"
import type { Operator, Port } from "../../src/operator/Operator.ts"
import type { StatePart } from "../../src/state/StatePart.ts"

const openedAt = 1_000_000
const make = (): Operator =>
  AssignTime.make(
    {
      id: "time",
      spec: {
        kind: "eventTime",
        at: (event: { readonly at: number }) => event.at,
        maxOutOfOrdernessMillis: 10,
        idleAfterMillis: 0,
        maxFutureSkewMillis: 500
      }
    },
    { triggerMillis: 100 }
  )

const batch = (partition: number, times: ReadonlyArray<number>): Batch => ({
  _tag: "Batch",
  origin: "orders",
  partition,
  openedAt,
  values: times.map((at) => ({ at })),
  offsets: Float64Array.from(times, (_, i) => 100 + i),
  rows: null,
  eventTimes: null,
  ownWatermarks: null,
  records: {
    partition,
    count: times.length,
    offsets: Float64Array.from(times, (_, i) => 100 + i),
    timestamps: new Float64Array(times.length),
    bytes: Uint8Array.from(times, (_, i) => i),
    valueStarts: Int32Array.from(times, (_, i) => i),
    valueEnds: Int32Array.from(times, (_, i) => i + 1),
    keyStarts: new Int32Array(times.length).fill(-1),
    keyEnds: new Int32Array(times.length),
    nextOffset: 100 + times.length
  },
  recordIndexes: Int32Array.from(times, (_, i) => i)
})

const barrier = (...states: ReadonlyArray<PartitionState>): Barrier => ({
  _tag: "Barrier",
  epoch: 1,
  openedAt,
  closedAt: openedAt,
  final: false,
  partitions: states.map((state, partition): PartitionCut => ({ source: "orders", partition, offset: 0, state })),
  watermark: Time.beginning,
  idle: false
})

const give = (operator: Operator, given: Batch): Partial<Record<Port, Batch>> => {
  const emitted: Partial<Record<Port, Batch>> = {}
  operator.onBatch(
    given,
    {
      emit: (port, made) => {
        expect(emitted[port]).toBeUndefined()
        emitted[port] = made
      }
    },
    0
  )
  return emitted
}
const watermarkAt = (operator: Operator, ...states: ReadonlyArray<PartitionState>): number =>
  operator.onBarrier(barrier(...states), { emit: () => expect.fail("a barrier emits nothing") }).watermark

describe("an event", () => {
  test("carries its time and its partition's watermark over the events before it", () => {
    const operator = make()
    const { out } = give(operator, batch(0, [50, 70, 60, 90]))
    expect([...out!.eventTimes!]).toEqual([50, 70, 60, 90])
    expect([...out!.ownWatermarks!]).toEqual([Time.beginning, 40, 60, 60])
    expect([...give(operator, batch(0, [91])).out!.ownWatermarks!]).toEqual([80])
    expect([...give(operator, batch(1, [5])).out!.ownWatermarks!]).toEqual([Time.beginning])
  })

  test("has the same watermark in whatever batches it comes", () => {
    const times = [5, 90, 30, 120, 119, 7, 300]
    const whole = [...give(make(), batch(0, times)).out!.ownWatermarks!]
    const operator = make()
    expect(times.flatMap((at) => [...give(operator, batch(0, [at])).out!.ownWatermarks!])).toEqual(whole)
  })

  test("from the far future is set aside with its raw record, and moves no watermark", () => {
    const operator = make()
    const { out, invalid } = give(operator, batch(0, [50, openedAt + 601, openedAt + 600]))
    expect([...out!.eventTimes!]).toEqual([50, openedAt + 600])
    expect([...out!.offsets]).toEqual([100, 102])
    expect([...out!.ownWatermarks!]).toEqual([Time.beginning, 40])
    const refused = invalid!.values[0] as Invalid
    expect(refused).toMatchObject({ step: "time", reason: "far future" })
    expect(refused.event).toMatchObject({ partition: 0, offset: 101, value: Uint8Array.of(1) })
    expect(refused.cause).toContain("1970-01-01T00:16:40.601Z")
    expect(operator.counts!().deadLetters).toBe(1)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.5, Time.eventTimeMin - 1, undefined])(
    "with the time %s is set aside",
    (at) => {
      const operator = make()
      const { out, invalid } = give(operator, batch(0, [at as number]))
      expect(out).toBeUndefined()
      expect(invalid!.values.length).toBe(1)
      expect(watermarkAt(operator, "active")).toBe(Time.beginning)
    }
  )

  test("whose time cannot be read fails the step, and says where it stands", () => {
    const broken = { ...batch(3, [1]), values: [null], offsets: Float64Array.of(41) }
    expect(() => give(make(), broken)).toThrow(StepFailed)
    expect(() => give(make(), broken)).toThrow(/^Step 'time' failed at \w+, partition 3, offset 41: /)
  })
})

describe("the job's watermark", () => {
  test("is the lowest of the active partitions", () => {
    const operator = make()
    give(operator, batch(0, [100]))
    give(operator, batch(1, [50]))
    expect(watermarkAt(operator, "active", "active")).toBe(40)
    expect(watermarkAt(operator, "active", "idle")).toBe(90)
  })

  test("waits for a partition that has given nothing, unless it is idle or finished", () => {
    const operator = make()
    give(operator, batch(0, [100]))
    expect(watermarkAt(operator, "active", "active")).toBe(Time.beginning)
    expect(watermarkAt(operator, "active", "finished")).toBe(90)
  })

  test("never falls, neither for a partition that comes back nor for a new one", () => {
    const operator = make()
    give(operator, batch(0, [100]))
    give(operator, batch(1, [50]))
    expect(watermarkAt(operator, "active", "idle")).toBe(90)
    expect(watermarkAt(operator, "active", "active")).toBe(90)
    expect(watermarkAt(operator, "active", "idle", "active")).toBe(90)
  })

  test("stays while no partition is active, and ends when all are finished", () => {
    const operator = make()
    give(operator, batch(0, [100]))
    expect(watermarkAt(operator, "active")).toBe(90)
    give(operator, batch(0, [200]))
    expect(watermarkAt(operator, "idle")).toBe(90)
    expect(watermarkAt(operator, "idle", "finished")).toBe(90)
    expect(watermarkAt(operator)).toBe(90)
    expect(watermarkAt(operator, "finished", "finished")).toBe(Time.eventTimeMax)
  })

  test("and those of partitions live through a restart", () => {
    const operator = make()
    give(operator, batch(0, [100]))
    give(operator, batch(1, [150]))
    watermarkAt(operator, "idle", "active")
    const { parts, rows, bytes } = operator.state!.snapshot(1)
    expect(rows).toBe(2)
    expect(parts.map((part: StatePart) => [part.keyGroup, part.kind, part.bytes.length])).toEqual([[0, "base", bytes]])
    expect(operator.state!.snapshot(2).parts).toEqual([])
    const again = make()
    again.state!.restore(parts)
    expect(watermarkAt(again, "active", "active")).toBe(140)
    expect([...give(again, batch(0, [101])).out!.ownWatermarks!]).toEqual([90])
    give(again, batch(0, [170]))
    expect(watermarkAt(again, "active", "idle")).toBe(160)
  })
})
