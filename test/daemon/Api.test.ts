import * as http from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Defect, RecordTooLarge, SourceUnavailable, StorageFailed } from "../../src/model/Errors.ts"
import * as Metrics from "../../src/observe/Metrics.ts"
import * as ApiServer from "./ApiServer.ts"

type Answer = { readonly status: number; readonly headers: Headers; readonly text: string; readonly json: any }

const call = (url: string, init: RequestInit = {}) =>
  Effect.promise(async (): Promise<Answer> => {
    const response = await fetch(url, init)
    const text = await response.text()
    let json: unknown = null
    try {
      json = JSON.parse(text)
    } catch {}
    return { status: response.status, headers: response.headers, text, json }
  })

const post = (url: string, body: string = "", headers: Record<string, string> = {}) =>
  call(url, { method: "POST", body, headers })

/** A call with headers that `fetch` would not send. */
const rawCall = (
  port: number,
  options: { method?: string; path: string; headers?: Record<string, string>; chunks?: number }
) =>
  Effect.async<{ status: number; text: string }>((resume) => {
    const request = http.request(
      { port, host: "127.0.0.1", method: options.method ?? "GET", path: options.path, headers: options.headers ?? {} },
      (response) => {
        let text = ""
        response.on("data", (chunk) => (text += chunk))
        response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
      }
    )
    request.on("error", () => resume(Effect.succeed({ status: 0, text: "" })))
    for (let i = 0; i < (options.chunks ?? 0); i++) request.write(new Uint8Array(1_048_576))
    request.end()
  })

const error = (answer: { readonly json: any }) => answer.json?.error

