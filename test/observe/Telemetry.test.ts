import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Either, Logger, Redacted } from "effect"
import { afterAll, describe, expect, it, vi } from "vitest"
import * as Limits from "../../src/model/Limits.ts"
import * as Metrics from "../../src/observe/Metrics.ts"
import type { JobStatus } from "../../src/observe/Progress.ts"
import * as Spans from "../../src/observe/Spans.ts"
import * as Telemetry from "../../src/observe/Telemetry.ts"
import * as TelemetrySettings from "../../src/observe/TelemetrySettings.ts"
import { inProcess } from "../cli/in-process.ts"
import * as FakeWorld from "../daemon/FakeWorld.ts"
import * as Collector from "./Collector.ts"

const home = mkdtempSync(join(tmpdir(), "weir-telemetry-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))
const secret = "very-secret-token"
const status = { job: "orders", epoch: 41, restarts: 1, state: "running", reason: null } as JobStatus
const reportAt = (now: number) => FakeWorld.reportOf(status, 1_200, now)

/** Runs the job of orders to its end, telling the endpoint. */
const ran = async (folder: string, endpoint: string) => {
  const environment = {
    WEIR_DATA: join(home, folder),
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${secret}`,
    OTEL_SERVICE_NAME: "weir-of-test",
    OTEL_RESOURCE_ATTRIBUTES: "team=data,deployment.environment=a%20test"
  }
  await inProcess(["generate", "orders", "--count", "400", "--rate", "max"], { environment })
  const logged: Array<string> = []
  const log = vi.spyOn(console, "error").mockImplementation((line) => {
    logged.push(String(line))
  })
  const words = ["run", "orders", "--available-now", "--set", "maxPerEpoch=100"]
  const ended = await inProcess(words, { environment }).finally(() => log.mockRestore())
  return { ...ended, logged: logged.join("\n") }
}

describe("a run with a collector", { timeout: 60_000 }, () => {
  it("tells each epoch as a trace whose spans are its phases, and every metric that has a value", async () => {
    const collector = await Collector.start()
    const { code, err } = await ran("told", collector.url)
    await collector.close()
    expect([code, err]).toEqual([0, expect.stringContaining("400 rows in")])

    const epochs = collector.spans().filter(({ name }) => name === "epoch")
    expect(epochs.length).toBeGreaterThan(1)
    expect(new Set(epochs.map(({ traceId }) => traceId)).size).toBe(epochs.length)
    const rows = epochs.map(({ attributes }) => Collector.attributesOf(attributes)["weir.rows"] as number)
    expect(rows.reduce((sum, count) => sum + count, 0)).toBe(400)
    for (const epoch of epochs) {
      const parts = collector.spans().filter(({ parentSpanId }) => parentSpanId === epoch.spanId)
      expect(parts.map(({ name }) => name).sort()).toEqual([...Metrics.phases].sort())
      for (const span of [epoch, ...parts]) {
        expect(span.traceId).toBe(epoch.traceId)
        expect(BigInt(span.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(epoch.startTimeUnixNano))
        expect(BigInt(span.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(epoch.endTimeUnixNano))
        expect(Collector.attributesOf(span.attributes)).toMatchObject({
          "weir.job": "orders",
          "weir.lineage": expect.any(Number),
          "weir.generation": expect.any(Number),
          "weir.epoch": expect.any(Number),
          "weir.rows": expect.any(Number),
          "weir.bytes": expect.any(Number),
          "weir.replayed": false
        })
      }
    }

    const [request] = collector.received
    expect(request!.headers.authorization).toBe(`Bearer ${secret}`)
    const resource = request!.body.resourceSpans?.[0].resource ?? request!.body.resourceMetrics[0].resource
    expect(Collector.attributesOf(resource.attributes)).toEqual({
      team: "data",
      "deployment.environment": "a test",
      "service.name": "weir-of-test"
    })

    const known = new Map(Metrics.table.map((metric) => [metric.name, metric]))
    const named = new Map(collector.metrics().map((metric) => [metric.name, metric]))
    expect([...named.keys()].filter((name) => !known.has(name))).toEqual([])
    const rowsIn = named.get("weir_job_rows_in_total")!
    expect(rowsIn.unit).toBe("{row}")
    expect(rowsIn.sum!.isMonotonic).toBe(true)
    const ofOrders = rowsIn.sum!.dataPoints.find(
      ({ attributes }) => Collector.attributesOf(attributes).job === "orders"
    )!
    expect(ofOrders.asDouble).toBe(400)
    expect(named.get("weir_node_keys")!.gauge!.dataPoints.length).toBe(1)
  })

  it("ends as well and says it once where nobody collects, without a word of the headers", async () => {
    const { code, err, logged } = await ran("absent", "http://127.0.0.1:1")
    expect([code, err]).toEqual([0, expect.stringContaining("400 rows in")])
    expect(logged.split("do not reach http://127.0.0.1:1").length).toBe(2)
    expect(err + logged).not.toContain(secret)
  })

  it("says what is wrong with a variable, and goes on", async () => {
    const { code, err, logged } = await ran("wrong", "collector:4318")
    expect([code, logged]).toEqual([0, expect.stringContaining("OTEL_EXPORTER_OTLP_ENDPOINT is not an http or")])
    expect(err + logged).not.toContain(secret)
  })
})

describe("Telemetry", () => {
  const settingsOf = (endpoint: string): TelemetrySettings.TelemetrySettings => ({
    endpoint,
    headers: Redacted.make({}),
    service: "weir",
    attributes: {}
  })
  const told = (endpoint: string, events: number) => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => {
      lines.push(String(message))
    })
    const facts = Effect.succeed({
      now: 1_000,
      jobs: [],
      process: { residentBytes: 1, heapBytes: 1, uptimeMillis: 1 }
    })
    return Effect.gen(function* () {
      const telemetry = yield* Telemetry.make(settingsOf(endpoint), { spansMillis: 20, metricsMillis: 20 })
      yield* telemetry.report(facts)
      for (let i = 0; i < events; i++) telemetry.hear({ _tag: "Progress", progress: reportAt(1_000_000 + i) })
      yield* Effect.sleep(200)
    }).pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Effect.as(lines))
  }

  it.each([200, 404, 503] as const)("ends soon and logs little where a collector answers %d", async (answer) => {
    const collector = await Collector.start(answer)
    const begun = performance.now()
    const lines = await Effect.runPromise(told(collector.url, 10))
    expect(performance.now() - begun).toBeLessThan(Limits.telemetryDrainMillisMax * 2 + 1_500)
    expect(lines.length).toBe(answer === 200 ? 0 : 1)
    expect(lines.join("")).toMatch(answer === 200 ? /^$/ : new RegExp(`status ${answer}`))
    await collector.close()
  })

  it("neither waits nor keeps more than its bound where a collector takes all and never answers", async () => {
    const collector = await Collector.start("never")
    const begun = performance.now()
    await Effect.runPromise(told(collector.url, 100_000))
    expect(performance.now() - begun).toBeLessThan(Limits.telemetryDrainMillisMax * 2 + 3_000)
    const epochs = collector.spans().filter(({ name }) => name === "epoch").length
    expect(epochs).toBeGreaterThan(0)
    // As many seconds as it took to tell them, and one that was begun.
    expect(epochs).toBeLessThanOrEqual(Limits.tracesPerSecondMax * 5)
    await collector.close()
  })
})

describe("Spans", () => {
  it("are the phases of an epoch, one after the other, beside the work of its chains", () => {
    const report = reportAt(1_000_000)
    const { parts, from, to } = Spans.ofEpoch(report)!
    const { cut, intent, prepare, sinks, manifest, process } = report.phases
    const length = Object.fromEntries(parts.map((part) => [part.name, part.to - part.from]))
    expect(length).toEqual({ cut, intent, prepare, sinks, manifest, process })
    const following = parts.filter(({ name }) => name !== "process")
    for (let i = 1; i < following.length; i++) expect(following[i]!.from).toBe(following[i - 1]!.to)
    expect(following[0]!.to).toBe(report.cutAt)
    expect([from, to]).toEqual([Math.min(...parts.map((part) => part.from)), following.at(-1)!.to])
  })

  it("are not made of a trigger that found nothing", () => {
    const nothing = { cut: 0, process: 0, intent: 0, prepare: 0, sinks: 0, manifest: 0 }
    expect(Spans.ofEpoch({ ...reportAt(1_000), inputRows: 0, phases: nothing })).toBe(null)
  })

  it("tell a restart from the first failure until the job runs again, with its reason", () => {
    const spans = Spans.make()
    const reason = { tag: "StepFailed", message: "Step 'map' failed", hint: "" }
    const hear = (state: JobStatus["state"], now: number, why: JobStatus["reason"] = null) =>
      spans({ _tag: "State", status: { ...status, state, reason: why } }, now)
    expect(hear("running", 500)).toBe(null)
    expect(hear("backing off", 1_000, reason)).toBe(null)
    expect(hear("starting", 1_100)).toBe(null)
    expect(hear("backing off", 1_200, reason)).toBe(null)
    expect(hear("recovering", 1_300)).toBe(null)
    const restart = hear("running", 1_400)!
    expect(restart).toMatchObject({ name: "restart", from: 1_000, to: 1_400, failure: "Step 'map' failed" })
    expect(restart.attributes).toMatchObject({ "weir.job": "orders", "error.type": "StepFailed", "weir.restarts": 1 })
    expect(hear("running", 1_500)).toBe(null)
  })
})

describe("TelemetrySettings", () => {
  const read = (environment: Readonly<Record<string, string>>) => TelemetrySettings.read(environment)

  it("are absent without an endpoint", () => {
    expect(read({ OTEL_EXPORTER_OTLP_HEADERS: "a=b" })).toEqual(Either.right(null))
  })

  it("decode lists, let OTEL_SERVICE_NAME win, and take the slash off", () => {
    const settings = Either.getOrThrow(
      read({
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example/otlp/",
        OTEL_EXPORTER_OTLP_HEADERS: "x-key = a%3Db , other=1",
        OTEL_RESOURCE_ATTRIBUTES: "service.name=other,team=data",
        OTEL_SERVICE_NAME: "mine"
      })
    )!
    expect(Redacted.value(settings.headers)).toEqual({ "x-key": "a=b", other: "1" })
    expect({ ...settings, headers: null }).toEqual({
      endpoint: "https://collector.example/otlp",
      headers: null,
      service: "mine",
      attributes: { team: "data" }
    })
    expect(JSON.stringify(settings)).not.toContain("a=b")
  })

  it.each([
    ["OTEL_EXPORTER_OTLP_ENDPOINT", `ftp://${secret}`],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", `https://user:${secret}@collector`],
    ["OTEL_EXPORTER_OTLP_HEADERS", secret],
    ["OTEL_EXPORTER_OTLP_HEADERS", `key=%0d%0a${secret}`],
    ["OTEL_EXPORTER_OTLP_HEADERS", `key=%zz${secret}`],
    ["OTEL_RESOURCE_ATTRIBUTES", `=${secret}`]
  ])("refuse %s where it cannot be used, without its text", (name, value) => {
    const refused = read({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318", [name]: value })
    expect(Either.isLeft(refused)).toBe(true)
    const { message } = Either.getOrThrow(Either.flip(refused))
    expect(message.startsWith(name)).toBe(true)
    expect(message).not.toContain(secret)
  })
})
