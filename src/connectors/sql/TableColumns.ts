/**
 * The columns of a table, from the Schema of its rows: name, type, nullability, and how a value is checked and made
 * ready for the database. Compiled once for a sink; per value there is one call of a plain function.
 */
import { ParseResult, Schema, SchemaAST } from "effect"
import type { Column, SqlType, SqlValue } from "../../flow/Tables.ts"
import { columnType, formatDecimal } from "../../model/Columns.ts"
import * as Limits from "../../model/Limits.ts"
import { isEventTime } from "../../model/Time.ts"

/** A column with the field of the row that fills it. */
export interface FieldColumn extends Column {
  readonly field: string
  /** The value as a statement takes it; `undefined` if the column cannot hold it. Nulls are the caller's affair. */
  readonly encode: (value: unknown) => SqlValue | undefined
}

/** `windowStart` → `window_start`, `topHTTPCode` → `top_http_code`. */
export const snakeCase = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()

/** The columns of a Schema of rows, in its order; throws `TypeError` for what no table can hold. */
export const make = (
  table: string,
  schema: Schema.Schema.AnyNoContext,
  key: ReadonlyArray<string>
): ReadonlyArray<FieldColumn> => {
  const columns = fieldsOf(schema.ast, table).map(({ name, optional, type }): FieldColumn => {
    const found = typeOf(type, `${table}.${name}`)
    const isKey = key.includes(name)
    if (isKey && (found.type.kind === "json" || found.type.kind === "bytes")) {
      throw new TypeError(`Sql: ${table}.${name} is ${found.type.kind}, which cannot be a key`)
    }
    const nullable = optional || found.nullable
    if (isKey && nullable) throw new TypeError(`Sql: ${table}.${name} may be null, so it cannot be a key`)
    const encode = isKey && found.type.kind === "text" ? keyText : encoderOf(found.type, type)
    return { field: name, name: snakeCase(name), type: found.type, nullable, encode }
  })
  const names = new Set(columns.map((column) => column.name))
  if (names.size < columns.length) throw new TypeError(`Sql: two fields of ${table} would have the same column`)
  if (columns.length === 0) throw new TypeError(`Sql: the rows of ${table} have no fields`)
  const missing = key.find((name) => !columns.some((column) => column.field === name))
  if (missing !== undefined) throw new TypeError(`Sql: ${table} has no field '${missing}' to be its key`)
  return columns
}

/** The column as a database bounds it: what is beyond that it cannot hold. */
export const within = (column: FieldColumn, type: SqlType): FieldColumn => {
  const isWithin = boundOf(type)
  if (isWithin === null) return column
  const encode: FieldColumn["encode"] = (value) => {
    const encoded = column.encode(value)
    return encoded !== undefined && isWithin(encoded) ? encoded : undefined
  }
  return { ...column, type, encode }
}

const boundOf = (type: SqlType): ((value: SqlValue) => boolean) | null => {
  if (type.kind === "double" && type.finite === true) return Number.isFinite
  if (type.kind !== "text" || type.charactersMax === undefined) return null
  const { charactersMax } = type
  return (value) =>
    typeof value === "string" && (value.length <= charactersMax || Array.from(value).length <= charactersMax)
}

// Fields

interface Field {
  readonly name: string
  readonly optional: boolean
  readonly type: SchemaAST.AST
}

const fieldsOf = (ast: SchemaAST.AST, table: string): ReadonlyArray<Field> => {
  switch (ast._tag) {
    case "TypeLiteral":
      return ast.propertySignatures.map((property) => ({
        name: String(property.name),
        optional: property.isOptional,
        type: property.type
      }))
    case "Refinement":
      return fieldsOf(ast.from, table)
    case "Suspend":
      return fieldsOf(ast.f(), table)
    case "Transformation":
      return transformedFields(ast, table)
    default:
      throw new TypeError(`Sql: the rows of ${table} are no struct, so they have no columns`)
  }
}

/** Optional fields and classes: names and presence are those after decoding, types those that say their column. */
const transformedFields = (ast: SchemaAST.Transformation, table: string): ReadonlyArray<Field> => {
  if (ast.to._tag === "Declaration") return fieldsOf(ast.from, table)
  const fields = fieldsOf(ast.to, table)
  if (ast.transformation._tag !== "TypeLiteralTransformation") return fields
  const before = fieldsOf(ast.from, table)
  const renamed = new Map(
    ast.transformation.propertySignatureTransformations.map((property) => [String(property.to), String(property.from)])
  )
  return fields.map((field) => {
    const said = before.find((other) => other.name === (renamed.get(field.name) ?? field.name))?.type
    if (said === undefined) return field
    const nullable = field.optional || isNullable(field.type)
    return { ...field, type: said._tag === "Union" && !nullable ? withoutNull(said) : said }
  })
}

const isNothing = (ast: SchemaAST.AST): boolean =>
  ast._tag === "UndefinedKeyword" || (ast._tag === "Literal" && ast.literal === null)
const isNullable = (ast: SchemaAST.AST): boolean => ast._tag === "Union" && ast.types.some(isNothing)
const withoutNull = (ast: SchemaAST.Union): SchemaAST.AST =>
  SchemaAST.Union.make(ast.types.filter((member) => !isNothing(member)))

// Types

interface Found {
  readonly type: SqlType
  readonly nullable: boolean
}

const only = (type: SqlType): Found => ({ type, nullable: false })

