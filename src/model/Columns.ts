/**
 * Column types that tables know and JavaScript does not: `Int64`, `Decimal`, `Instant`.
 *
 * Their encoded side is text, so that digits stay digits: neither decoding nor a driver hands them through a double.
 * Each Schema carries its column type as an annotation; `columnType` reads it back.
 */
import { type Brand, Option, ParseResult, Schema, type SchemaAST } from "effect"
import { isEventTime } from "./Time.ts"

/** A whole number of 64 bits: `bigint` in a table. */
export type Int64 = bigint & Brand.Brand<"Int64">

/** An exact decimal, as a bigint of 10^-Scale. The scale is in the type; the precision is checked by the Schema only, so a sum keeps its type. */
export type Decimal<Scale extends number> = bigint & Brand.Brand<"Decimal"> & { readonly scale: Scale }

/**
 * Milliseconds since 1970, not `Date`: a number is compared, added and put into windows without an allocation, is
 * equal by value (so it may be a key), and cannot be changed by who receives it. Tables show an instant.
 */
export type Instant = number & Brand.Brand<"Instant">

/** What can be added up. */
export type Numeric = number | Int64 | Decimal<number>
/** What has an order. */
export type Ordered = number | bigint | string
/** What can be a key: equal by value, with one spelling in bytes. */
export type KeyValue = string | number | bigint | boolean | null

/** What a column of a table, or a field of a record, holds. */
export type ColumnType =
  | { readonly kind: "int64" }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "instant"; readonly unit: "iso" | "seconds" | "millis" }

const ColumnTypeId: unique symbol = Symbol.for("weir/ColumnType")

/** The column type of a Schema's syntax tree, if it is one of ours. */
export const columnType = (ast: SchemaAST.AST): Option.Option<ColumnType> =>
  Option.fromNullable(ast.annotations[ColumnTypeId] as ColumnType | undefined)

const DecodedTypeId: unique symbol = Symbol.for("weir/DecodedType")

/** The column type that values of a decoded side have, if it is the decoded side of one of ours. */
export const decodedType = (ast: SchemaAST.AST): Option.Option<ColumnType> =>
  Option.fromNullable(ast.annotations[DecodedTypeId] as ColumnType | undefined)

export const int64Min = -(2n ** 63n)
export const int64Max = 2n ** 63n - 1n

/** A whole number of 64 bits, from text of digits. */
export const Int64: Schema.Schema<Int64, string> = Schema.transformOrFail(
  Schema.String,
  decodedBigInts({ kind: "int64" }, 15),
  {
    strict: true,
    decode: (text, _, ast) => {
      const value = parseInt64(text)
      return value === null
        ? refuse(ast, text, `'${text}' is not a whole number of 64 bits`)
        : ParseResult.succeed(value)
    },
    encode: (value) => ParseResult.succeed(String(value))
  }
).annotations({ identifier: "Int64", [ColumnTypeId]: { kind: "int64" } satisfies ColumnType }) as never

/**
 * An exact decimal of `precision` digits, `scale` of them behind the point, from text such as `-12.5` or `1.2e3`.
 * Text with more digits behind the point than `scale` is refused, never rounded.
 */
export const Decimal = <const Scale extends number>(
  precision: number,
  scale: Scale
): Schema.Schema<Decimal<Scale>, string> =>
  Schema.transformOrFail(Schema.String, decodedBigInts({ kind: "decimal", precision, scale }, precision), {
    strict: true,
    decode: (text, _, ast) => {
      const value = parseDecimal(text, scale)
      return value === null || !fits(value, precision)
        ? refuse(ast, text, `'${text}' is not a decimal of ${precision} digits, ${scale} behind the point`)
        : ParseResult.succeed(value)
    },
    encode: (value) => ParseResult.succeed(formatDecimal(value, scale))
  }).annotations({
    identifier: `Decimal(${precision}, ${scale})`,
    [ColumnTypeId]: { kind: "decimal", precision, scale } satisfies ColumnType
  }) as never

/** An instant, from ISO 8601 text with an offset or `Z`. */
export const Instant: Schema.Schema<Instant, string> = Schema.transformOrFail(Schema.String, decodedInstants("iso"), {
  strict: true,
  decode: (text, _, ast) => {
    const at = parseInstant(text)
    return at === null ? refuse(ast, text, `'${text}' is not an ISO 8601 instant`) : ParseResult.succeed(at)
  },
  encode: (at) => ParseResult.succeed(new Date(at).toISOString())
}).annotations({
  identifier: "Instant",
  [ColumnTypeId]: { kind: "instant", unit: "iso" } satisfies ColumnType
}) as never

