/** What Superset and Jupyter show: their files name tables, columns, charts and each other as they are. */
import { readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parse } from "yaml"
import { inProcess } from "../cli/in-process.ts"
import { newFolder, root } from "../cli/program.ts"

const assets = join(root, "deploy/superset/assets")

interface Dataset {
  readonly table_name: string
  readonly uuid: string
  readonly database_uuid: string
  readonly main_dttm_col: string
  readonly columns: ReadonlyArray<{ readonly column_name: string }>
  readonly metrics: ReadonlyArray<{ readonly metric_name: string; readonly expression: string }>
}

interface Chart {
  readonly slice_name: string
  readonly uuid: string
  readonly dataset_uuid: string
  readonly params: Readonly<Record<string, unknown>>
}

interface Dashboard {
  readonly slug: string
  readonly metadata: { readonly refresh_frequency: number }
  readonly position: Readonly<
    Record<string, string | { readonly children?: ReadonlyArray<string>; readonly meta?: { readonly uuid?: string } }>
  >
}

const all = <A>(folder: string): ReadonlyArray<A> =>
  readdirSync(join(assets, folder)).map((name) => parse(readFileSync(join(assets, folder, name), "utf8")) as A)

const databases = all<{ readonly uuid: string; readonly sqlalchemy_uri: string }>("databases")
const datasets = all<Dataset>("datasets")
const charts = all<Chart>("charts")
const dashboards = all<Dashboard>("dashboards")

describe("The assets of Superset", { timeout: 60_000 }, () => {
  const environment = { WEIR_DATA: newFolder() }
  beforeAll(async () => {
    await inProcess(["generate", "orders", "--count", "50", "--rate", "max"], { environment })
    expect((await inProcess(["run", "orders", "--available-now"], { environment })).code).toBe(0)
  })
  afterAll(() => rmSync(environment.WEIR_DATA, { recursive: true, force: true }))

  it("describe tables as their jobs make them, and sum what is there", async () => {
    const tables = datasets.map(({ table_name: table }) => table)
    const sums = datasets.flatMap(({ metrics, table_name: table }) =>
      metrics.map(({ expression, metric_name: name }) => `(select ${expression} from ${table}) as "${table} ${name}"`)
    )
    const shown = datasets.flatMap(({ columns, table_name: table }) =>
      columns.map(({ column_name: column }) => `${table}.${column} as "${table} ${column}"`)
    )
    const sql = `select ${tables.map((table) => `${table}.*`).join(", ")}, ${[...shown, ...sums].join(", ")} from ${tables.join(", ")} limit 1`
    const { err, out } = await inProcess(["query", "--format", "csv", sql], { environment })
    const described = datasets.flatMap(({ columns, table_name: table }) =>
      columns.flatMap(({ column_name: column }) => [column, `${table} ${column}`])
    )
    const measured = datasets.flatMap(({ metrics, table_name: table }) =>
      metrics.map(({ metric_name: name }) => `${table} ${name}`)
    )
    // A column of two tables is answered once.
    expect(new Set(out.split("\n")[0]?.split(",")), err).toEqual(new Set([...described, ...measured]))
    for (const { columns, database_uuid: database, main_dttm_col: time } of datasets) {
      expect(databases.map(({ uuid }) => uuid)).toContain(database)
      expect(columns.map(({ column_name: column }) => column)).toContain(time)
    }
  })

  it.each(charts.map((chart) => [chart.slice_name, chart] as const))(
    "draw '%s' from what its table has",
    (_, { dataset_uuid: of, params }) => {
      const dataset = datasets.find(({ uuid }) => uuid === of)!
      const columns = dataset.columns.map(({ column_name: column }) => column)
      const metrics = dataset.metrics.map(({ metric_name: metric }) => metric)
      const named = (name: string) => [params[name] ?? []].flat() as unknown as ReadonlyArray<string>
      const measured = [...named("metric"), ...named("metrics"), ...named("timeseries_limit_metric")]
      expect(measured.length).toBeGreaterThan(0)
      expect(measured.filter((metric) => !metrics.includes(metric))).toEqual([])
      expect([...named("groupby"), ...named("x_axis")].filter((column) => !columns.includes(column))).toEqual([])
    }
  )

  it("put each chart on a dashboard that refreshes by itself", () => {
    const shown = dashboards.flatMap(({ position }) =>
      Object.values(position).flatMap((part) => (typeof part === "string" ? [] : (part.meta?.uuid ?? [])))
    )
    expect(new Set(shown)).toEqual(new Set(charts.map(({ uuid }) => uuid)))
    for (const { metadata, position } of dashboards) {
      expect(metadata.refresh_frequency).toBeGreaterThan(0)
      const parts = Object.values(position).flatMap((part) => (typeof part === "string" ? [] : (part.children ?? [])))
      expect(parts.filter((part) => !(part in position))).toEqual([])
    }
  })

  it("keep no password", () => {
    for (const { sqlalchemy_uri: address } of databases) expect(new URL(address).password).toBe("")
  })
})

describe("The notebook", () => {
  interface Cell {
    readonly id: string
    readonly cell_type: string
    readonly outputs?: ReadonlyArray<unknown>
    readonly execution_count?: number | null
    readonly source: ReadonlyArray<string> | string
  }
  const notebook = JSON.parse(readFileSync(join(root, "deploy/jupyter/explore.ipynb"), "utf8")) as {
    readonly nbformat: number
    readonly cells: ReadonlyArray<Cell>
  }

  it("brings no answers, and reads what compose.yaml gives it", () => {
    expect(notebook.nbformat).toBe(4)
    const code = notebook.cells.filter(({ cell_type: type }) => type === "code")
    expect(code.map(({ execution_count: count, outputs }) => [count, outputs])).toEqual(code.map(() => [null, []]))
    const asked = [...JSON.stringify(code).matchAll(/os\.environ\[\\?\\?"?(\w+)/g)].map(([, name]) => name!)
    const { services } = parse(readFileSync(join(root, "compose.yaml"), "utf8"), { merge: true })
    expect(asked.length).toBeGreaterThan(1)
    expect(asked.filter((name) => !(name in services.jupyter.environment))).toEqual([])
  })
})
