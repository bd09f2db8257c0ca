import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { written } from "../../src/cli/Output.ts"
import { lineOf, rateOf } from "../../src/cli/ProgressLine.ts"
import { nearest } from "../../src/model/Suggestion.ts"
import { inProcess } from "./in-process.ts"

const root = resolve(import.meta.dirname, "../..")
const home = mkdtempSync(join(tmpdir(), "weir-commands-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))
let folders = 0
const fresh = () => ({ WEIR_DATA: join(home, `data-${++folders}`) })
const tables = fresh()
const orders = [
  { id: 1, region: "AMER", price: 1.5 },
  { id: 2, region: "EMEA", price: 2 },
  { id: 3, region: "AMER", price: 2.0 }
]
const input = orders.map((order) => JSON.stringify(order)).join("\n")

describe("produce and tail", () => {
  it("put records by key where Kafka would, and show them with it", async () => {
    const environment = fresh()
    expect(await inProcess(["produce", "t", "--key", "region"], { environment, input })).toMatchObject({
      code: 0,
      out: "3 records produced to t\n"
    })
    const { out } = await inProcess(["tail", "t", "--format", "json"], { environment })
    const records: ReadonlyArray<{ partition: number; key: string; value: string }> = JSON.parse(out)
    expect(records.map(({ key }) => key).sort()).toEqual(["AMER", "AMER", "EMEA"])
    expect(new Set(records.filter(({ key }) => key === "AMER").map(({ partition }) => partition)).size).toBe(1)
  })

  it("take a file, any number of pieces, and a last line without its end", async () => {
    const environment = fresh()
    const file = join(home, "many.jsonl")
    const many = Array.from({ length: 30_000 }, (_, i) => JSON.stringify({ i, text: "x".repeat(100) })).join("\n")
    writeFileSync(file, many)
    const { out } = await inProcess(["produce", "t", file, "--partition", "2"], { environment })
    expect(out).toBe("30000 records produced to t\n")
    const tailed = await inProcess(["tail", "t", "--partition", "2"], { environment })
    const values = tailed.out
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t")[4])
    expect(values.join("\n") === many).toBe(true)
  })

  it.each([
    [["--offset", "-1"], [3]],
    [
      ["--offset", "1"],
      [2, 3]
    ],
    [
      ["--count", "2"],
      [1, 2]
    ],
    [["--count", "0"], []],
    [
      ["--where", "region=AMER"],
      [1, 3]
    ],
    [
      ["--where", "price=2"],
      [2, 3]
    ],
    [["--where", "price=2", "--where", "region=AMER"], [3]],
    [["--where", "nothing=1"], []]
  ] as const)("tail %j shows records %j", async (flags, ids) => {
    const environment = fresh()
    await inProcess(["produce", "t", "--partition", "0"], { environment, input })
    const { out } = await inProcess(["tail", "t", "--partition", "0", ...flags], { environment })
    const shown = out.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line.split("\t")[4]!).id]))
    expect(shown).toEqual(ids)
  })
})

describe("generate", () => {
  it("gives the same bytes for the same seed, and others for another", async () => {
    const bytesOf = async (seed: string) => {
      const environment = fresh()
      const words = ["generate", "orders", "--count", "500", "--rate", "max", "--seed", seed]
      expect((await inProcess(words, { environment })).out).toBe("500 records produced to orders\n")
      const { out } = await inProcess(["tail", "orders", "--partition", "1"], { environment })
      return out
        .split("\n")
        .map((line) => line.split("\t")[4])
        .join("\n")
    }
    const [one, again, other] = [await bytesOf("7"), await bytesOf("7"), await bytesOf("8")]
    expect(one.split("\n").length).toBe(126)
    expect(again).toBe(one)
    expect(other).not.toBe(one)
  })
})

describe("query", () => {
  it.each([
    ["selec 1", 'syntax error at or near "selec"', "Mend the statement"],
    ["select 1; select 2", "multiple commands", "one statement at a time"],
    ["select * from nothing", 'relation "nothing" does not exist', "\\dt"],
    ["delete from nothing", "Only one reading statement", "Tables are written by jobs"],
    ["set role postgres", "Only one reading statement", "Tables are written by jobs"],
    ["", "Only one reading statement", "Tables are written by jobs"]
  ])("refuses '%s' with what is wrong in it", async (sql, why, hint) => {
    const { code, err, out } = await inProcess(["query", sql], { environment: tables })
    expect([code, out]).toEqual([1, ""])
    expect(err).toContain(why)
    expect(err).toContain(hint)
  })

  it.each([
    ["\\d order by", "order by"],
    ['\\d "a""b c";', 'a"b c'],
    ["\\d `a;b`", "a;b"],
    ["\\d weir;", "weir"]
  ])("takes %s for a table of any name", async (line, name) => {
    const { code, err } = await inProcess(["query"], { environment: tables, input: `${line}\n` })
    expect(code).toBe(0)
    expect(err).toContain(`There is no table '${name}'`)
  })

  it("lists rows as JSON whatever their columns are called", async () => {
    const sql = "select 1 as q, 2 as weir_row"
    const { code, out } = await inProcess(["query", sql, "--format", "json"], { environment: tables })
    expect([code, JSON.parse(out)]).toEqual([0, [{ q: 1, weir_row: 2 }]])
  })
})

