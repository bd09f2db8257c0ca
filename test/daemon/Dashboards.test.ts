import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PageFiles from "../../src/daemon/PageFiles.ts"
import * as Limits from "../../src/model/Limits.ts"
import * as ApiServer from "./ApiServer.ts"

let root = ""
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "weir-dashboards-test-"))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const tile = {
  id: "a",
  title: "Income",
  sql: "select 1",
  chart: { type: "line", x: "at", values: ["total"], by: null, stacked: false },
  width: 2,
  height: 1
}
const dashboard = { version: 1, title: "Sales of today", tiles: [tile] }

const call = (url: string, method = "GET", body?: unknown) =>
  Effect.promise(async () => {
    const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body)
    const response = await fetch(url, { method, body: text })
    return { status: response.status, json: (await response.json()) as any, headers: response.headers }
  })

describe("Dashboards", () => {
  it.scopedLive("are kept as files that a second daemon answers with", () =>
    Effect.gen(function* () {
      const folder = join(root, "kept")
      const first = yield* ApiServer.start({ dashboardsFolder: folder })
      expect((yield* call(`${first.url}/api/dashboards`)).json).toEqual([])
      const written = yield* call(`${first.url}/api/dashboards/sales`, "PUT", dashboard)
      expect([written.status, written.json]).toEqual([200, dashboard])
      expect(readdirSync(folder)).toEqual(["sales.json"])
      expect(JSON.parse(readFileSync(join(folder, "sales.json"), "utf8"))).toEqual(dashboard)
      const second = yield* ApiServer.start({ dashboardsFolder: folder })
      expect((yield* call(`${second.url}/api/dashboards`)).json).toEqual([
        { name: "sales", title: "Sales of today", tiles: 1, origin: "own" }
      ])
      expect((yield* call(`${second.url}/api/dashboards/sales`)).json).toEqual(dashboard)
      const replaced = { ...dashboard, title: "Sales", tiles: [] }
      yield* call(`${second.url}/api/dashboards/sales`, "PUT", replaced)
      expect((yield* call(`${first.url}/api/dashboards/sales`)).json).toEqual(replaced)
      expect((yield* call(`${first.url}/api/dashboards/sales`, "DELETE")).json).toEqual({ removed: "sales" })
      expect(readdirSync(folder)).toEqual([])
      for (const method of ["GET", "DELETE"]) {
        const gone = yield* call(`${first.url}/api/dashboards/sales`, method)
        expect([gone.status, gone.json.error.tag]).toEqual([404, "UnknownDashboard"])
      }
    })
  )

  it.scopedLive("have names that lead nowhere else", () =>
    Effect.gen(function* () {
      const folder = join(root, "names", "inner")
      const { url } = yield* ApiServer.start({ dashboardsFolder: folder })
      for (const name of ["..%2Fescape", "%2e%2e%2fx", "A", "a b", "-a", "a--b", "a.json", "a%00", "x".repeat(65)]) {
        for (const [method, body] of [
          ["GET", undefined],
          ["PUT", dashboard],
          ["DELETE", undefined]
        ] as const) {
          const answer = yield* call(`${url}/api/dashboards/${name}`, method, body)
          expect([name, method, answer.status, answer.json.error.tag]).toEqual([name, method, 400, "InvalidRequest"])
        }
      }
      expect(existsSync(join(root, "names"))).toBe(false)
    })
  )

  const wrong: ReadonlyArray<[string, unknown]> = [
    ["no JSON", "{"],
    ["nothing", {}],
    ["another version", { ...dashboard, version: 2 }],
    ["a tile without a query", { ...dashboard, tiles: [{ ...tile, sql: "" }] }],
    ["an unknown chart", { ...dashboard, tiles: [{ ...tile, chart: { ...tile.chart, type: "pie" } }] }],
    ["a tile too wide", { ...dashboard, tiles: [{ ...tile, width: 5 }] }],
    ["two tiles with one id", { ...dashboard, tiles: [tile, tile] }],
    [
      "too many tiles",
      {
        ...dashboard,
        tiles: Array.from({ length: Limits.dashboardTilesMax + 1 }, (_, i) => ({ ...tile, id: `t${i}` }))
      }
    ]
  ]
  it.scopedLive.each(wrong)("refuses %s", ([, body]) =>
    Effect.gen(function* () {
      const folder = join(root, "wrong")
      const { url } = yield* ApiServer.start({ dashboardsFolder: folder })
      const answer = yield* call(`${url}/api/dashboards/sales`, "PUT", body)
      expect([answer.status, answer.json.error.tag]).toEqual([400, "InvalidRequest"])
      expect(existsSync(folder)).toBe(false)
    })
  )

  it.scopedLive("are bounded in bytes and in number", () =>
    Effect.gen(function* () {
      const folder = join(root, "many")
      const { url } = yield* ApiServer.start({ dashboardsFolder: folder })
      const large = yield* call(`${url}/api/dashboards/a`, "PUT", "x".repeat(Limits.dashboardBytesMax + 1))
      expect([large.status, large.json.error.tag]).toEqual([413, "RequestTooLarge"])
      yield* call(`${url}/api/dashboards/d0`, "PUT", dashboard)
      for (let i = 1; i < Limits.dashboardsMax; i++) writeFileSync(join(folder, `d${i}.json`), "{}")
      const one = yield* call(`${url}/api/dashboards/more`, "PUT", dashboard)
      expect([one.status, one.json.error.tag]).toEqual([409, "DashboardsFull"])
      expect((yield* call(`${url}/api/dashboards/d1`, "PUT", dashboard)).status).toBe(200)
    })
  )

  it.scopedLive("that were damaged by hand are named, and hide no other", () =>
    Effect.gen(function* () {
      const folder = join(root, "damaged")
      const { url } = yield* ApiServer.start({ dashboardsFolder: folder })
      yield* call(`${url}/api/dashboards/good`, "PUT", dashboard)
      writeFileSync(join(folder, "bad.json"), '{"version": 1}')
      writeFileSync(join(folder, "good.json.new"), "{")
      writeFileSync(join(folder, "Notes.json"), "{")
      expect((yield* call(`${url}/api/dashboards`)).json).toEqual([
        { name: "good", title: "Sales of today", tiles: 1, origin: "own" }
      ])
      const bad = yield* call(`${url}/api/dashboards/bad`)
      expect([bad.status, bad.json.error.tag]).toEqual([502, "StorageFailed"])
      expect(bad.json.error.message).toContain("bad.json")
    })
  )

  it.scopedLive("come with a system's folder too, are changed in the data folder only, and can be as they came", () =>
    Effect.gen(function* () {
      const folder = join(root, "changed")
      const systems = join(root, "systems")
      mkdirSync(join(systems, "shop"), { recursive: true })
      mkdirSync(join(systems, "bare"))
      writeFileSync(join(systems, "file"), "")
      const brought = { ...dashboard, title: "Shop", tiles: [{ ...tile, job: "orders" }] }
      writeFileSync(join(systems, "shop", "dashboard.json"), JSON.stringify(brought))
      const { url } = yield* ApiServer.start({ dashboardsFolder: folder, systemsFolder: systems })
      const list = Effect.map(call(`${url}/api/dashboards`), ({ json }) => json)
      const at = `${url}/api/dashboards/shop`
      expect((yield* call(at)).json).toEqual(brought)
      expect(yield* list).toEqual([{ name: "shop", title: "Shop", tiles: 1, origin: "project" }])
      expect((yield* call(at, "DELETE")).json.error.message).toContain("comes with the project")
      yield* call(at, "PUT", { ...brought, title: "Mine" })
      yield* call(`${url}/api/dashboards/own`, "PUT", dashboard)
      expect((yield* list).map((of: any) => [of.name, of.title, of.origin])).toEqual([
        ["own", "Sales of today", "own"],
        ["shop", "Mine", "changed"]
      ])
      expect(JSON.parse(readFileSync(join(systems, "shop", "dashboard.json"), "utf8"))).toEqual(brought)
      expect((yield* call(at, "DELETE")).json).toEqual({ removed: "shop" })
      expect((yield* call(at)).json).toEqual(brought)
    })
  )

  it.scopedLive("count the rows of a job's sink instead of asking a query", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { sql: _, ...rest } = tile
      const counted = { ...dashboard, tiles: [{ ...rest, job: "orders", arrivals: "shop_item_income" }] }
      expect((yield* call(`${url}/api/dashboards/sales`, "PUT", counted)).json).toEqual(counted)
      const nobodys = { ...dashboard, tiles: [{ ...rest, arrivals: "shop_item_income" }] }
      expect((yield* call(`${url}/api/dashboards/sales`, "PUT", nobodys)).status).toBe(400)
    })
  )

  it.scopedLive("are shown only to whoever has the token", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start({ token: "t" })
      for (const path of ["dashboards", "dashboards/a", "databases"])
        expect((yield* call(`${url}/api/${path}`)).status).toBe(401)
    })
  )
})