describe("Api: jobs", () => {
  it.scopedLive("lists every job with the age of its checkpoint", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { status, json, headers } = yield* call(`${url}/api/jobs`)
      expect(status).toBe(200)
      expect(headers.get("content-type")).toContain("application/json")
      expect(json.map((of: any) => [of.job, of.state])).toEqual([
        ["orders", "running"],
        ["stocks-archive", "stopped"],
        ["stocks-average", "failed"]
      ])
      expect(json[0].checkpointAgeMillis).toBeGreaterThanOrEqual(1_400)
      expect(json[2].reason.tag).toBe("TableMismatch")
    })
  )

  it.scopedLive("shows a job's topology with each node's figures", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { json } = yield* call(`${url}/api/jobs/orders`)
      expect(json.job).toBe("orders")
      expect(json.topology.nodes[0]).toMatchObject({ id: "orders", kind: "source", rowsPerSecond: 1_200, sink: null })
      expect(json.topology.nodes.at(-3)).toMatchObject({ kind: "sink", sink: { replaces: true } })
      expect(json.topology.edges).toContainEqual({ from: "window", port: "late", to: "orders.late", input: 0 })
      expect(json.settings[0]).toMatchObject({ name: "window", fallback: "1m" })
    })
  )

  it.scopedLive("answers as many epochs as were asked for, newest last", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { json } = yield* call(`${url}/api/jobs/orders/progress?last=3`)
      expect(json.map((of: any) => of.epoch)).toEqual([39, 40, 41])
      expect(json[0].phases).toHaveProperty("manifest")
      expect((yield* call(`${url}/api/jobs/orders/progress`)).json).toHaveLength(10)
    })
  )

  it.scopedLive("shows dead letters as text, and as base64 where they are no text", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { json } = yield* call(`${url}/api/jobs/orders/dead-letters?last=2`)
      expect(json.map((of: any) => of.record.value)).toEqual(["{broken", { base64: "//4A" }])
      expect(json[0].about).toMatchObject({ reason: "undecodable", offset: "4712" })
    })
  )

  it.scopedLive("replays dead letters and says what became of them, and chooses among those that it shows", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { json, status } = yield* post(`${url}/api/jobs/orders/dead-letters/replay`)
      expect([status, json]).toEqual([200, { replayed: 3, succeeded: 1, late: 1, deadLetters: 1, skipped: 0 }])
      expect((yield* post(`${url}/api/jobs/nothing/dead-letters/replay`, "{}")).status).toBe(404)
      expect((yield* post(`${url}/api/jobs/orders/dead-letters/replay`, `{"set":1}`)).status).toBe(400)
      const shown = (query: string) =>
        Effect.map(call(`${url}/api/jobs/orders/dead-letters?${query}`), (answer) => answer.json.length)
      expect(yield* shown("reason=undecodable")).toBe(yield* shown("last=100"))
      expect(yield* shown(`reason=${encodeURIComponent("far future")}`)).toBe(0)
      expect((yield* call(`${url}/api/jobs/orders/dead-letters?late=maybe`)).status).toBe(400)
    })
  )

  it.scopedLive("starts and stops with 202 and the new state, and refuses with 409 and the reason", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const stopped = yield* post(`${url}/api/jobs/orders/stop`)
      expect([stopped.status, stopped.json.state]).toEqual([202, "stopped"])
      const again = yield* post(`${url}/api/jobs/orders/stop`)
      expect([again.status, error(again).tag]).toEqual([409, "InvalidJob"])
      expect(error(again).message).toContain("does not run")
      const started = yield* post(`${url}/api/jobs/orders/start`, `{"set":{"window":"5 seconds"},"final":true}`)
      expect([started.status, started.json.state]).toEqual([202, "running"])
      expect((yield* post(`${url}/api/jobs/orders/start`)).status).toBe(409)
    })
  )

  it.scopedLive("pauses, resumes and restarts with 202 and the new state, and refuses with 409 and the reason", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const turn = (verb: string) =>
        Effect.map(post(`${url}/api/jobs/orders/${verb}`), (answer) => [answer.status, answer.json.state])
      expect(yield* turn("pause")).toEqual([202, "paused"])
      const again = yield* post(`${url}/api/jobs/orders/pause`)
      expect([again.status, error(again).tag, error(again).message]).toEqual([
        409,
        "InvalidJob",
        "Job orders does not run"
      ])
      expect((yield* call(`${url}/api/jobs`)).json[0].state).toBe("paused")
      expect(yield* turn("resume")).toEqual([202, "running"])
      expect((yield* post(`${url}/api/jobs/orders/resume`)).status).toBe(409)
      expect(yield* turn("restart")).toEqual([202, "running"])
    })
  )

  it.scopedLive("takes savepoints, lists them, goes back to one, and removes it", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const job = `${url}/api/jobs/orders`
      const taken = yield* post(`${job}/savepoint`, `{"name":"before"}`)
      expect([taken.status, taken.json.state, taken.json.name, taken.json.savepoint.epoch]).toEqual([
        202,
        "running",
        "before",
        41
      ])
      expect((yield* post(`${job}/savepoint`)).json.name).toBe("epoch-41")
      const twice = yield* post(`${job}/savepoint`, `{"name":"before"}`)
      expect([twice.status, error(twice).tag]).toEqual([409, "SavepointExists"])
      const listed = (yield* call(`${job}/savepoints`)).json
      expect(listed.map((of: any) => [of.name, of.lineage, of.stateRows])).toEqual([
        ["before", 1, 10],
        ["epoch-41", 1, 10]
      ])
      expect((yield* post(`${job}/rewind`, `{"savepoint":"before"}`)).status).toBe(409)
      yield* post(`${job}/stop`)
      const back = yield* post(`${job}/rewind`, `{"savepoint":"before","tables":true}`)
      expect([back.status, back.json]).toEqual([200, { remains: ["From before, without the rows."] }])
      const removed = yield* call(`${job}/savepoints/before`, { method: "DELETE" })
      expect([removed.status, removed.json]).toEqual([200, { removed: "before" }])
      expect((yield* call(`${job}/savepoints`)).json).toHaveLength(1)
    })
  )

  it.scopedLive("says what a start would do with each part of a checkpoint, and what the checkpoint holds", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { json } = yield* call(`${url}/api/jobs/orders/check`)
      expect(json).toMatchObject({ job: "orders", epoch: 41, restorable: true, refusal: null })
      expect(json.parts[0]).toMatchObject({ part: "step", id: "income", fate: "kept" })
      const checkpoint = (yield* call(`${url}/api/jobs/orders/checkpoint`)).json
      // All that the commands beside the daemon compare with their code.
      expect(checkpoint.steps).toEqual([
        {
          step: "income",
          kind: "aggregate",
          fingerprint: "window 1",
          of: ["orders"],
          numbers: { price: "decimal 2" },
          waits: "{ price: decimal 2 }"
        }
      ])
    })
  )

  it.scopedLive("resets a job that does not run, and says what remains", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      expect((yield* post(`${url}/api/jobs/orders/reset`)).status).toBe(409)
      const kept = yield* post(`${url}/api/jobs/stocks-archive/reset`)
      expect([kept.status, kept.json]).toEqual([200, { remains: ["Table shop_item_income keeps its rows."] }])
      const emptied = yield* post(`${url}/api/jobs/stocks-archive/reset`, `{"tables":true}`)
      expect(emptied.json.remains[0]).toContain("empty")
    })
  )
})

