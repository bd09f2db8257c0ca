/**
 * A schema inferred from a sample of JSON records: what every one of them decodes with.
 *
 * Numbers are judged by their digits: whole ones are `int` within ±2^53, `int64` within 64 bits; others are `number`
 * as long as a double holds their digits, else `decimal`. Text is an `instant` where all of it is. Values of different
 * kinds in one place are `unknown`. What is not in every record is optional, what is `null` in one is nullable.
 */
import { parseDecimal, parseInstant, parseInt64 } from "../model/Columns.ts"
import * as Limits from "../model/Limits.ts"
import { Digits, parse } from "./JsonDigits.ts"

/** What stands in one place of the records. */
export type InferredType =
  | { readonly kind: "boolean" | "int" | "int64" | "number" | "text" | "instant" | "unknown" }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "array"; readonly element: Place }
  | { readonly kind: "struct"; readonly fields: ReadonlyArray<Field> }

export interface Place {
  readonly type: InferredType
  readonly nullable: boolean
}

export interface Field extends Place {
  readonly name: string
  readonly optional: boolean
}

export interface Inferred {
  readonly root: Place
  /** Records that were looked at. */
  readonly sampled: number
  /** How many of them are no JSON, or nested deeper than `Limits.decodeDepthMax`: no schema reads these. */
  readonly unusable: number
}

/** The schema of records, each given as its text. */
export const infer = (records: Iterable<string>): Inferred => {
  const root = emptySeen()
  let sampled = 0
  let unusable = 0
  for (const record of records) {
    sampled++
    try {
      const value = parse(record)
      if (depthOf(value) > Limits.decodeDepthMax) throw new RangeError("too deep")
      see(root, value)
    } catch {
      unusable++
    }
  }
  return { root: placeOf(root), sampled, unusable }
}

/** The smallest decimal that holds all of these texts; `number` where none of `precisionMax` digits does. */
export const decimalOf = (texts: Iterable<string>): InferredType => {
  const seen = emptyNumbers()
  for (const text of texts) seeNumber(seen, text)
  return decimal(seen)
}

// Reading

const depthOf = (value: unknown): number => {
  if (value === null || typeof value !== "object" || value instanceof Digits) return 0
  let deepest = 0
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner))
  return deepest + 1
}

// Seeing

interface SeenNumbers {
  count: number
  whole: boolean
  safe: boolean
  in64: boolean
  /** Does a double hold all of its digits? */
  double: boolean
  before: number
  scale: number
  /** Is each a number that a double can come near to? */
  finite: boolean
}

interface Seen {
  nulls: number
  booleans: number
  readonly numbers: SeenNumbers
  texts: number
  instants: boolean
  structs: number
  arrays: number
  readonly fields: Map<string, { readonly seen: Seen; count: number }>
  element: Seen | null
}

const emptyNumbers = (): SeenNumbers => ({
  count: 0,
  whole: true,
  safe: true,
  in64: true,
  double: true,
  before: 1,
  scale: 0,
  finite: true
})

const emptySeen = (): Seen => ({
  nulls: 0,
  booleans: 0,
  numbers: emptyNumbers(),
  texts: 0,
  instants: true,
  structs: 0,
  arrays: 0,
  fields: new Map(),
  element: null
})

const see = (seen: Seen, value: unknown): void => {
  if (value === null) seen.nulls++
  else if (typeof value === "boolean") seen.booleans++
  else if (value instanceof Digits) seeNumber(seen.numbers, value.text)
  else if (typeof value === "string") {
    seen.texts++
    seen.instants &&= parseInstant(value) !== null
  } else if (Array.isArray(value)) {
    seen.arrays++
    seen.element ??= emptySeen()
    for (const element of value) see(seen.element, element)
  } else seeStruct(seen, value as Readonly<Record<string, unknown>>)
}

const seeStruct = (seen: Seen, value: Readonly<Record<string, unknown>>): void => {
  seen.structs++
  for (const [name, inner] of Object.entries(value)) {
    let field = seen.fields.get(name)
    if (field === undefined) {
      field = { seen: emptySeen(), count: 0 }
      seen.fields.set(name, field)
    }
    field.count++
    see(field.seen, inner)
  }
}

/** Digits that a double holds whatever they are. */
const doubleDigits = 15

const seeNumber = (seen: SeenNumbers, text: string): void => {
  const [, whole, fraction = "", exponent = "0"] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)!
  const digits = `${whole}${fraction}`.replace(/^0+/, "").replace(/0+$/, "")
  const shift = Number(exponent)
  seen.count++
  seen.finite &&= Number.isFinite(Number(text))
  seen.whole &&= parseDecimal(text, 0) !== null
  seen.safe &&= Number.isSafeInteger(Number(text))
  seen.in64 &&= parseInt64(text) !== null
  seen.double &&= digits.length <= doubleDigits
  const zerosBehind = /0*$/.exec(fraction)![0].length
  seen.scale = Math.max(seen.scale, digits === "" ? 0 : fraction.length - zerosBehind - shift)
  seen.before = Math.max(seen.before, digits === "" ? 1 : whole!.replace(/^0+/, "").length + shift)
}

// Concluding

const placeOf = (seen: Seen): Place => ({ type: typeOf(seen), nullable: seen.nulls > 0 })

const typeOf = (seen: Seen): InferredType => {
  const kinds = [seen.booleans, seen.numbers.count, seen.texts, seen.structs, seen.arrays].filter((count) => count > 0)
  if (kinds.length !== 1) return { kind: "unknown" }
  if (seen.booleans > 0) return { kind: "boolean" }
  if (seen.numbers.count > 0) return numberType(seen.numbers)
  if (seen.texts > 0) return { kind: seen.instants ? "instant" : "text" }
  if (seen.arrays > 0) return { kind: "array", element: placeOf(seen.element ?? emptySeen()) }
  return {
    kind: "struct",
    fields: [...seen.fields].map(([name, { seen: inner, count }]) => ({
      name,
      optional: count < seen.structs,
      ...placeOf(inner)
    }))
  }
}

const numberType = (seen: SeenNumbers): InferredType => {
  if (!seen.finite) return { kind: "unknown" }
  if (seen.whole && seen.safe) return { kind: "int" }
  if (seen.whole && seen.in64) return { kind: "int64" }
  return seen.double ? { kind: "number" } : decimal(seen)
}

/** Digits of a decimal: the smaller of these that suffices, so that later records have room. */
const precisions = [18, 38] as const

const decimal = ({ before, scale }: SeenNumbers): InferredType => {
  const precision = precisions.find((digits) => digits >= before + scale)
  return precision === undefined ? { kind: "number" } : { kind: "decimal", precision, scale }
}