describe("explain", () => {
  it("draws every node after what feeds it, with parameters in force and guarantees", async () => {
    const { code, out } = await inProcess(["explain", "orders", "--set", "window=5s"])
    expect(code).toBe(0)
    const at = [
      "source orders",
      "decode",
      "eventTime",
      "keyBy",
      "window  tumbling 5s",
      "aggregate income",
      "sink shop_item_income"
    ].map((text) => out.indexOf(text))
    expect(at).toEqual([...at].sort((a, b) => a - b))
    expect(at).not.toContain(-1)
    expect(out).toMatch(/window +duration +5s +1m/)
    expect(out).toMatch(/shop_item_income +exactly once +replaces by key/)
    expect(out).toMatch(/\n *income +\{region: .*, windowStart: instant, .*\}, replaces its predecessor\n/)
    const { nodes } = JSON.parse((await inProcess(["explain", "orders", "--format", "json"])).out)
    expect(nodes.find(({ id }: { id: string }) => id === "decode").row).toContain("price: decimal(12, 2)")
  })
})

describe("a project of one's own", () => {
  const folder = mkdtempSync(join(home, "project-"))
  mkdirSync(join(folder, "actors"))
  mkdirSync(join(folder, "fixtures"))
  const words = (name: string) => ["generate", name, "--count", "3", "--rate", "max"]

  it("has the generators of Weir", async () => {
    const { code, out } = await inProcess(words("orders"), { environment: fresh(), project: folder })
    expect([code, out]).toEqual([0, "3 records produced to orders\n"])
  })

  it("has its own before them", async () => {
    writeFileSync(
      join(folder, "fixtures/orders.mjs"),
      `export const generator = {
        name: "orders", meaning: "", topic: "mine", parameters: { count: { fallback: 0, parse: () => ({ _tag: "Right", right: 1 }) } },
        *blocks() { yield { records: [{ partition: 0, key: null, value: new Uint8Array([123, 125]), headers: [] }], clock: 0 } }
      }`
    )
    const { code, out } = await inProcess(words("orders"), { environment: fresh(), project: folder })
    expect([code, out]).toEqual([0, "1 records produced to mine\n"])
  })

  it("is told how to come by a job where it has none", async () => {
    const { code, err } = await inProcess(["run", "orders"], { environment: fresh(), project: folder })
    expect([code, err]).toEqual([2, expect.stringContaining("weir init <folder>")])
  })
})

describe("init", () => {
  it("writes a project and never over something", async () => {
    const folder = join(home, "My Shop")
    expect((await inProcess(["init", folder])).code).toBe(0)
    const { dependencies, name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
    expect(name).toBe("my-shop")
    // Never by a version: the package of this name in the registry is another project's.
    expect(dependencies.weir).toMatch(/^file:/)
    expect(realpathSync(resolve(folder, dependencies.weir.slice("file:".length)))).toBe(realpathSync(root))
    const again = await inProcess(["init", folder])
    expect([again.code, again.err]).toEqual([2, expect.stringContaining("not empty")])
  })
})

describe("Words", () => {
  it.each([
    ["tial", "tail"],
    ["quer", "query"],
    ["dead-leters", "dead-letters"],
    ["xyzzy", null]
  ])("'%s' may have meant %s", (word, meant) => {
    expect(nearest(word, ["start", "run", "tail", "query", "dead-letters"])).toBe(meant)
  })
})

describe("Results", () => {
  const listing = {
    columns: ["a", "b"],
    rows: [
      [1, 'x "y", z'],
      [20, null],
      [3, ""]
    ]
  } as const
  it("are a table for a person", () => {
    expect(written("table", listing)).toBe(' a  b\n 1  x "y", z\n20  -\n 3\n')
  })
  it("are one array as JSON", () => {
    expect(JSON.parse(written("json", listing))).toEqual([
      { a: 1, b: 'x "y", z' },
      { a: 20, b: null },
      { a: 3, b: "" }
    ])
    expect(JSON.parse(written("json", { columns: ["a"], rows: [] }))).toEqual([])
  })
  it("have a header as CSV, and tell a missing value from an empty one", () => {
    expect(written("csv", listing)).toBe('a,b\n1,"x ""y"", z"\n20,\n3,""\n')
  })
  it("drive no terminal", () => {
    expect(written("table", { columns: ["a"], rows: [["\u001b[2Jx\ny"]] })).toBe("a\n\\x1b[2Jx\\ny\n")
  })
})

describe("Progress", () => {
  it("says rate, percentage and time left where the end is known", () => {
    const line = lineOf({ what: "orders", done: 25_000, unit: "rows", total: 100_000 }, 5_000, 24)
    expect(line).toBe("orders: [######                  ] 25 %, 25,000 rows, 5,000 rows/s, 15 s left")
  })
  it("has the rate of all it has looked at, and none before it has looked twice", () => {
    const looks = [
      { at: 0, done: 0 },
      { at: 1_000, done: 50_000 },
      { at: 2_500, done: 50_000 }
    ]
    expect(rateOf(looks)).toBe(20_000)
    expect(rateOf(looks.slice(0, 1))).toBe(0)
    // A restart from the last checkpoint takes rows back.
    expect(rateOf([...looks].reverse().map(({ done }, at) => ({ at, done })))).toBe(0)
  })
  it("says no percentage where there is no end", () => {
    expect(lineOf({ what: "orders", done: 5, unit: "rows", total: null }, 0, 24)).toBe("orders: 5 rows, 0 rows/s")
  })
})