describe("Api: topics", () => {
  it.scopedLive("lists topics, creates one, and refuses to create it again", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const created = yield* call(`${url}/api/topics/events?partitions=2&retention=7%20days`, { method: "PUT" })
      expect(created.status).toBe(201)
      expect(created.json).toMatchObject({ topic: "events", retentionMillis: 604_800_000 })
      expect(created.json.partitions).toHaveLength(2)
      const again = yield* call(`${url}/api/topics/events`, { method: "PUT" })
      expect([again.status, error(again).tag]).toEqual([409, "TopicExists"])
      const bad = yield* call(`${url}/api/topics/other?retention=soon`, { method: "PUT" })
      expect([bad.status, error(bad).tag]).toEqual([400, "InvalidRequest"])
      const { json } = yield* call(`${url}/api/topics`)
      expect(json.map((of: any) => of.topic)).toEqual(["orders", "events"])
    })
  )

  it.scopedLive(
    "creates an unknown topic with four partitions and puts keyless calls into one partition after the other",
    () =>
      Effect.gen(function* () {
        const { url } = yield* ApiServer.start()
        const first = yield* post(`${url}/api/topics/new`, `{"a":1}\n{"a":2}\r\n\n{"a":3}`)
        expect(first.json).toEqual({ topic: "new", produced: 3, partitions: [{ partition: 0, offset: 0, records: 3 }] })
        const second = yield* post(`${url}/api/topics/new`, `{"a":4}\n`)
        expect(second.json.partitions).toEqual([{ partition: 1, offset: 0, records: 1 }])
        const { json } = yield* call(`${url}/api/topics/new`)
        expect(json.map((of: any) => of.value)).toEqual([`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":4}`])
        expect(json[0].key).toBeNull()
      })
  )

  it.scopedLive("takes whole records, whatever their bytes", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const records = [
        { key: "unit", value: "two\nlines", headers: [{ name: "of", value: { base64: "AP8=" } }] },
        { value: { base64: "/wA=" } },
        { key: null, value: "" }
      ]
      const { json } = yield* post(`${url}/api/topics/whole/records?partition=2`, JSON.stringify(records))
      expect(json).toEqual({ topic: "whole", produced: 3, partitions: [{ partition: 2, offset: 0, records: 3 }] })
      const found = (yield* call(`${url}/api/topics/whole?partition=2`)).json
      expect(found.map(({ headers, key, value }: any) => ({ headers, key, value }))).toEqual([
        records[0],
        { key: null, headers: [], value: { base64: "/wA=" } },
        { key: null, headers: [], value: "" }
      ])
      const refused = yield* post(
        `${url}/api/topics/whole/records?partition=2`,
        JSON.stringify([{ value: "good" }, { value: { base64: "?" } }])
      )
      expect(refused.status).toBe(400)
      expect(error(refused).message).toMatch(/^record 1 of the body has bytes that are no base64/)
      expect((yield* call(`${url}/api/topics/whole?partition=2`)).json.length).toBe(3)
    })
  )

  it.scopedLive("finds a key's partition as Kafka does, and keeps all digits of a number", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const lines = `{"id":"abc"}\n{"id":12345678901234567890}\n{"id":7}\nnot json\n`
      const { json } = yield* post(`${url}/api/topics/keyed?key=id&partitions=8`, lines)
      expect(json.produced).toBe(4)
      const records = (yield* call(`${url}/api/topics/keyed`)).json
      expect(records.map((of: any) => of.key).sort()).toEqual(["12345678901234567890", "7", "abc", null])
      // murmur2("abc") = 479470107
      expect(records.find((of: any) => of.key === "abc").partition).toBe(479_470_107 % 8)
    })
  )

  it.scopedLive("writes to the partition that was asked for, if it exists", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const written = yield* post(`${url}/api/topics/orders?partition=3`, `{"n":1}\n`)
      expect(written.json.partitions).toEqual([{ partition: 3, offset: 100, records: 1 }])
      const refused = yield* post(`${url}/api/topics/orders?partition=4`, `{"n":1}\n`)
      expect([refused.status, error(refused).message]).toEqual([400, "Topic orders has no partition 4"])
    })
  )

  it.scopedLive("reads from any offset, counted from the end if it is negative", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const read = (query: string) =>
        Effect.map(call(`${url}/api/topics/orders${query}`), ({ json }) => json as Array<any>)
      expect(yield* read("")).toHaveLength(100)
      expect((yield* read("?partition=2&offset=97")).map((of) => of.offset)).toEqual([97, 98, 99])
      expect((yield* read("?offset=-1")).map((of) => [of.partition, of.offset])).toEqual([
        [0, 99],
        [1, 99],
        [2, 99],
        [3, 99]
      ])
      expect((yield* read("?partition=0&offset=-1000&count=70")).map((of) => of.offset)).toEqual(
        Array.from({ length: 70 }, (_, i) => i)
      )
      expect(yield* read("?partition=0&offset=5000")).toEqual([])
      expect((yield* read("?partition=1&count=1"))[0]).toMatchObject({ key: "SG-1", value: `{"n":1}`, headers: [] })
      expect((yield* call(`${url}/api/topics/nothing`)).status).toBe(404)
    })
  )
})

