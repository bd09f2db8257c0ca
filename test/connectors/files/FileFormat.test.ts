import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import * as FileFormat from "../../../src/connectors/files/FileFormat.ts"
import { fieldsOf } from "../../../src/flow/RowFields.ts"
import * as Limits from "../../../src/model/Limits.ts"

const Row = Schema.Struct({
  name: Schema.String,
  size: Schema.Number,
  open: Schema.NullOr(Schema.Boolean),
  note: Schema.optional(Schema.String),
  tags: Schema.NullOr(Schema.Array(Schema.Number))
})
const fields = fieldsOf(Row)
const csv = FileFormat.csv(fields, { header: false, separator: "," })
const headed = FileFormat.csv(fields, { header: true, separator: ";" })
const lines = FileFormat.lines({ blank: true })
const key = new TextEncoder().encode("a/b.csv")

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** The bytes of each row, as latin1 so that broken UTF-8 is told apart; at most `most` at a time. */
const rowsOf = (format: FileFormat.Format, pieces: ReadonlyArray<Uint8Array>, most = 3): ReadonlyArray<string> => {
  const rows = format(key)
  const found: Array<string> = []
  const drain = () => {
    for (let taken = rows.take(most); taken !== null; taken = rows.take(most)) {
      expect(taken.starts.length).toBeLessThanOrEqual(most)
      expect(Buffer.from(taken.bytes.subarray(0, key.length)).toString()).toBe("a/b.csv")
      for (const [i, start] of taken.starts.entries())
        found.push(Buffer.from(taken.bytes.subarray(start, taken.ends[i])).toString("latin1"))
    }
  }
  for (const piece of [...pieces, null]) {
    rows.push(piece)
    drain()
  }
  return found
}
const texts = (format: FileFormat.Format, text: string) =>
  rowsOf(format, [bytesOf(text)]).map((row) => Buffer.from(row, "latin1").toString())
const values = (format: FileFormat.Format, text: string) => texts(format, text).map((row) => JSON.parse(row))

const counted = (format: FileFormat.Format, pieces: ReadonlyArray<Uint8Array>): number => {
  const rows = format(key)
  let count = 0
  for (const piece of [...pieces, null]) {
    rows.push(piece)
    count += rows.skip(Number.POSITIVE_INFINITY)
  }
  return count
}

