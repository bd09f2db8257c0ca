import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as FileNames from "../../../src/connectors/files/FileNames.ts"
import * as PartitionPath from "../../../src/connectors/files/PartitionPath.ts"
import { columnsOf } from "../../../src/flow/RowColumns.ts"
import { Decimal, Instant, Int64 } from "../../../src/model/Columns.ts"

const Row = Schema.Struct({
  year: Schema.Int,
  name: Schema.NullOr(Schema.String),
  big: Int64,
  price: Decimal(10, 2),
  at: Instant,
  ok: Schema.Boolean,
  "a=b/c": Schema.String
})
const columns = columnsOf(Row, { door: "Files", name: "out" })
const by = (...names: ReadonlyArray<string>) =>
  PartitionPath.make(names.map((name) => columns.find(({ field }) => field === name)!))

describe("the folder of a row", () => {
  it.each([
    ["a number, unpadded", "year", 7, "year=7"],
    ["a number below zero", "year", -1, "year=-1"],
    ["the zero below zero", "year", -0, "year=0"],
    ["64 bits", "big", 9_007_199_254_740_993n, "big=9007199254740993"],
    ["a decimal", "price", -1250n, "price=-12.50"],
    ["an instant", "at", 1_511_345_047_000, "at=2017-11-22T10%3A04%3A07.000Z"],
    ["a truth", "ok", false, "ok=false"],
    ["text", "name", "Alice B.", "name=Alice B."],
    ["null", "name", null, "name=__HIVE_DEFAULT_PARTITION__"],
    ["nothing", "name", undefined, "name=__HIVE_DEFAULT_PARTITION__"],
    ["text without characters, as Hive does", "name", "", "name=__HIVE_DEFAULT_PARTITION__"],
    ["a way out", "name", "../x", "name=..%2Fx"],
    ["a way out of Windows", "name", "..\\x", "name=..%5Cx"],
    ["the folder itself", "name", ".", "name=."],
    ["an equals sign", "name", "a=b", "name=a%3Db"],
    ["a percent sign", "name", "50%2F", "name=50%252F"],
    ["signs of globs", "name", "[a]*?", "name=%5Ba%5D%2A%3F"],
    ["a NUL and a line end", "name", "a\u0000\n", "name=a%00%0A"],
    ["other letters", "name", "Ñandú 🦊", "name=Ñandú 🦊"],
    ["a column with signs of its own", "a=b/c", "x", "a%3Db%2Fc=x"]
  ])("is made of %s", (_, column, value, folder) => {
    expect(by(column)({ [column]: value })).toEqual({ folder })
  })

  it("has a name for each column, in their order", () => {
    expect(by("year", "name")({ name: "a", year: 2017 })).toEqual({ folder: "year=2017/name=a" })
    expect(by()({})).toEqual({ folder: "" })
  })

  it.each([
    ["300 characters", "x".repeat(300), /305 bytes.*at most 255.*"xxx.*…/],
    ["251 characters of two bytes", "é".repeat(130), /265 bytes/],
    ["signs that become longer", "/".repeat(90), /275 bytes/],
    ["half a surrogate pair", "a\ud83d", /no folder's name/],
    ["another type", 5, /no folder's name: 5/]
  ])("is refused for %s", (_, value, cause) => {
    const found = by("name")({ name: value })
    expect("refused" in found && found.refused).toMatch(cause)
  })

  it("is one name of at most 255 bytes, with no separator, for any value", () => {
    for (let code = 0; code < 0x300; code++) {
      const text = String.fromCharCode(code, code)
      const found = by("name")({ name: text })
      const value = "folder" in found ? found.folder.slice("name=".length) : ""
      expect([...value].filter((character) => character < " " || character === "/" || character === "\\")).toEqual([])
      expect(value.replaceAll(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))).toBe(text)
    }
  })
})

describe("the name of a file", () => {
  const name = { owner: FileNames.ownerOf("stocks-archive", "out/x"), lineage: 2, first: 3, last: 9, end: "parquet" }

  it("says whose rows are in it, and of which epochs", () => {
    expect(FileNames.format(name)).toMatch(/^stocks-archive-[0-9a-f]{8}-2-3-9\.parquet$/)
    expect(FileNames.parse(FileNames.format(name))).toEqual(name)
  })

  it("is another for each job and sink, whatever they are called", () => {
    const names = ["a", "b", "a-b", "../a", "", "ä", "x".repeat(300), `${"x".repeat(300)}y`, ".a", "a/b"]
    const owners = names.flatMap((job) => names.map((sink) => FileNames.ownerOf(job, sink)))
    expect(new Set(owners).size).toBe(owners.length)
    expect(owners.filter((owner) => !/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(owner) || owner.length > 80)).toEqual([])
    const folders = names.map(FileNames.folderNameOf)
    expect(new Set(folders).size).toBe(names.length)
    expect(folders.filter((folder) => !/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/.test(folder))).toEqual([])
  })

  it.each(["x.parquet", "a-1-2-3.parquet", "a-0123abcd-1-2.parquet", "part-00000-0123abcd.snappy.parquet"])(
    "is none of ours: %s",
    (other) => expect(FileNames.parse(other)).toBe(null)
  )

  it("is passed over by a reader, where another file has all its rows", () => {
    const files = [
      [1, 3],
      [4, 4],
      [5, 9],
      [1, 9],
      [10, 12]
    ].map(([first, last]) => FileNames.format({ ...name, first: first!, last: last! }))
    expect(FileNames.uncovered([...files, "other.parquet"])).toEqual([...files.slice(3), "other.parquet"])
  })
})
