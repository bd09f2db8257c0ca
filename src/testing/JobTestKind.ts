/**
 * What the cells of a column hold. Values of one kind that are equal have one text, whatever they were written as:
 * `1.50` and `1.5` in a column of two places, `12:00Z` and `13:00+01:00`.
 */
import * as JsonDigits from "../flow/JsonDigits.ts"
import { formatDecimal, parseDecimal, parseInstant, parseInt64 } from "../model/Columns.ts"
import { formatInstant } from "../model/Time.ts"

export interface Kind {
  /** For messages: `a whole number`. */
  readonly name: string
  /** The one text of what a cell says; `null`: it says nothing of this kind. */
  readonly ofText: (text: string) => string | null
  /** The text of a value that is none, as code has it; then `ofText` reads it. */
  readonly ofValue: (value: {}) => string
}

/** The kind of a column that was declared so. */
export const ofColumn = (type: string): Kind => {
  const decimal = /^decimal\(\d+,(\d+)\)/.exec(type)
  if (decimal !== null) return decimals(Number(decimal[1]))
  return kinds[type] ?? texts
}

/** The kind of what the records of a topic have in one field: parsed JSON, none of it `null`. */
export const ofFields = (values: ReadonlyArray<unknown>): Kind => {
  if (values.every((value) => value instanceof JsonDigits.Digits)) return numbers
  if (values.every((value) => typeof value === "boolean")) return booleans
  if (!values.every((value) => typeof value === "string")) return json
  return values.every((value) => instantOf(value) !== null) ? instants : texts
}

/** The text of parsed JSON, as `ofText` of its kind reads it. */
export const textOf = (value: {}): string => (typeof value === "string" ? value : ordered(value))

// Private

const plain = (value: {}): string => {
  if (value instanceof Uint8Array) return hexOf(value)
  return typeof value === "object" ? JSON.stringify(value, withDigits) : String(value)
}

const withDigits = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value)

/** `\x00ff`. */
export const hexOf = (bytes: Uint8Array): string =>
  `\\x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`

const wholes: Kind = {
  name: "a whole number",
  ofText: (text) => {
    const value = parseInt64(text)
    return value === null ? null : String(value)
  },
  ofValue: plain
}

const decimals = (scale: number): Kind => ({
  name: `a decimal of ${scale} places`,
  ofText: (text) => {
    const value = parseDecimal(text, scale)
    return value === null ? null : formatDecimal(value, scale)
  },
  // As code has it: a bigint of its smallest places.
  ofValue: (value) => (typeof value === "bigint" ? formatDecimal(value, scale) : plain(value))
})

/** Without milliseconds where there are none. */
const instantText = (at: number): string => formatInstant(at).replace(".000Z", "Z")

const instantOf = (text: string): string | null => {
  const at = parseInstant(text)
  return at === null ? null : instantText(at)
}

const instants: Kind = {
  name: "an instant, such as 2026-01-31T12:00:00Z",
  ofText: instantOf,
  ofValue: (value) => (typeof value === "number" ? instantText(value) : plain(value))
}

const doubles: Kind = {
  name: "a number",
  ofText: (text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? String(Number(text)) : null),
  ofValue: plain
}

const booleans: Kind = {
  name: "true or false",
  ofText: (text) => (text === "true" || text === "false" ? text : null),
  ofValue: plain
}

export const texts: Kind = { name: "text", ofText: (text) => text, ofValue: plain }

const bytes: Kind = {
  name: "bytes, such as \\x00ff",
  ofText: (text) => (/^\\x(?:[\da-f]{2})*$/i.test(text) ? text.toLowerCase() : null),
  ofValue: plain
}

const json: Kind = {
  name: "JSON",
  ofText: (text) => {
    try {
      return ordered(JsonDigits.parse(text))
    } catch {
      return JSON.stringify(text)
    }
  },
  ofValue: (value) => JSON.stringify(value, withDigits)
}

/** Of JSON: of any size, and equal by value. */
const numbers: Kind = { name: "a number", ofText: (text) => numberOf(text), ofValue: plain }

const kinds: Readonly<Record<string, Kind>> = {
  int64: wholes,
  int32: wholes,
  "instant int": instants,
  "boolean int": booleans,
  text: texts,
  double: doubles,
  blob: bytes,
  "json text": json
}

/** A number of JSON, with its digits and without what does not count: `12.50` and `1.25e1` are `12.5`. */
const numberOf = (text: string): string | null => {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (match === null) return null
  const [, sign, whole, fraction = "", exponent = "0"] = match
  const digits = (whole! + fraction).replace(/^0+/, "")
  if (digits === "") return "0"
  const point = digits.length - fraction.length + Number(exponent)
  const before = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0"
  const behind = (point > 0 ? digits.slice(point) : digits.padStart(digits.length - point, "0")).replace(/0+$/, "")
  return `${sign}${before}${behind === "" ? "" : `.${behind}`}`
}

/** JSON with the fields of its objects in the order of their names. */
const ordered = (value: unknown): string => {
  if (value instanceof JsonDigits.Digits) return numberOf(value.text) ?? value.text
  if (Array.isArray(value)) return `[${value.map(ordered).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${ordered(field)}`).join(",")}}`
}