describe("the page's libraries", () => {
  it.scopedLive("are kept by a browser for good, under the version that is installed", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { dependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
      for (const [name, file] of Object.entries(PageFiles.libraries)) {
        expect(name).toBe(`${file.split("/")[0]}-${dependencies[file.split("/")[0]!]}.js`)
        const answer = yield* Effect.promise(() => fetch(`${url}/page/${name}`))
        expect([answer.status, answer.headers.get("cache-control")]).toEqual([
          200,
          "public, max-age=31536000, immutable"
        ])
        expect((yield* Effect.promise(() => answer.text())).length).toBeGreaterThan(10_000)
        expect(readFileSync(new URL("../../build.mjs", import.meta.url), "utf8")).toContain(`"${name}": "${file}"`)
      }
      for (const name of ["echarts-5.5.0.js", "package.json", "constructor"])
        expect((yield* call(`${url}/page/${name}`)).status).toBe(404)
    })
  )
})

describe("the catalog", () => {
  it.scopedLive("says every table with its columns", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const { json } = yield* call(`${url}/api/databases`)
      expect(json).toHaveLength(1)
      expect([json[0].database, json[0].dialect]).toEqual(["memory", "postgres"])
      expect(json[0].tables.map((of: any) => [of.table, of.columns?.length ?? null])).toEqual([
        ["agg_order_minute", null],
        ["shop_item_income", 8]
      ])
    })
  )
})