/** An instant, from a number of seconds since 1970. */
export const InstantFromSeconds: Schema.Schema<Instant, number> = instantFrom("seconds", 1000)
/** An instant, from a number of milliseconds since 1970. */
export const InstantFromMillis: Schema.Schema<Instant, number> = instantFrom("millis", 1)

/** The scaled bigint of a decimal's text; `null` if it is no decimal or has more digits than `scale` behind the point. */
export const parseDecimal = (text: string, scale: number): bigint | null => {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (match === null) return null
  const [, sign, whole, fraction = "", exponent = "0"] = match
  const digits = whole! + fraction
  const shift = scale - fraction.length + Number(exponent)
  if (shift > 400 || digits.length > 400) return null
  if (shift >= 0) return BigInt(sign + digits) * 10n ** BigInt(shift)
  const dropped = digits.slice(shift)
  if (/[^0]/.test(dropped)) return null
  return BigInt(`${sign}${digits.slice(0, shift) || "0"}`)
}

/** The text of a scaled bigint: `-0.05` for `-5n` of scale 2. */
export const formatDecimal = (value: bigint, scale: number): string => {
  if (scale === 0) return String(value)
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0")
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** The bigint of a whole number's text, `1.0` and `1e3` among them; `null` if it is none or needs more than 64 bits. */
export const parseInt64 = (text: string): bigint | null => {
  const value = parseDecimal(text, 0)
  return value === null || value < int64Min || value > int64Max ? null : value
}

/**
 * Milliseconds of ISO 8601 text with an offset or `Z`; `null` if it is none or out of the range of tables. Digits
 * behind the millisecond are dropped. Not `Date.parse`: engines differ in what else it takes.
 */
export const parseInstant = (text: string): number | null => {
  const match = instantText.exec(text)
  if (match === null) return null
  const [, year, month, day, hour, minute, second = "0", fraction = "", zone] = match
  const days = daysInMonth(Number(year), Number(month))
  if (Number(day) < 1 || Number(day) > days || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    return null
  const offset = offsetMinutes(zone!)
  if (offset === null) return null
  const date = new Date(0)
  // Not Date.UTC, which takes the years below 100 for those of the last century.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const minutes = Number(hour) * 60 + Number(minute) - offset
  const at = date.getTime() + minutes * 60_000 + Number(second) * 1000 + Number(fraction.slice(0, 3).padEnd(3, "0"))
  return isEventTime(at) ? at : null
}

const instantText = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:?\d\d)$/

/** Minutes east of Greenwich of `Z`, `+01:00` or `-0130`; `null` if no clock shows it. */
const offsetMinutes = (zone: string): number | null => {
  if (zone === "Z") return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  if (hours > 23 || minutes > 59) return null
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes)
}

/** 0 for a month that there is not. */
const daysInMonth = (year: number, month: number): number => {
  if (month < 1 || month > 12) return 0
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
}

/** Has it at most `precision` digits? */
export const fits = (value: bigint, precision: number): boolean => {
  const bound = 10n ** BigInt(precision)
  return value < bound && value > -bound
}

function instantFrom(unit: "seconds" | "millis", millis: number): Schema.Schema<Instant, number> {
  return Schema.transformOrFail(Schema.Number, decodedInstants(unit), {
    strict: true,
    decode: (count, _, ast) => {
      // -0 becomes 0: they are equal, but not as bytes of a key.
      const at = Math.round(count * millis) + 0
      return isEventTime(at)
        ? ParseResult.succeed(at)
        : refuse(ast, count, `${count} ${unit} is no date of the years 1 to 9999`)
    },
    encode: (at) => ParseResult.succeed(at / millis)
  }).annotations({
    identifier: `InstantFrom${unit === "seconds" ? "Seconds" : "Millis"}`,
    [ColumnTypeId]: { kind: "instant", unit } satisfies ColumnType
  }) as never
}

/** Of so many digits, where arbitrary values are wanted. */
function decodedBigInts(type: ColumnType, digits: number) {
  const bound = 10n ** BigInt(Math.min(digits, 15)) - 1n
  return Schema.BigIntFromSelf.annotations({
    [DecodedTypeId]: type,
    arbitrary: () => (fc) => fc.bigInt({ min: -bound, max: bound })
  })
}

/** Of the years 2000 to 2100, where arbitrary values are wanted: numbers of other kinds are no instants. */
function decodedInstants(unit: "iso" | "seconds" | "millis") {
  const type: ColumnType = { kind: "instant", unit }
  const [min, max] = [946_684_800_000, 4_102_444_800_000]
  return Schema.Number.annotations({ [DecodedTypeId]: type, arbitrary: () => (fc) => fc.integer({ min, max }) })
}

function refuse(ast: SchemaAST.AST, actual: unknown, message: string) {
  return ParseResult.fail(new ParseResult.Type(ast, actual, message))
}
