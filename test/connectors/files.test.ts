import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Schema } from "effect"
import { CsvReader } from "../../src/connectors/files/Csv.ts"
import { Files } from "../../src/connectors/files/index.ts"
import { Decimal, Instant, InstantFromSeconds, Int64 } from "../../src/model/Columns.ts"

const Shop = Schema.Struct({
  shopid: Int64,
  name: Schema.String,
  rent: Schema.NullOr(Decimal(12, 2)),
  since: Instant,
  seen: InstantFromSeconds,
  open: Schema.Boolean,
  size: Schema.NullOr(Schema.Number),
  note: Schema.optional(Schema.String)
})
const one = {
  shopid: 9_007_199_254_740_993n,
  name: 'a "b",\nc',
  rent: -1250n,
  since: 1_700_000_000_000,
  seen: 1_700_000_000_000,
  open: true,
  size: 1.5,
  note: "x"
}
const bare = { ...one, shopid: 2n, name: "", rent: null, open: false, size: null, note: undefined }
const { note: _, ...two } = bare
const header = "shopid,name,rent,since,seen,open,size,note"
const first = '9007199254740993,"a ""b"",\nc",-12.50,2023-11-14T22:13:20Z,1700000000,true,1.5,x'
const second = "2,,,2023-11-14T22:13:20Z,1700000000,FALSE,,"

const load = (name: string, text: string | Uint8Array, options: Partial<Parameters<typeof Files.lookup>[2]> = {}) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = `${yield* files.makeTempDirectoryScoped()}/${name}`
    yield* typeof text === "string" ? files.writeFileString(path, text) : files.writeFile(path, text)
    return yield* Files.lookup(path, Shop, { key: ["shopid"], ...(options as object) }).load
  })

