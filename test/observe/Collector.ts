/** A small collector of OpenTelemetry: keeps what it is sent, answers as it is told. */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly status: { readonly code: number; readonly message?: string }
}

export interface Metric {
  readonly name: string
  readonly unit: string
  readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly sum?: { readonly dataPoints: ReadonlyArray<Point>; readonly isMonotonic: boolean }
}

interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly asDouble: number
}

export interface Received {
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: any
}

export interface Collector {
  readonly url: string
  readonly received: Array<Received>
  readonly spans: () => ReadonlyArray<Span>
  /** The last export of metrics. */
  readonly metrics: () => ReadonlyArray<Metric>
  readonly close: () => Promise<void>
}

/** `answers`: the status of every answer, or `never`. */
export const start = async (answers: number | "never" = 200): Promise<Collector> => {
  const received: Array<Received> = []
  const server = createServer((request, response) => {
    let text = ""
    request.on("data", (piece) => {
      text += piece
    })
    request.on("end", () => {
      received.push({ path: request.url!, headers: request.headers, body: JSON.parse(text) })
      if (answers !== "never") response.writeHead(answers, { "content-type": "application/json" }).end("{}")
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const of = (path: string) => received.filter((one) => one.path === path)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    spans: () => of("/v1/traces").flatMap(({ body }) => body.resourceSpans[0].scopeSpans[0].spans),
    metrics: () => of("/v1/metrics").at(-1)?.body.resourceMetrics[0].scopeMetrics[0].metrics ?? [],
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

/** Attributes by name; a whole number as a number. */
export const attributesOf = (attributes: ReadonlyArray<Attribute>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, "intValue" in value ? Number(value.intValue) : Object.values(value)[0]])
  )
