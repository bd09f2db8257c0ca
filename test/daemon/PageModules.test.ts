import { describe, expect, it } from "vitest"

const load = (name: string): Promise<any> =>
  import(/* @vite-ignore */ new URL(`../../src/daemon/page/${name}.js`, import.meta.url).href)
const { complete, quoted, tablesOf, wordsOf } = await load("sql-words")
const { comparing, kindsOf, millisOf, suggest } = await load("columns")
const { placesOf } = await load("layout")
const { holderOf, rowsOf, summary } = await load("partitions")
const { chartOf } = await load("chart-options")
const { figure } = await load("format")
const { arrivalsOf, missingOf } = await load("tile-answer")
const { byJob } = await load("awaited")

const column = (name: string, type = "bigint") => ({ name, type, nullable: false })
const catalog = {
  dialect: "postgres",
  tables: [
    { table: "orders", columns: [column("id"), column("region", "text"), column("Odd Name")] },
    { table: "shops", columns: [column("shop"), column("region", "text")] },
    { table: "unknown_columns", columns: null }
  ]
}
/** Options at `|`. */
const at = (text: string, asked = false): ReadonlyArray<string> =>
  complete(text.replace("|", ""), text.indexOf("|"), catalog, asked)?.options.map((of: any) => of.label) ?? []

describe("SQL words", () => {
  it.each([
    'select 1 -- o\'clock\nfrom "a""b" /* open',
    "select 'it''s', 1.5, naïve FROM x;",
    "'never closed",
    "/* never closed",
    ""
  ])("joined are the text again: %j", (sql) => {
    expect(
      wordsOf(sql)
        .map((word: any) => word.text)
        .join("")
    ).toBe(sql)
  })

  it("are no keywords inside texts, comments and quotes", () => {
    const kinds = wordsOf("select 'from' \"from\" -- from\nfrom").filter((word: any) => word.kind !== "space")
    expect(kinds.map((word: any) => word.kind)).toEqual(["keyword", "text", "quoted", "comment", "keyword"])
  })

  it.each([
    ["select * from orders", [["orders", "orders"]]],
    [
      "select * from orders o join public.shops as s on true",
      [
        ["orders", "o"],
        ["shops", "s"]
      ]
    ],
    [
      'select * from "Odd", b where c in (select 1 from d)',
      [
        ["Odd", "Odd"],
        ["b", "b"],
        ["d", "d"]
      ]
    ],
    ["select extract(hour from x), 'from y'", [["x", "x"]]],
    ["select from", []]
  ])("name the tables of %s", (sql, tables) => {
    expect(tablesOf(sql).map((of: any) => [of.table, of.alias])).toEqual(tables)
  })

  it("complete tables where a table is expected, and columns of the query's tables elsewhere", () => {
    expect(at("select * from |", true)).toEqual(["orders", "shops", "unknown_columns"])
    expect(at("select * from orders, sh|")).toEqual(["shops"])
    expect(at("select reg| from orders").slice(0, 1)).toEqual(["region"])
    expect(at("select s.| from orders o join shops s")).toEqual(["shop", "region"])
    expect(at("select x.| from orders")).toEqual([])
    expect(at("select id|", false)).toEqual([])
  })

  it("complete nothing inside a text or a comment, nor an empty word that nobody asked for", () => {
    for (const text of [
      "select 'reg|' from orders",
      "select 1 -- reg|",
      "select | from orders",
      "select 12| from orders"
    ])
      expect([text, at(text)]).toEqual([text, []])
  })

  it("quote names that need it, as the database does", () => {
    expect(["region", "Odd Name", 'a"b', "select"].map((name) => quoted(name))).toEqual([
      "region",
      '"Odd Name"',
      '"a""b"',
      '"select"'
    ])
    expect(quoted("a`b", "mysql")).toBe("`a``b`")
  })
})