describe("a lookup from a file", () => {
  it.layer(NodeFileSystem.layer)((it) => {
    it.scoped.each([
      ["LF", [header, first, second].join("\n")],
      ["CRLF, and a last line end", `${[header, first.replace("\n", "\r\n"), second].join("\r\n")}\r\n`],
      ["a byte order mark and empty lines", `\uFEFF${[header, "", first, "", second, "", ""].join("\n")}`]
    ] as const)("reads every type of CSV with %s", ([what, text]) =>
      Effect.gen(function* () {
        const { placeOf, rows } = yield* load("shops.csv", text)
        expect(rows).toEqual([what.startsWith("CRLF") ? { ...one, name: 'a "b",\r\nc' } : one, two])
        expect(placeOf!(1)).toBe(what.startsWith("a byte") ? "line 6" : "line 4")
      })
    )

    it.scoped("takes other separators, columns in another order, more columns, and none named", () =>
      Effect.gen(function* () {
        const order = [7, 6, 5, 4, 3, 2, 0, 1]
        const shuffled = (text: string) => [...order.map((i) => text.split(",")[i]), "more"].join("\t")
        const tabbed = yield* load("shops.tsv", [header, second].map(shuffled).join("\n"))
        expect(tabbed.rows).toEqual([two])
        const bare = yield* load("shops.txt", second.replaceAll(",", ";"), {
          format: "csv",
          header: false,
          separator: ";"
        })
        expect(bare.rows).toEqual([two])
      })
    )

    it.scoped("reads lines of JSON and an array of JSON with all digits", () =>
      Effect.gen(function* () {
        const fields = '"since":"2023-11-14T22:13:20Z","seen":1700000000'
        const json1 = `{"shopid":9007199254740993,"name":"a \\"b\\",\\nc","rent":-12.50,${fields},"open":true,"size":1.5,"note":"x"}`
        const json2 = `{"shopid":"2","name":"","rent":null,${fields},"open":false,"size":null}`
        for (const name of ["shops.jsonl", "shops.ndjson"]) {
          const { placeOf, rows } = yield* load(name, `\uFEFF${json1}\r\n\n${json2}`)
          expect(rows).toEqual([one, two])
          expect(placeOf!(1)).toBe("line 3")
        }
        expect((yield* load("shops.json", `[${json1},\n${json2}]`)).rows).toEqual([one, two])
      })
    )

    it.scoped.each([
      ["a cell", "shops.csv", [header, second, second.replace("FALSE", "no")].join("\n"), /line 3, column open: .*no/],
      ["digits", "shops.csv", [header, second.replace("2,,", "2,,1.234")].join("\n"), /line 2, column rent: .*1\.234/],
      ["too few cells", "shops.csv", [header, "1,2"].join("\n"), /line 2 has 2 cells, and there are 8 columns/],
      ["an open quote", "shops.csv", [header, second, '3,"x'].join("\n"), /line 3: a quote is opened/],
      ["text behind a quote", "shops.csv", [header, '3,"x"y'].join("\n"), /line 2: a closed quote is followed by "y"/],
      ["no header", "shops.csv", "", /is empty/],
      ["a column twice", "shops.csv", `${header},name`, /line 1: two columns are called name/],
      ["a line of JSON", "shops.jsonl", '\n{"shopid":1', /line 2: /],
      ["a field of JSON", "shops.jsonl", '{"shopid":"x"}', /line 1, column shopid: .*x/],
      ["an element of JSON", "shops.json", '[\n{"shopid":\n"x"}]', /line 3: \[0\]\.shopid: /],
      ["bytes that are no text", "shops.csv", new Uint8Array([0xff, 0xfe]), /not UTF-8/]
    ] as const)("says file, line and column of %s that cannot be read", ([, name, text, message]) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(load(name, text))
        expect(error._tag).toBe("LookupUnreadable")
        expect((error as Error).message).toMatch(message)
        expect((error as Error).message).toContain(name)
      })
    )

    it.scoped("refuses what is missing, and what is no file", () =>
      Effect.gen(function* () {
        const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const missing = yield* Effect.flip(Files.lookup(`${folder}/x.csv`, Shop, { key: ["shopid"] }).load)
        expect(missing.message).toContain("there is no file")
        const other = yield* Effect.flip(Files.lookup(folder, Shop, { key: ["shopid"], format: "csv" }).load)
        expect(other.message).toContain("is no file")
      })
    )
  })

  it("says what it is, and refuses a path without a format", () => {
    const shops = Files.lookup("data/shops.csv", Shop, { key: ["shopid"], refresh: "5 minutes" })
    expect([shops.name, shops.label, shops.everyMillis]).toEqual([
      "data/shops.csv",
      "file data/shops.csv by shopid, refreshed every 5m",
      300_000
    ])
    expect(() => Files.lookup("shops", Shop, { key: ["shopid"] })).toThrow("says no format")
    expect(() => Files.lookup("a.csv", Shop, { key: [] })).toThrow("at least one column")
    expect(() => Files.lookup("a.csv", Shop, { key: ["shopid"], refresh: "0 seconds" })).toThrow("above 0")
    expect(() => Files.lookup("a.csv", Shop, { key: ["shopid"], name: "" })).toThrow("1 to 190 characters")
  })
})

describe("CSV", () => {
  it("reads back every table of cells, however they are quoted and its lines end", () => {
    const cell = FastCheck.string({ unit: FastCheck.constantFrom("a", '"', ",", "\n", "\r", " ", "\u00e4") })
    const table = FastCheck.array(FastCheck.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 5 })
    const lineEnd = FastCheck.constantFrom("\n", "\r\n", "\r")
    FastCheck.assert(
      FastCheck.property(table, lineEnd, FastCheck.boolean(), (records, end, isEnded) => {
        const text = records.map((cells) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(",")).join(end)
        const reader = new CsvReader(isEnded ? text + end : text, ",")
        const found = records.map(() => reader.next()?.cells)
        expect(found).toEqual(records)
        expect(reader.next()).toBe(null)
      })
    )
  })

  it("tells a cell without text from an empty text", () => {
    expect(new CsvReader('a,,""', ",").next()).toEqual({ line: 1, cells: ["a", null, ""] })
    expect(() => new CsvReader("", '"')).toThrow(RangeError)
  })
})