const piecesOf = (bytes: Uint8Array, sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  let at = 0
  for (const size of sizes) {
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return [...pieces, bytes.subarray(at)]
}
const sizes = FastCheck.array(FastCheck.integer({ min: 0, max: 4 }), { maxLength: 60 })

describe("lines of a file", () => {
  it("end with LF or CRLF, and the last one need not end", () => {
    expect(texts(lines, "a\nb\r\n\nc\rd")).toEqual(["a", "b", "", "c\rd"])
    expect(texts(lines, "a\n")).toEqual(["a"])
    expect(texts(lines, "")).toEqual([])
    expect(texts(FileFormat.lines({ blank: false }), "\n a\n \t\r\nb\0\n\n")).toEqual([" a", "b\0"])
  })

  it("that are too long are cut, wherever their pieces end", () => {
    const long = new Uint8Array(Limits.fileRecordBytesMax + 3).fill(97)
    const file = new Uint8Array([...bytesOf("x\n"), ...long, ...bytesOf("\r\ny")])
    const expected = ["x", "a".repeat(Limits.fileRecordBytesMax), "y"]
    for (const size of [file.length, Limits.fileRecordBytesMax + 1, 6_000_000]) {
      const pieces = piecesOf(file, new Array(Math.floor(file.length / size)).fill(size))
      const found = rowsOf(lines, pieces)
      expect(found.map((row) => row.length)).toEqual(expected.map((row) => row.length))
      expect(found[2]).toBe("y")
      expect(counted(lines, pieces)).toBe(3)
    }
  })
})

describe("rows of CSV", () => {
  it("are JSON by the fields", () => {
    const text = 'a,1,TRUE,x,"[1,2]"\r\n"b ""\n,\t", .5 ,,,\n\n"",-0.10,false,"",null\n'
    expect(values(csv, text)).toEqual([
      { name: "a", size: 1, open: true, note: "x", tags: [1, 2] },
      { name: 'b "\n,\t', size: 0.5, open: null, tags: null },
      { name: "", size: -0.1, open: false, note: "", tags: null }
    ])
  })

  it("keep digits, and what is no value of its kind as text", () => {
    expect(texts(csv, "a,123456789012345678901234567890.10,maybe,,[1")).toEqual([
      '{"name":"a","size":123456789012345678901234567890.10,"open":"maybe","tags":"[1"}'
    ])
    expect(values(csv, 'a,"","",,""')).toEqual([{ name: "a", size: "", open: "", tags: "" }])
    for (const odd of ["01", "+1", "1.", "1e3", ".5", "-.5"])
      expect(values(csv, `a,${odd},,,`)[0].size, odd).toBe(Number(odd))
    for (const none of ["-", ".", "1-2", "0x10", "1_000", "NaN", "Infinity", "--1"])
      expect(values(csv, `a,${none},,,`)[0].size, none).toBe(none)
  })

  it("have the columns of the header, in any order, with others beside them", () => {
    const text = ' size ;else;name;"open"\n1;2;a;\n'
    expect(values(headed, text)).toEqual([{ name: "a", size: 1, open: null }])
    expect(values(headed, "size;name;size\n1;a;2")).toEqual([["1", "a", "2"]])
    expect(values(headed, "size;name;open\n")).toEqual([])
    expect(values(headed, "")).toEqual([])
    expect(values(headed, '"size;name\n1;a')).toEqual([["1", "a"]])
  })

  it("that are none are arrays of their cells, or texts, and the rows behind them are whole", () => {
    const good = "z,1,,,"
    const last = { name: "z", size: 1, open: null, tags: null }
    expect(values(csv, `a,1\n${good}`)).toEqual([["a", "1"], last])
    expect(values(csv, `"a""",1,2,3,4,\n${good}`)).toEqual([['a"', "1", "2", "3", "4", ""], last])
    expect(values(csv, `"a"b,"c\nd"\n${good}`)).toEqual(['"a"b,"c\nd"', last])
    expect(values(csv, `"a,1\nb,2,,,\n${good}`)).toEqual(['"a,1', { ...last, name: "b", size: 2 }, last])
    expect(values(csv, 'a"b,1,,,\0\x01')).toEqual([{ name: 'a"b', size: 1, open: null, tags: "\0\x01" }])
  })

  it("with a quote that is never closed swallow no more than their line", () => {
    const rows = `${"b".repeat(9_990)},2,,,\n`.repeat(2_000)
    const file = bytesOf(`"a,1\n${rows}`)
    expect(file.length).toBeGreaterThan(Limits.fileRecordBytesMax)
    const pieces = piecesOf(file, new Array(3).fill(5_000_000))
    expect(counted(csv, pieces)).toBe(2_001)
    expect(rowsOf(csv, pieces, 1_000_000)[0]).toBe('"\\"a,1"')
  })

  it("that are too long are cut and refused", () => {
    const long = "a".repeat(Limits.fileRecordBytesMax)
    for (const row of [`${long},1,,,`, `"${long}",1,,,`, `"${long}`]) {
      const pieces = piecesOf(bytesOf(`${row}\nb,2,,,\n`), [Limits.fileRecordBytesMax - 5, 4, 2])
      const found = rowsOf(csv, pieces)
      expect(found.map(({ length }) => length)).toEqual([Limits.fileRecordBytesMax, 45])
      expect(counted(csv, pieces)).toBe(2)
    }
  })

  it("leave bytes that are no UTF-8 as they are", () => {
    const bytes = Uint8Array.from([0xff, 44, 0xfe, 44, 0xfd, 44, 0xc3, 44, 0x5b, 0x22, 0xe2, 0x22, 0x5d])
    expect(rowsOf(csv, [bytes])).toEqual([
      '{"name":"\xff","size":"\xfe","open":"\xfd","note":"\xc3","tags":"[\\"\xe2\\"]"}'
    ])
  })

  it("are what was written, for every table of texts", () => {
    const Texts = Schema.Struct({ a: Schema.String, b: Schema.NullOr(Schema.String), c: Schema.NullOr(Schema.Number) })
    const format = FileFormat.csv(fieldsOf(Texts), { header: true, separator: "," })
    const table = FastCheck.array(
      FastCheck.record({
        a: FastCheck.string({ unit: "binary", minLength: 1 }),
        b: FastCheck.option(FastCheck.string({ unit: FastCheck.constantFrom(...'",\n\rx\\\0é') })),
        c: FastCheck.option(FastCheck.double({ noNaN: true, noDefaultInfinity: true }))
      })
    )
    const written = (text: string) => `"${text.replaceAll('"', '""')}"`
    FastCheck.assert(
      FastCheck.property(table, sizes, (rows, sizes) => {
        const body = rows.map(({ a, b, c }) => `${c ?? ""},${written(a)},${b === null ? "" : written(b)}`)
        const found = rowsOf(format, piecesOf(bytesOf(["c,a,b", ...body].join("\r\n")), sizes))
        const expected = rows.map((row) => ({ ...row, a: Buffer.from(row.a).toString(), c: row.c === 0 ? 0 : row.c }))
        expect(found.map((row) => JSON.parse(Buffer.from(row, "latin1").toString()))).toEqual(expected)
      })
    )
  })
})

describe("whatever the bytes are", () => {
  const hostile = FastCheck.array(FastCheck.constantFrom(...[...'",\r\na1\\\0-.'].map((c) => c.charCodeAt(0)), 0xff), {
    maxLength: 80
  }).map((bytes) => Uint8Array.from(bytes))

  it.each([
    ["lines", lines],
    ["lines that are not blank", FileFormat.lines({ blank: false })],
    ["CSV", csv],
    ["CSV with a header", FileFormat.csv(fields, { header: true, separator: "," })]
  ])("%s are the same rows in whatever pieces, and as many as are counted", (_, format) => {
    FastCheck.assert(
      FastCheck.property(hostile, sizes, FastCheck.integer({ min: 1, max: 5 }), (bytes, sizes, most) => {
        const whole = rowsOf(format, [bytes], 1_000)
        const pieces = piecesOf(bytes, sizes)
        expect(rowsOf(format, pieces, most)).toEqual(whole)
        expect(counted(format, pieces)).toBe(whole.length)
      }),
      { numRuns: 2_000 }
    )
  })
})