describe("columns", () => {
  const answer = (columns: ReadonlyArray<string>, ...rows: ReadonlyArray<ReadonlyArray<string | null>>) => ({
    columns,
    rows
  })

  it("are numbers, instants or texts by all their values", () => {
    const kinds = kindsOf(
      answer(
        ["n", "t", "s", "mixed", "none"],
        ["1", "2026-11-21 10:00:00+00", "a", "1", null],
        ["-2.5e3", "2026-11-21", "1", "x", null]
      )
    )
    expect(kinds.map((of: any) => of.kind)).toEqual(["number", "time", "text", "text", "text"])
  })

  it("hold instants as databases write them, in UTC where they say no zone", () => {
    const noon = Date.parse("2026-11-21T12:00:00Z")
    for (const text of [
      "2026-11-21T12:00:00Z",
      "2026-11-21 12:00:00",
      "2026-11-21 12:00:00.000+00",
      "2026-11-21 14:00:00+02:00",
      "2026-11-21 17:30:00+0530"
    ])
      expect([text, millisOf(text)]).toEqual([text, noon])
    expect(millisOf("2026-11-21")).toBe(Date.parse("2026-11-21T00:00:00Z"))
    expect(millisOf("soon")).toBeNaN()
  })

  it("sort by their kind, null last", () => {
    expect(["10", "9", null, "-1"].sort(comparing("number"))).toEqual(["-1", "9", "10", null])
    expect(["b10", null, "b9"].sort(comparing("text"))).toEqual(["b9", "b10", null])
  })

  it("suggest a chart: time runs along, texts are categories, numbers are series", () => {
    const overTime = answer(["at", "income", "orders"], ["2026-11-21", "1", "2"], ["2026-11-22", "3", "4"])
    expect(suggest(overTime)).toMatchObject({ type: "line", x: "at", values: ["income", "orders"], by: null })
    const split = answer(["at", "region", "income"], ["2026-11-21", "SG", "1"], ["2026-11-21", "MY", "2"])
    expect(suggest(split)).toMatchObject({ type: "line", x: "at", values: ["income"], by: "region" })
    const categories = answer(["shop_id", "region", "income"], ["1", "SG", "5"], ["2", "MY", "6"])
    expect(suggest(categories)).toMatchObject({ type: "bar", x: "region", values: ["income"] })
    expect(suggest(split, "bar")).toMatchObject({ x: "region", values: ["income"], by: null })
    const again = answer(split.columns, ...split.rows, ["2026-11-22", "SG", "3"])
    expect(suggest(again, "bar")).toMatchObject({ x: "at", by: "region", stacked: true })
    expect(suggest(answer(["total"], ["5"]))).toMatchObject({ type: "number", values: ["total"] })
    expect(suggest(answer(["a"], ["x"], ["y"]))).toMatchObject({ type: "table" })
    expect(suggest(answer(["a"]))).toMatchObject({ type: "table" })
  })

  it("make a chart that says what it shows, and none where a column is gone", () => {
    const found = answer(["region", "income"], ["SG", "5"], ["MY", null])
    const chart = { type: "bar", x: "region", values: ["income"], by: null, stacked: false }
    expect(chartOf(found, chart, "Income").spoken).toBe("Income, bar chart: 2 points, the last: Income 5")
    expect(chartOf(found, { ...chart, values: ["gone"] }, "Income")).toBeNull()
    const twice = chartOf(answer(["region", "income"], ["SG", "5"], ["SG", "2"]), chart, "Income")
    expect([twice.spoken, twice.note]).toEqual([
      "Income, bar chart: 1 points, the last: Income 7",
      "Rows of the same region are added."
    ])
  })

  it("draw more lines than there are colours, and a heat map of two columns", () => {
    const colours = { series: Array.from({ length: 8 }, (_, i) => `colour ${i}`), of: (name: string) => name }
    const many = answer(
      ["at", "symbol", "close"],
      ...Array.from({ length: 30 }, (_, i) => ["2026-11-21", `s${i}`, "1"])
    )
    const line = chartOf(many, { type: "line", x: "at", values: ["close"], by: "symbol", stacked: false }, "Close")
    const options = line.options(colours)
    expect(options.series.map((of: any) => of.lineStyle.type)).toEqual(
      ["solid", "dashed", "dotted"].flatMap((dash) => Array.from({ length: 8 }, () => dash))
    )
    expect(new Set(options.series.map((of: any, i: number) => `${options.color[i]} ${of.lineStyle.type}`)).size).toBe(
      24
    )
    expect(line.note).toBe("6 more series are not drawn.")
    const defects = answer(
      ["hour", "station_id", "fails"],
      ["2026-11-21 08:00:00+00", "40", "2"],
      ["2026-11-21 09:00:00+00", "7", "3"],
      ["2026-11-21 09:00:00+00", "40", null]
    )
    const mapping = { type: "heatmap", x: "hour", values: ["fails"], by: "station_id", stacked: false }
    const heat = chartOf(defects, mapping, "Defects")
    const { series, xAxis, yAxis } = heat.options(colours)
    expect([xAxis.data, yAxis.data]).toEqual([
      ["2026-11-21 08:00", "2026-11-21 09:00"],
      ["7", "40"]
    ])
    expect(series[0].data).toEqual([
      [0, 1, 2],
      [1, 0, 3]
    ])
    expect(heat.spoken).toMatch(/^Defects, heat map of 2 cells; the largest: 2026-11-21 09:00 \/ 7 3, /)
    expect(chartOf(defects, { ...mapping, by: "gone" }, "Defects")).toBeNull()
    expect(suggest(defects, "heatmap")).toMatchObject({ x: "hour", by: "station_id", values: ["fails"] })
  })

  it("keep every digit of a number that is shown large", () => {
    expect(["12345678901234567.89", "-1000", "7", "x"].map(figure)).toEqual([
      "12,345,678,901,234,567.89",
      "-1,000",
      "7",
      "x"
    ])
  })
})

