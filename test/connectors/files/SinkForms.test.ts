/** What stands in the files of each kind, read by other means than Weir's own. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { parquetMetadata, parquetReadObjects } from "hyparquet"
import { Files } from "../../../src/connectors/files/index.ts"
import type { Sink } from "../../../src/flow/Sink.ts"
import { Decimal, Instant, InstantFromSeconds, Int64 } from "../../../src/model/Columns.ts"
import * as SinkWorld from "./SinkWorld.ts"

const Row = Schema.Struct({
  id: Int64,
  price: Decimal(12, 3),
  wide: Schema.NullOr(Decimal(38, 10)),
  at: Instant,
  seconds: InstantFromSeconds,
  count: Schema.Int,
  share: Schema.NullOr(Schema.Number),
  ok: Schema.Boolean,
  text: Schema.NullOr(Schema.String),
  tags: Schema.Array(Schema.String),
  year: Schema.Int
})
type Row = typeof Row.Type

const row = (fields: Partial<Record<keyof Row, unknown>>): Row =>
  ({
    id: 1n,
    price: 12_345n,
    wide: null,
    at: 1_511_345_047_123,
    seconds: 1_511_345_047_000,
    count: 3,
    share: 0.1,
    ok: true,
    text: "a",
    tags: [],
    year: 2017,
    ...fields
  }) as Row

const hostile: ReadonlyArray<Row> = [
  row({}),
  row({ id: 2n ** 63n - 1n, price: -999_999_999_999n, wide: 10n ** 38n - 1n, count: -2_147_483_648 }),
  row({ id: -(2n ** 63n), price: 1n, wide: -(10n ** 38n - 1n), count: 2_147_483_647, text: null }),
  row({ id: 9_007_199_254_740_993n, wide: -1n, share: null, ok: false, text: "" }),
  row({ text: '"x",\r\n;\t', tags: ["a", '"b",'] }),
  row({ text: " 🦊 ", at: -62_135_596_800_000, seconds: 0 })
]

const folder = "/data/out"

/** The bytes of the files that a sink makes of one epoch of these rows, by folder. */
const filesOf = (sink: Sink<never, unknown, never, unknown>, rows: ReadonlyArray<unknown>) =>
  Effect.gen(function* () {
    const world = SinkWorld.make()
    yield* SinkWorld.live(world, sink as never, [rows])
    return yield* SinkWorld.read(world, folder)
  })

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