describe("Api: tables", () => {
  it.scopedLive("answers a query with text, so that digits stay digits", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { status, json } = yield* post(
        `${url}/api/query`,
        JSON.stringify({ sql: "select * from shop_item_income limit 2" })
      )
      expect([status, json.truncated, json.rows.length, json.columns[5]]).toEqual([200, false, 2, "gross_income"])
      expect(typeof json.rows[0][5]).toBe("string")
    })
  )

  it.scopedLive("refuses what the database refuses, with 400", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const answer = yield* post(`${url}/api/query`, JSON.stringify({ sql: "select * from nothing" }))
      expect([answer.status, error(answer).tag]).toEqual([400, "StatementRefused"])
    })
  )

  it.scopedLive("lists tables and describes one", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      expect((yield* call(`${url}/api/tables`)).json).toEqual(["agg_order_minute", "shop_item_income"])
      const { json } = yield* call(`${url}/api/tables/shop_item_income`)
      expect(json).toMatchObject({
        table: "shop_item_income",
        primaryKey: ["region", "shopid", "itemid", "window_start"]
      })
      const missing = yield* call(`${url}/api/tables/nothing`)
      expect([missing.status, error(missing).tag]).toEqual([404, "UnknownTable"])
    })
  )
})

describe("Api: health, description", () => {
  it.scopedLive("is live always, and ready once no job starts, recovers, backs off or waits", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      expect((yield* call(`${url}/health/live`)).json).toEqual({ live: true })
      expect((yield* call(`${url}/health/ready`)).json).toEqual({ ready: true, waitingFor: [] })
    })
  )

  it.scopedLive("is not ready while a job recovers, or waits for another system, and names it", () =>
    Effect.gen(function* () {
      const { url, service, setState } = yield* ApiServer.start()
      yield* service.stop("orders")
      expect((yield* call(`${url}/health/ready`)).status).toBe(200)
      const away = { tag: "TablesUnavailable", message: "The database did not answer", hint: "Start it." }
      for (const [state, reason] of [["recovering", null] as const, ["running", away] as const]) {
        yield* setState("orders", state, reason)
        const answer = yield* call(`${url}/health/ready`)
        expect([answer.status, answer.json]).toEqual([503, { ready: false, waitingFor: ["orders"] }])
      }
      yield* setState("orders", "running")
      expect((yield* call(`${url}/health/ready`)).status).toBe(200)
    })
  )

  it.scopedLive("says its metrics as Prometheus text", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { status, text, headers } = yield* call(`${url}/metrics`)
      expect([status, headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"])
      for (const { name, type } of Metrics.table) expect(text).toContain(`# TYPE ${name} ${type}\n`)
      expect(text).toContain('weir_job_state{job="stocks-average",state="failed"} 1\n')
      expect(text).toContain('weir_node_rows_in_total{job="orders",node="income"} 1204220\n')
      expect(text).toContain("weir_process_resident_bytes 120000000\n")
    })
  )

  it.scopedLive("describes itself as OpenAPI, and as a page that loads no script", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { json } = yield* call(`${url}/openapi.json`)
      expect(json.openapi).toMatch(/^3\.1/)
      expect(Object.keys(json.paths)).toContain("/api/jobs/{job}/progress")
      expect(Object.keys(json.paths["/api/jobs"].get.responses)).toEqual(
        expect.arrayContaining(["200", "401", "404", "409", "500", "503"])
      )
      expect(Object.keys(json.components.schemas)).not.toContain("HttpApiDecodeError")
      expect(json.components.schemas.Error.properties.error.required).toEqual(["tag", "message", "hint"])
      const docs = yield* call(`${url}/docs`)
      expect(docs.headers.get("content-type")).toContain("text/html")
      expect(docs.text).toContain("POST /api/query")
      expect(docs.text).not.toContain("<script")
    })
  )
})