describe("a tile", () => {
  const report = (cutAt: string, rows: number) => ({
    cutAt: Date.parse(`2026-11-21T${cutAt}Z`),
    sinks: [
      { sink: "prices", rows },
      { sink: "others", rows: 1_000 }
    ]
  })

  it("counts the rows of a sink by the minute of their epochs, also none", () => {
    const reports = [report("10:00:10", 3), report("10:00:59", 4), report("10:03:00", 5), report("10:03:01", 0)]
    expect(arrivalsOf(reports, "prices").rows).toEqual([
      ["2026-11-21T10:00:00.000Z", "7"],
      ["2026-11-21T10:01:00.000Z", "0"],
      ["2026-11-21T10:02:00.000Z", "0"],
      ["2026-11-21T10:03:00.000Z", "5"]
    ])
    expect(arrivalsOf([], "prices").rows).toEqual([])
  })

  it("counts the last hour, and no minute of which reports are gone", () => {
    const hours = arrivalsOf([report("08:00:00", 1), report("10:00:00", 2)], "prices").rows
    expect([hours.length, hours[0], hours.at(-1)]).toEqual([
      60,
      ["2026-11-21T09:01:00.000Z", "0"],
      ["2026-11-21T10:00:00.000Z", "2"]
    ])
    const full = [report("10:00:30", 9), ...Array.from({ length: 199 }, () => report("10:01:00", 1))]
    expect(arrivalsOf(full, "prices").rows).toEqual([["2026-11-21T10:01:00.000Z", "199"]])
  })

  it("waits for tables that are not there, not for what its own query names", () => {
    const known = ["uc", "ucp"]
    expect(missingOf({ sql: "select * from uc join plant_total on true" }, known)).toEqual(["plant_total"])
    expect(missingOf({ sql: "with done as (select * from ucp) select * from done, uc" }, known)).toEqual([])
    expect(missingOf({ job: "plant", arrivals: "uc" }, known)).toEqual([])
    expect(missingOf({ job: "plant", arrivals: "other" }, known)).toEqual(["other"])
    const awaits = [
      { job: "plant", tables: ["b", "a"] },
      { job: "plant", tables: ["a"] },
      { job: "stocks", tables: [] }
    ]
    expect(byJob(awaits)).toEqual([
      { job: "plant", tables: ["a", "b"] },
      { job: "stocks", tables: [] }
    ])
  })
})