describe("a sink of Parquet", () => {
  it.effect("writes every type with all its digits", () =>
    Effect.gen(function* () {
      const [file, ...others] = yield* filesOf(Files.toParquet(folder, Row, { by: ["year"] }) as never, hostile)
      expect([others.length, file!.path.split("/")[0]]).toEqual([0, "year=2017"])
      const buffer = file!.bytes.buffer.slice(0) as ArrayBuffer
      const metadata = parquetMetadata(buffer)
      const types = metadata.schema.slice(1).map((element) => [element.name, element.type, element.converted_type])
      expect(types).toEqual([
        ["id", "INT64", undefined],
        ["price", "INT64", "DECIMAL"],
        ["wide", "FIXED_LEN_BYTE_ARRAY", "DECIMAL"],
        ["at", "INT64", "TIMESTAMP_MILLIS"],
        ["seconds", "INT64", "TIMESTAMP_MILLIS"],
        ["count", "INT32", undefined],
        ["share", "DOUBLE", undefined],
        ["ok", "BOOLEAN", undefined],
        ["text", "BYTE_ARRAY", "UTF8"],
        ["tags", "BYTE_ARRAY", "UTF8"]
      ])
      expect(metadata.schema.find(({ name }) => name === "price")).toMatchObject({ precision: 12, scale: 3 })
      expect(metadata.schema.find(({ name }) => name === "wide")).toMatchObject({ precision: 38, scale: 10 })
      expect(metadata.schema.find(({ name }) => name === "at")!.logical_type).toMatchObject({
        type: "TIMESTAMP",
        isAdjustedToUTC: true
      })
      // A reader that makes doubles of decimals must not: they are read as what they are stored as.
      const raw = {
        ...metadata,
        schema: metadata.schema.map(({ converted_type, logical_type, ...element }) =>
          converted_type === "UTF8" ? { ...element, converted_type } : element
        )
      }
      const read = yield* Effect.promise(() => parquetReadObjects({ file: buffer, metadata: raw }))
      const found = read.map((one) => ({ ...one, wide: one.wide === null ? null : signed(bytesOf(one.wide)) }))
      expect(found).toEqual(
        hostile.map(({ at, seconds, tags, year: _, ...rest }) => ({
          ...rest,
          at: BigInt(at),
          seconds: BigInt(seconds),
          tags: JSON.stringify(tags)
        }))
      )
      const usual = yield* Effect.promise(() => parquetReadObjects({ file: buffer }))
      expect(usual[0]).toMatchObject({ price: 12.345, at: new Date(1_511_345_047_123), text: "a" })
    })
  )

  it.effect("writes several row groups, and what is not compressed", () =>
    Effect.gen(function* () {
      const Small = Schema.Struct({ n: Schema.Int, text: Schema.String })
      const rows = Array.from({ length: 250_000 }, (_, n) => ({ n, text: `t${n % 10}` }))
      const sink = Files.toParquet(folder, Small, { compression: "none" })
      const [file] = yield* filesOf(sink as never, rows)
      const buffer = file!.bytes.buffer.slice(0) as ArrayBuffer
      const metadata = parquetMetadata(buffer)
      expect(metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([100_000, 100_000, 50_000])
      expect(metadata.row_groups[0]!.columns[0]!.meta_data!.codec).toBe("UNCOMPRESSED")
      const read = yield* Effect.promise(() => parquetReadObjects({ file: buffer, rowStart: 99_990, rowEnd: 100_010 }))
      expect(read).toEqual(rows.slice(99_990, 100_010))
    })
  )

  it.effect("sets aside what a column does not hold, with why, and writes the others", () =>
    Effect.gen(function* () {
      const world = SinkWorld.make()
      const prepared = yield* SinkWorld.prepare(world, Files.toParquet(folder, Row) as never, [
        row({}),
        row({ id: 2n ** 63n }),
        row({ price: 10n ** 12n }),
        row({ count: 1.5 }),
        row({ at: 0.5 }),
        row({ ok: null }),
        row({ text: "\ud83d" })
      ])
      expect(prepared.rows).toBe(1)
      expect(prepared.invalid.map(({ cause }) => cause)).toEqual([
        "column id of type int64 cannot hold 9223372036854775808",
        "column price of type decimal(12, 3) cannot hold 1000000000000",
        "column count of type integer cannot hold 1.5",
        "column at of type instant cannot hold 0.5",
        "column ok is null, and may not be",
        'column text of type text cannot hold "\\ud83d"'
      ])
      expect(prepared.invalid.map(({ event }) => event.offset)).toEqual([1, 2, 3, 4, 5, 6])
    })
  )
})

describe("a sink of lines", () => {
  it.effect("writes JSON as the Schema has it outside, without the columns of its folders", () =>
    Effect.gen(function* () {
      const [file] = yield* filesOf(Files.toJsonLines(folder, Row, { by: ["year"] }) as never, hostile.slice(0, 2))
      expect(textOf(file!.bytes).split("\n")).toEqual([
        '{"id":1,"price":12.345,"wide":null,"at":"2017-11-22T10:04:07.123Z","seconds":1511345047,"count":3,"share":0.1,"ok":true,"text":"a","tags":[]}',
        `{"id":9223372036854775807,"price":-999999999.999,"wide":${"9".repeat(28)}.${"9".repeat(10)},"at":"2017-11-22T10:04:07.123Z","seconds":1511345047,"count":-2147483648,"share":0.1,"ok":true,"text":"a","tags":[]}`,
        ""
      ])
    })
  )

  it.effect("writes CSV with one head for each file, quoted where it must be", () =>
    Effect.gen(function* () {
      const sink = Files.toCsv(folder, Row, { by: ["year"], separator: ";" })
      const [file] = yield* filesOf(sink as never, [hostile[0], hostile[3], hostile[4]])
      expect(textOf(file!.bytes)).toBe(
        [
          "id;price;wide;at;seconds;count;share;ok;text;tags",
          "1;12.345;;2017-11-22T10:04:07.123Z;1511345047;3;0.1;true;a;[]",
          '9007199254740993;12.345;-0.0000000001;2017-11-22T10:04:07.123Z;1511345047;3;;false;"";[]',
          '1;12.345;;2017-11-22T10:04:07.123Z;1511345047;3;0.1;true;"""x"",\r\n;\t";"[""a"",""\\""b\\"",""]"',
          ""
        ].join("\r\n")
      )
    })
  )
})

describe("what a sink is made of", () => {
  it.each([
    ["a column that is not there", () => Files.toParquet("x", Row, { by: ["z" as never] }), /no field 'z'/],
    ["a list as a folder", () => Files.toParquet("x", Row, { by: ["tags"] }), /tags is json, which is no folder/],
    ["a double as a folder", () => Files.toParquet("x", Row, { by: ["share"] }), /share is double/],
    ["a column twice", () => Files.toParquet("x", Row, { by: ["year", "year"] }), /named twice/],
    [
      "nothing but folders",
      () => Files.toParquet("x", Schema.Struct({ a: Schema.Int }), { by: ["a"] }),
      /nothing is left for the files/
    ],
    ["too many digits", () => Files.toParquet("x", Schema.Struct({ a: Decimal(39, 0) })), /more than 38 digits/],
    ["rolls of nothing", () => Files.toParquet("x", Row, { roll: { rows: 0 } }), /above 0/],
    ["no struct", () => Files.toParquet("x", Schema.String as never), /no struct/],
    ["a separator of two characters", () => Files.toCsv("x", Row, { separator: "::" }), /one character/]
  ])("is refused: %s", (_, make, message) => expect(make).toThrow(message))

  it("is told with how long rows may be unseen", () => {
    expect(Files.toParquet("out/x", Row, { by: ["year"], roll: { every: "1 hour" } }).label).toBe(
      "Parquet in out/x by year, shown after 1h at most"
    )
    expect(Files.toParquet("out/x", Row, { replace: true }).label).toBe("Parquet in out/x, replaced whole by each run")
  })
})

const bytesOf = (value: unknown): Uint8Array =>
  typeof value === "string" ? Uint8Array.from(value, (character) => character.charCodeAt(0)) : (value as Uint8Array)

/** Two's complement, the highest byte first. */
const signed = (bytes: Uint8Array): bigint => {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(bytes.length * 8, value)
}