describe("Api: errors", () => {
  const hostile: ReadonlyArray<[string, RequestInit, number, string]> = [
    ["/nothing", {}, 404, "UnknownRoute"],
    ["/api/jobs/nothing", {}, 404, "UnknownJob"],
    ["/api/jobs/nothing/progress", {}, 404, "UnknownJob"],
    ["/api/jobs/nothing/start", { method: "POST" }, 404, "UnknownJob"],
    ["/api/jobs/orders/drain", { method: "POST" }, 404, "UnknownRoute"],
    ["/api/jobs/nothing/pause", { method: "POST" }, 404, "UnknownJob"],
    ["/api/jobs/nothing/savepoints", {}, 404, "UnknownJob"],
    ["/api/jobs/nothing/check", {}, 404, "UnknownJob"],
    ["/api/jobs/orders/resume", { method: "POST" }, 409, "InvalidJob"],
    ["/api/jobs/orders/savepoints/nothing", { method: "DELETE" }, 404, "UnknownSavepoint"],
    ["/api/jobs/orders/savepoint", { method: "POST", body: `{"name":7}` }, 400, "InvalidRequest"],
    ["/api/jobs/orders/rewind", { method: "POST" }, 400, "InvalidRequest"],
    ["/api/jobs/stocks-archive/rewind", { method: "POST", body: `{"savepoint":"x"}` }, 404, "UnknownSavepoint"],
    ["/api/jobs/orders/stop", {}, 405, "MethodNotAllowed"],
    ["/api/jobs", { method: "DELETE" }, 405, "MethodNotAllowed"],
    ["/api/jobs/orders/progress?last=0", {}, 400, "InvalidRequest"],
    ["/api/jobs/orders/progress?last=many", {}, 400, "InvalidRequest"],
    ["/api/jobs/orders/progress?last=1&last=2", {}, 400, "InvalidRequest"],
    ["/api/topics/orders?count=1e9", {}, 400, "InvalidRequest"],
    ["/api/topics/orders?partition=9", {}, 400, "InvalidRequest"],
    ["/api/topics/x?partitions=0", { method: "PUT" }, 400, "InvalidRequest"],
    ["/api/query", { method: "POST", body: "{broken" }, 400, "InvalidRequest"],
    ["/api/query", { method: "POST", body: "" }, 400, "InvalidRequest"],
    ["/api/query", { method: "POST", body: `{"sql":7}` }, 400, "InvalidRequest"],
    ["/api/query", { method: "POST", body: "null" }, 400, "InvalidRequest"],
    ["/api/jobs/orders/start", { method: "POST", body: `{"set":{"window":5}}` }, 400, "InvalidRequest"],
    ["/api/query", { method: "POST", body: " ".repeat(1_048_577) }, 413, "RequestTooLarge"],
    ["/page/nothing.js", {}, 404, "UnknownRoute"],
    ["/page/..%2f..%2fApi.ts", {}, 404, "UnknownRoute"]
  ]
  it.scopedLive("have one form and the right status, whatever is wrong", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      for (const [path, init, status, tag] of hostile) {
        const answer = yield* call(url + path, init)
        expect([path, answer.status, error(answer)?.tag]).toEqual([path, status, tag])
        expect(Object.keys(answer.json)).toEqual(["error"])
        expect(Object.keys(error(answer))).toEqual(["tag", "message", "hint"])
        expect(error(answer).message).not.toContain("\n")
        expect(error(answer).hint).not.toBe("")
      }
      expect((yield* call(`${url}/api/jobs`, { method: "DELETE" })).headers.get("allow")).toBe("GET")
      expect((yield* call(`${url}/api/jobs`)).status).toBe(200)
    })
  )

  it.scopedLive("say whose fault it is: 503 to try again, 502 not to, 413 for a record that is too large", () =>
    Effect.gen(function* () {
      const failures = [
        new SourceUnavailable({ message: "Kafka does not answer", hint: "Start it.", source: "orders" }),
        new StorageFailed({ message: "The disk is full", hint: "Free some.", path: "log" }),
        new RecordTooLarge({ message: "A record has 2 bytes", hint: "Split it.", bytes: 2, bytesMax: 1 }),
        new Defect({ message: "It should not be", hint: "Report it." })
      ]
      const found = yield* Effect.forEach(failures, (failure) =>
        Effect.gen(function* () {
          const { url } = yield* ApiServer.start({ topics: { list: Effect.fail(failure) } as never })
          const answer = yield* call(`${url}/api/topics`)
          return [answer.status, error(answer).tag, answer.headers.get("retry-after")]
        })
      )
      expect(found).toEqual([
        [503, "SourceUnavailable", "1"],
        [502, "StorageFailed", null],
        [413, "RecordTooLarge", null],
        [500, "Defect", null]
      ])
    })
  )

  it.scopedLive("do not blame the caller when a database answers what its contract does not allow", () =>
    Effect.gen(function* () {
      const rows = [[1_795_245_420_000]]
      const ask = () => Effect.succeed({ columns: ["at"], rows: rows as never, truncated: false })
      const { url } = yield* ApiServer.start({ tables: { ask } as never })
      const answer = yield* post(`${url}/api/query`, `{"sql":"select now()"}`)
      expect([answer.status, error(answer).tag]).toEqual([500, "Defect"])
    })
  )

  it.scopedLive("name the parameter that is wrong", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const answer = yield* call(`${url}/api/jobs/orders/progress?last=many`)
      expect(error(answer).message).toContain("GET /api/jobs/orders/progress: last:")
    })
  )

  it.scopedLive("answer a path that is no UTF-8", () =>
    Effect.gen(function* () {
      const { port } = yield* ApiServer.start()
      for (const path of ["/api/jobs/%ff", "/%zz", "/api/topics/%"]) {
        const { status, text } = yield* rawCall(port, { path })
        expect([path, status]).toEqual([path, expect.toSatisfy((of: number) => of === 404 || of === 400)])
        expect(JSON.parse(text)).toHaveProperty("error.tag")
      }
    })
  )

  it.scopedLive("stop a body that says nothing of its length where the bound is", () =>
    Effect.gen(function* () {
      const { port } = yield* ApiServer.start()
      const { status, text } = yield* rawCall(port, { method: "POST", path: "/api/query", chunks: 3 })
      expect([status, JSON.parse(text).error.tag]).toEqual([413, "RequestTooLarge"])
    })
  )

  it.scopedLive("say 500 without a word of the inside when a route dies", () =>
    Effect.gen(function* () {
      const world = yield* ApiServer.start({
        topics: { list: Effect.die(new Error("secret inside")), identity: "broken" } as never
      })
      const answer = yield* call(`${world.url}/api/topics`)
      expect([answer.status, error(answer).tag]).toEqual([500, "Defect"])
      expect(answer.text).not.toContain("secret")
    })
  )
})

