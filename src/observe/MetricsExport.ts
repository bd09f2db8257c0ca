/** The table of metrics in the form that a collector of OpenTelemetry takes. */
import * as Metrics from "./Metrics.ts"

/** Units as the Unified Code for Units of Measure spells them. */
const units: Readonly<Record<Metrics.Metric["unit"], string>> = {
  "1": "1",
  records: "{record}",
  rows: "{row}",
  "rows/second": "{row}/s",
  bytes: "By",
  seconds: "s",
  messages: "{message}"
}

/** Cumulative: a counter's value is all that was counted since `startTimeUnixNano`. */
const cumulative = 2

/** An export request with all metrics that have a value. `resource` says whose they are. */
export const request = (facts: Metrics.Facts, resource: unknown): unknown => ({
  resourceMetrics: [
    {
      resource,
      scopeMetrics: [{ scope: { name: "weir" }, metrics: Metrics.table.flatMap((metric) => metricOf(metric, facts)) }]
    }
  ]
})

const metricOf = (metric: Metrics.Metric, facts: Metrics.Facts): ReadonlyArray<unknown> => {
  const { now, process } = facts
  const dataPoints = metric
    .samples(facts)
    .filter(({ value }) => Number.isFinite(value))
    .map(({ labels, value }) => ({
      attributes: metric.labels.map((key, i) => ({ key, value: { stringValue: labels[i] ?? "" } })),
      startTimeUnixNano: nanosOf(now - process.uptimeMillis),
      timeUnixNano: nanosOf(now),
      asDouble: value
    }))
  if (dataPoints.length === 0) return []
  const about = { name: metric.name, description: metric.help, unit: units[metric.unit] }
  return metric.type === "gauge"
    ? [{ ...about, gauge: { dataPoints } }]
    : [{ ...about, sum: { dataPoints, isMonotonic: true, aggregationTemporality: cumulative } }]
}

const nanosOf = (at: number): string => `${BigInt(Math.round(at)) * 1_000_000n}`