const typeOf = (ast: SchemaAST.AST, place: string): Found => {
  const ours = columnType(ast)
  if (ours._tag === "Some") return only(ours.value)
  switch (ast._tag) {
    case "StringKeyword":
    case "TemplateLiteral":
      return only({ kind: "text" })
    case "Enums":
      return only(ast.enums.every(([, value]) => typeof value === "string") ? { kind: "text" } : { kind: "double" })
    case "NumberKeyword":
      return only({ kind: "double" })
    case "BooleanKeyword":
      return only({ kind: "boolean" })
    case "BigIntKeyword":
      return only({ kind: "int64" })
    case "Literal":
      return only(literalType(ast.literal, place))
    case "Refinement":
      return isInteger(ast) ? only({ kind: "integer" }) : typeOf(ast.from, place)
    case "Transformation":
      return typeOf(ast.to, place)
    case "Suspend":
      return typeOf(ast.f(), place)
    case "Union":
      return unionType(ast, place)
    case "TypeLiteral":
    case "TupleType":
      return only({ kind: "json" })
    case "Declaration":
      if (
        SchemaAST.getIdentifierAnnotation(ast).pipe(
          (name) => name._tag === "Some" && name.value === "Uint8ArrayFromSelf"
        )
      ) {
        return only({ kind: "bytes" })
      }
      break
  }
  throw new TypeError(
    `Sql: ${place} is ${String(ast)}, which has no column type: use text, numbers, Int64, Decimal, Instant, bytes or structs`
  )
}

const literalType = (literal: SchemaAST.LiteralValue, place: string): SqlType => {
  if (typeof literal === "string") return { kind: "text" }
  if (typeof literal === "boolean") return { kind: "boolean" }
  if (typeof literal === "bigint") return { kind: "int64" }
  if (typeof literal === "number") return (literal | 0) === literal ? { kind: "integer" } : { kind: "double" }
  throw new TypeError(`Sql: ${place} is always null`)
}

const isInteger = (ast: SchemaAST.Refinement): boolean =>
  ast.annotations[SchemaAST.SchemaIdAnnotationId] === Schema.IntSchemaId

const unionType = (ast: SchemaAST.Union, place: string): Found => {
  const members = ast.types.filter((member) => !isNothing(member))
  const found = members.map((member) => typeOf(member, place))
  const first = found[0]
  if (first === undefined) throw new TypeError(`Sql: ${place} is always null`)
  if (found.some((other) => JSON.stringify(other.type) !== JSON.stringify(first.type))) {
    throw new TypeError(`Sql: ${place} is of several types, and a column has one`)
  }
  return { type: first.type, nullable: members.length < ast.types.length || found.some((other) => other.nullable) }
}

// Values

const encoderOf = (type: SqlType, ast: SchemaAST.AST): FieldColumn["encode"] => {
  switch (type.kind) {
    case "decimal":
      return decimalOf(type.precision, type.scale)
    case "json":
      return jsonOf(ast)
    default:
      return encoders[type.kind]
  }
}

/** What a table cannot hold: U+0000, and halves of a surrogate pair. */
const unfitText = /[\0\ud800-\udfff]/u

const text = (value: unknown): string | undefined =>
  typeof value === "string" && !unfitText.test(value) ? value : undefined

/** Text of a key: an index takes no more than so many bytes. */
const keyText = (value: unknown): string | undefined => {
  const fit = text(value)
  if (fit === undefined || fit.length * 3 <= Limits.keyTextBytesMax) return fit
  return new TextEncoder().encode(fit).length <= Limits.keyTextBytesMax ? fit : undefined
}

const encoders = {
  text,
  int64: (value: unknown) => (typeof value === "bigint" && BigInt.asIntN(64, value) === value ? value : undefined),
  instant: (value: unknown) => (typeof value === "number" && isEventTime(value) ? value : undefined),
  boolean: (value: unknown) => (typeof value === "boolean" ? value : undefined),
  integer: (value: unknown) => (typeof value === "number" && (value | 0) === value ? value | 0 : undefined),
  double: (value: unknown) => (typeof value === "number" ? value : undefined),
  bytes: (value: unknown) => (value instanceof Uint8Array ? value : undefined)
} as const

const safeMax = BigInt(Number.MAX_SAFE_INTEGER)

const decimalOf = (precision: number, scale: number): FieldColumn["encode"] => {
  const bound = 10n ** BigInt(precision)
  const power = 10 ** scale
  const quick = scale > 0 && scale <= 15
  return (value) => {
    if (typeof value !== "bigint" || value >= bound || value <= -bound) return undefined
    if (!quick || value > safeMax || value < -safeMax) return formatDecimal(value, scale)
    const units = Number(value)
    const magnitude = units < 0 ? -units : units
    const fraction = magnitude % power
    return `${units < 0 ? "-" : ""}${(magnitude - fraction) / power}.${String(fraction + power).slice(1)}`
  }
}

/** An escape of JSON text that a table cannot hold, behind an even number of backslashes. */
const unfitJson = /(?:^|[^\\])(?:\\\\)*\\u(?:0000|d[89a-f])/i

const jsonOf = (ast: SchemaAST.AST): FieldColumn["encode"] => {
  const encode = ParseResult.encodeUnknownOption(Schema.make(ast))
  return (value) => {
    const encoded = encode(value)
    if (encoded._tag === "None" || !isFiniteThroughout(encoded.value)) return undefined
    const json = JSON.stringify(encoded.value)
    return json === undefined || unfitJson.test(json) ? undefined : json
  }
}

/** JSON would make null of NaN and of infinity, and knows no bigint. */
const isFiniteThroughout = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isFinite(value)
  if (typeof value === "bigint") return false
  return typeof value !== "object" || value === null || Object.values(value).every(isFiniteThroughout)
}