describe("Api: who may call", () => {
  it.scopedLive("asks for the token on everything that shows or changes data", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start({ token: "s3cret" })
      const guarded = ["/api/jobs", "/api/jobs/orders", "/api/topics", "/api/tables", "/api/events", "/metrics"]
      for (const path of guarded) {
        for (const authorization of ["", "Bearer", "Bearer s3cre", "Bearer s3cret!", "Bearer S3cret"]) {
          const answer = yield* call(url + path, authorization === "" ? {} : { headers: { authorization } })
          expect([path, answer.status, error(answer).tag]).toEqual([path, 401, "Unauthorized"])
          expect(answer.headers.get("www-authenticate")).toContain("Bearer")
          expect(answer.text).not.toContain("s3cret")
        }
      }
      expect((yield* post(`${url}/api/query`, `{"sql":"select 1"}`)).status).toBe(401)
      expect((yield* post(`${url}/api/jobs/orders/stop`)).status).toBe(401)
      for (const path of ["/health/live", "/health/ready", "/openapi.json", "/docs"])
        expect([path, (yield* call(url + path)).status]).toEqual([path, 200])
      expect((yield* call(`${url}/api/jobs`, { headers: { authorization: "Bearer s3cret" } })).status).toBe(200)
    })
  )

  it.scopedLive("refuses a foreign host name without a token, and takes it with one", () =>
    Effect.gen(function* () {
      const open = yield* ApiServer.start()
      const foreign = { path: "/api/jobs", headers: { host: "rebound.example:7070" } }
      const refused = yield* rawCall(open.port, foreign)
      expect([refused.status, JSON.parse(refused.text).error.tag]).toEqual([403, "OriginRefused"])
      for (const host of ["localhost:7070", "127.0.0.1", "[::1]:7070"])
        expect([host, (yield* rawCall(open.port, { path: "/api/jobs", headers: { host } })).status]).toEqual([
          host,
          200
        ])
      for (const host of ["localhost.evil.example", "127.0.0.1.evil.example", "evil.example:127.0.0.1"])
        expect([host, (yield* rawCall(open.port, { path: "/api/jobs", headers: { host } })).status]).toEqual([
          host,
          403
        ])
      const closed = yield* ApiServer.start({ token: "t" })
      const headers = { ...foreign.headers, authorization: "Bearer t" }
      expect((yield* rawCall(closed.port, { path: "/api/jobs", headers })).status).toBe(200)
    })
  )

  it.scopedLive("refuses a change that another page asks for", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      for (const origin of ["http://evil.example", "null", "http://localhost:1"]) {
        const answer = yield* post(`${url}/api/jobs/orders/stop`, "", { origin })
        expect([origin, answer.status, error(answer).tag]).toEqual([origin, 403, "OriginRefused"])
      }
      expect((yield* post(`${url}/api/jobs/orders/stop`, "", { origin: url })).status).toBe(202)
    })
  )

  it.scopedLive("forbids browsers to run, frame or store what is not its own", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      for (const path of ["/", "/api/jobs", "/nothing"]) {
        const { headers } = yield* call(url + path)
        expect(headers.get("content-security-policy")).toContain("script-src 'self'")
        expect(headers.get("content-security-policy")).not.toContain("unsafe")
        expect(headers.get("x-content-type-options")).toBe("nosniff")
      }
      expect((yield* call(`${url}/api/jobs`)).headers.get("cache-control")).toBe("no-store")
    })
  )
})