describe("the topology's layout", () => {
  const nodes = (...ids: ReadonlyArray<string>) =>
    ids.map((id) => ({ id, kind: id.startsWith("sink") ? "sink" : id.startsWith("source") ? "source" : "map" }))
  const edges = (...lines: ReadonlyArray<string>) =>
    lines.map((line) => {
      const [from, to, port = "out"] = line.split(" ")
      return { from, to, port, input: 0 }
    })
  const places = (of: object): Record<string, string> =>
    Object.fromEntries([...placesOf(of)].map(([id, { depth, lane }]: any) => [id, `${depth} ${lane}`]))

  it("puts a line of nodes into one lane, and what is set aside beside its step", () => {
    expect(
      places({
        nodes: nodes("source", "a", "sink", "sinkLate"),
        edges: edges("source a", "a sink", "a sinkLate late")
      })
    ).toEqual({ source: "0 0", a: "1 0", sink: "2 0", sinkLate: "1 1" })
  })

  it("puts a second source right before its join, in a lane of its own", () => {
    expect(
      places({
        nodes: nodes("source", "a", "b", "source2", "join", "sink"),
        edges: edges("source a", "a b", "b join", "source2 join", "join sink")
      })
    ).toEqual({ source: "0 0", a: "1 0", b: "2 0", source2: "2 1", join: "3 0", sink: "4 0" })
  })

  it("never puts two nodes into one place, nor a node under a line", () => {
    const diamond = {
      nodes: nodes("source", "a", "b", "c", "join", "sink", "sink2"),
      edges: edges("source a", "a b", "b c", "a join", "c join", "join sink", "b sink2 late")
    }
    const found = places(diamond)
    expect(new Set(Object.values(found)).size).toBe(7)
    // The line from a to join passes the depths of b and c in the lane of a.
    const lane = found.a!.split(" ")[1]
    expect([found.b, found.c]).not.toContain(`2 ${lane}`)
    expect([found.b, found.c]).not.toContain(`3 ${lane}`)
  })
})

describe("partitions", () => {
  const step = (watermark: number, partition: number | null) => ({
    node: "eventTime",
    waiting: {
      kind: "time",
      watermark,
      partitions: [],
      holder: partition === null ? null : { source: "orders", partition, since: 1_000 }
    }
  })
  const windows = { node: "income", waiting: { kind: "windows", watermark: 0, open: 0, first: [] } }

  it("make open windows and events that wait one list, with how far the watermark is from each", () => {
    const first = [{ start: 60_000, end: 120_000, closesAt: 125_000, rows: 1_200 }]
    const events = (waiting: number, first: unknown, watermark: number | null) => ({
      node: "pairs",
      waiting: { kind: "events", watermark, waiting, first }
    })
    const open = { node: "income", waiting: { kind: "windows", watermark: 65_000, open: 3, first } }
    const one = events(7, { eventTime: 30_000, until: 90_001 }, 60_001)
    const [window, event, unknown, ...others] = rowsOf([
      step(1, 0),
      open,
      one,
      events(1, { eventTime: 1, until: 2 }, null)
    ])
    expect([window[0], window[4]]).toEqual(["income (3 open)", "60 s"])
    expect([event[0], event[2], event[4]]).toEqual(["pairs", "7", "30 s"])
    expect(event[1]).toMatch(/^events from .*30/)
    expect([unknown[4], others]).toEqual(["–", []])
    expect(rowsOf([windows, events(0, null, null)])).toEqual([])
    expect(rowsOf([step(1, 0)])).toBeNull()
  })

  it("name the one that holds the lowest watermark of all steps", () => {
    expect(holderOf([step(9_000, 0), windows, step(4_000, 1), step(1_000, null)]).partition).toBe(1)
    expect(holderOf([windows, step(1_000, null)])).toBeNull()
    expect(summary({ watermark: 4_000, partitions: [] }, [step(4_000, 1)], 6_000)).toMatch(
      /, 2 s behind the clock; held by orders \/ 1 since /
    )
    expect(summary({ watermark: null, partitions: [] }, [], 6_000)).toBe("No watermark yet.")
  })
})
