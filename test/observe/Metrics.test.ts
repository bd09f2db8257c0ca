import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Metrics from "../../src/observe/Metrics.ts"
import * as MetricsPage from "../../src/observe/MetricsPage.ts"
import * as FakeWorld from "../daemon/FakeWorld.ts"

const processFacts = { residentBytes: 1_000, heapBytes: 500, uptimeMillis: 2_500 }

const facts = Effect.gen(function* () {
  const { service } = yield* FakeWorld.makeDaemon
  const now = 10_000_000
  const statuses = yield* service.statuses
  const jobs = yield* Effect.forEach(statuses, (status) =>
    Effect.gen(function* () {
      const last = FakeWorld.reportOf(status, 1_200, now)
      return {
        status: { ...status, checkpointAt: now - 1_500 },
        last,
        nodes: (yield* service.detail(status.job)).figures
      }
    })
  )
  return { now, jobs, process: processFacts }
})

interface Line {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A parser as strict as the format: whatever it does not know is an error. */
const parse = (text: string) => {
  const types = new Map<string, string>()
  const samples: Array<Line> = []
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line)
    if (comment !== null) {
      if (comment[1] === "TYPE") types.set(comment[2]!, comment[3]!)
      continue
    }
    const sample = /^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?[0-9.e+-]+|\+Inf|-Inf|NaN)$/.exec(
      line
    )
    if (sample === null) throw new Error(`no line of the format: ${line}`)
    const labels = [...(sample[2] ?? "").matchAll(/([a-z]+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, name, value]) => [name!, value!.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c))] as const
    )
    samples.push({ name: sample[1]!, labels: Object.fromEntries(labels), value: Number(sample[3]) })
  }
  return { types, samples }
}

describe("Metrics", () => {
  it.effect("says every metric of the table with its type and labels, and no other", () =>
    Effect.gen(function* () {
      const { types, samples } = parse(Metrics.toText(yield* facts))
      expect([...types]).toEqual(Metrics.table.map((metric) => [metric.name, metric.type]))
      for (const metric of Metrics.table) {
        const found = samples.filter((sample) => sample.name === metric.name)
        expect([metric.name, found.length > 0]).toEqual([metric.name, true])
        for (const sample of found) expect(Object.keys(sample.labels)).toEqual(metric.labels)
      }
      expect(new Set(samples.map((sample) => JSON.stringify([sample.name, sample.labels]))).size).toBe(samples.length)
    })
  )

  it.effect("carries the figures in base units", () =>
    Effect.gen(function* () {
      const { samples } = parse(Metrics.toText(yield* facts))
      const value = (name: string, labels: Record<string, string>) =>
        samples.find(
          (sample) => sample.name === name && Object.entries(labels).every(([label, of]) => sample.labels[label] === of)
        )?.value
      const orders = { job: "orders" }
      expect(value("weir_process_uptime_seconds", {})).toBe(2.5)
      expect(value("weir_job_state", { ...orders, state: "running" })).toBe(1)
      expect(value("weir_job_state", { ...orders, state: "backing off" })).toBe(0)
      expect(value("weir_job_checkpoint_age_seconds", orders)).toBe(1.5)
      expect(value("weir_job_rows_in_total", orders)).toBe(1_204_220)
      expect(value("weir_job_replayed_total", orders)).toBe(2)
      expect(value("weir_epoch_phase_seconds", { ...orders, phase: "intent" })).toBe(0.003)
      expect(value("weir_watermark_lag_seconds", orders)).toBe(6)
      expect(value("weir_partition_lag_records", { ...orders, partition: "3" })).toBe(90)
      expect(value("weir_partition_idle", { ...orders, partition: "3" })).toBe(1)
      expect(value("weir_node_waiting_messages", { ...orders, node: "window" })).toBe(3)
    })
  )

  it("names units last, and counters with _total", () => {
    for (const { name, type, unit, help } of Metrics.table) {
      expect(name).toMatch(/^weir_[a-z_]+$/)
      expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"])
      if (unit === "seconds" || unit === "bytes") expect(name).toMatch(new RegExp(`_${unit}$`))
      expect(help).toMatch(/^\S.*\.$/)
    }
    expect(new Set(Metrics.table.map(({ name }) => name)).size).toBe(Metrics.table.length)
  })

  it("are told in docs/metrics.md as the table has them (write it with `vitest -u`)", async () => {
    await expect(MetricsPage.page()).toMatchFileSnapshot("../../docs/metrics.md")
  })

  it.effect("leaves out what is not known yet, and keeps any job's name readable", () =>
    Effect.gen(function* () {
      const all = yield* facts
      const [first] = all.jobs
      const job = 'say "hi"\\\nthere'
      const fresh = { status: { ...first!.status, job, checkpointAt: null }, last: null, nodes: [] }
      const { samples } = parse(Metrics.toText({ ...all, jobs: [fresh] }))
      expect(samples.find((sample) => sample.name === "weir_job_epoch")?.labels).toEqual({ job })
      expect(samples.some((sample) => sample.name === "weir_job_checkpoint_age_seconds")).toBe(false)
      expect(samples.some((sample) => sample.name === "weir_state_bytes")).toBe(false)
    })
  )
})
