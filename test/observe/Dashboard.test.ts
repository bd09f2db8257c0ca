import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel } from "effect"
import * as Sql from "../../src/connectors/sql/index.ts"
import { Daemon } from "../../src/daemon/Daemon.ts"
import * as DaemonFacts from "../../src/daemon/DaemonFacts.ts"
import * as Metrics from "../../src/observe/Metrics.ts"
import * as World from "../runtime/World.ts"

interface Dashboard {
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string; readonly definition?: string }> }
  readonly panels: ReadonlyArray<{
    readonly id: number
    readonly title: string
    readonly description: string
    readonly targets: ReadonlyArray<{ readonly expr: string; readonly legendFormat: string }>
  }>
}

const file = resolve(import.meta.dirname, "../../docs/grafana/weir.json")
const dashboard: Dashboard = JSON.parse(readFileSync(file, "utf8"))
const targets = dashboard.panels.flatMap((panel) => panel.targets)

/** Each metric that a query names, with the labels that it is asked by. */
const askedIn = (query: string) =>
  [...query.matchAll(/\b(weir_\w+)(?:\{([^}]*)\})?/g)].map(([, metric, matchers = ""]) => ({
    metric: metric!,
    labels: [
      ...[...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
      ...[...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, by]) => by!.split(",").map((label) => label.trim()))
    ]
  }))

/** Metrics of a text, by name: the labels of their samples, and their values. */
const saidIn = (text: string) => {
  const said = new Map<string, { readonly labels: ReadonlyArray<string>; readonly values: Array<string> }>()
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined) continue
    const known = said.get(name) ?? { labels: [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label!), values: [] }
    known.values.push(value!)
    said.set(name, known)
  }
  return said
}

/** The text of `/metrics` after a job has run to its end. */
const metricsAfterARun = Effect.gen(function* () {
  const world = yield* World.make({ count: 500, partitions: 4 }, "in files")
  return yield* Effect.gen(function* () {
    const daemon = yield* Daemon
    yield* daemon.start("orders", { availableNow: true, set: { maxPerEpoch: "200" } })
    yield* daemon.ended("orders")
    const process = Effect.succeed({ residentBytes: 1, heapBytes: 1, uptimeMillis: 1_000 })
    return Metrics.toText(yield* DaemonFacts.gather(daemon, process))
  }).pipe(Effect.provide(World.daemonLayer(world)))
}).pipe(
  Effect.scoped,
  Effect.provide(Layer.provideMerge(Sql.layerMemory, World.context)),
  Logger.withMinimumLogLevel(LogLevel.Error)
)

describe("The dashboard", () => {
  it.live(
    "asks only for metrics and labels that a job which ran has at /metrics, none of them NaN",
    () =>
      Effect.gen(function* () {
        const text = yield* metricsAfterARun
        const said = saidIn(text)
        const variables = dashboard.templating.list.flatMap(({ definition }) => definition ?? [])
        const asked = [...targets.map(({ expr }) => expr), ...variables].flatMap(askedIn)
        expect(asked.length).toBeGreaterThan(20)
        for (const { metric, labels } of asked) {
          expect([metric, said.has(metric)]).toEqual([metric, true])
          for (const label of labels)
            expect([metric, said.get(metric)!.labels]).toEqual([metric, expect.arrayContaining([label])])
        }
        const wrong = [...said].filter(([, { values }]) => values.some((value) => !Number.isFinite(Number(value))))
        expect(wrong).toEqual([])
      }),
    60_000
  )

  it("names in its legends only labels that are asked for or that the metric has", () => {
    for (const { expr, legendFormat } of targets) {
      const [{ metric }] = askedIn(expr) as [ReturnType<typeof askedIn>[number]]
      const { labels } = Metrics.table.find(({ name }) => name === metric)!
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        expect([expr, labels]).toEqual([expr, expect.arrayContaining([label])])
    }
  })

  it("can be narrowed to jobs, and says of each panel what it shows", () => {
    for (const { expr } of targets) if (!expr.startsWith("weir_process_")) expect(expr).toContain('{job=~"$job"}')
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "job"])
    for (const { description } of dashboard.panels) expect(description).toMatch(/^[A-Z].*\.$/)
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
  })

  it("shows rates, lag, watermark, epochs by phase, state, restarts, late and dead letters", () => {
    const asked = new Set(targets.flatMap(({ expr }) => askedIn(expr).map(({ metric }) => metric)))
    for (const metric of [
      "weir_job_rows_in_total",
      "weir_job_lag_records",
      "weir_watermark_lag_seconds",
      "weir_epoch_phase_seconds",
      "weir_job_state",
      "weir_state_bytes",
      "weir_job_restarts_total",
      "weir_job_late_total",
      "weir_job_dead_letters_total"
    ])
      expect([metric, asked.has(metric)]).toEqual([metric, true])
  })
})
