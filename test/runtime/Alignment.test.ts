import { FastCheck } from "effect"
import { describe, expect, it } from "vitest"
import type { Barrier, Batch } from "../../src/model/Message.ts"
import { type Aligned, Alignment, type Incoming } from "../../src/runtime/Alignment.ts"

const barrier = (epoch: number, source: string, watermark: number, idle = false): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: 0,
  closedAt: epoch,
  final: false,
  partitions: [{ source, partition: 0, offset: epoch, state: idle ? "idle" : "active" }],
  watermark,
  idle
})

const batch = (value: string): Batch => ({
  _tag: "Batch",
  origin: "orders",
  partition: 0,
  openedAt: 0,
  values: [value],
  offsets: new Float64Array(1),
  rows: null,
  eventTimes: null,
  ownWatermarks: null,
  records: null,
  recordIndexes: null
})

/** What was handed on, as text: values with their input, barriers with epoch and watermark. */
const told = (aligned: ReadonlyArray<Aligned>): ReadonlyArray<string> =>
  aligned.map((one) => {
    if (one.kind === "batch") return `${one.input}:${(one.batch as Batch).values[0]}`
    return one.kind === "barrier" ? `barrier ${one.barrier.epoch} at ${one.barrier.watermark}` : "end"
  })

describe("alignment", () => {
  it("hands on every message in its own epoch, in its sender's order, whatever order senders are heard in", () => {
    const epochs = FastCheck.array(FastCheck.nat(3), { minLength: 4, maxLength: 4 })
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(epochs, { minLength: 1, maxLength: 4 }),
        FastCheck.array(FastCheck.nat(), { minLength: 200, maxLength: 200 }),
        (senders, turns) => {
          const queues = senders.map(
            (counts, sender): Array<Incoming> => [
              ...counts.flatMap((count, epoch) => [
                ...Array.from({ length: count }, (_, i) => ({
                  from: `s${sender}`,
                  input: sender,
                  message: batch(`${epoch + 1}.${i}`)
                })),
                { from: `s${sender}`, input: sender, message: barrier(epoch + 1, `s${sender}`, 10 * epoch + sender) }
              ]),
              { from: `s${sender}`, input: sender, message: { _tag: "End" } }
            ]
          )
          const alignment = new Alignment(senders.map((_, sender) => `s${sender}`))
          const heard: Array<string> = []
          for (let turn = 0; queues.some((queue) => queue.length > 0); turn++) {
            const left = queues.filter((queue) => queue.length > 0)
            heard.push(...told(alignment.offer(left[turns[turn % turns.length]! % left.length]!.shift()!)))
          }
          expect(heard.at(-1)).toBe("end")
          const parts = heard
            .slice(0, -1)
            .join("\n")
            .split(/^barrier \d+ at (\d+)\n?/m)
          for (let epoch = 1; epoch <= 4; epoch++) {
            const inEpoch = parts[2 * (epoch - 1)]!.split("\n").filter((line) => line !== "")
            senders.forEach((counts, sender) => {
              const own = inEpoch.filter((line) => line.startsWith(`${sender}:`))
              expect(own).toEqual(Array.from({ length: counts[epoch - 1]! }, (_, i) => `${sender}:${epoch}.${i}`))
            })
            expect(inEpoch.every((line) => line.includes(`:${epoch}.`))).toBe(true)
            expect(parts[2 * epoch - 1]).toBe(String(10 * (epoch - 1)))
          }
        }
      ),
      { numRuns: 200 }
    )
  })

  it("takes the lowest watermark of those that are not idle, and never lets it fall", () => {
    const alignment = new Alignment(["a", "b"])
    const join = (left: Barrier, right: Barrier) => [
      ...alignment.offer({ from: "a", input: 0, message: left }),
      ...alignment.offer({ from: "b", input: 1, message: right })
    ]
    expect(told(join(barrier(1, "a", 100), barrier(1, "b", 40)))).toEqual(["barrier 1 at 40"])
    expect(told(join(barrier(2, "a", 200), barrier(2, "b", 40, true)))).toEqual(["barrier 2 at 200"])
    expect(told(join(barrier(3, "a", 210), barrier(3, "b", 50)))).toEqual(["barrier 3 at 200"])
    const [both] = join(barrier(4, "a", 220, true), barrier(4, "b", 60, true))
    expect(both).toMatchObject({
      kind: "barrier",
      barrier: { watermark: 200, idle: true, partitions: [{ source: "a" }, { source: "b" }] }
    })
  })

  it("tells a cut once, though it comes by two ways", () => {
    const alignment = new Alignment(["left", "right"])
    alignment.offer({ from: "left", input: 0, message: barrier(1, "orders", 5) })
    const [joined] = alignment.offer({ from: "right", input: 1, message: barrier(1, "orders", 5) })
    expect(joined).toMatchObject({ barrier: { partitions: [{ source: "orders", partition: 0 }] } })
  })
})
