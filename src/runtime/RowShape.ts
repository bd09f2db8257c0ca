/** What values look like: as a Schema says it, or as the values themselves do. */
import { Option, type SchemaAST } from "effect"
import { columnType, decodedType } from "../model/Columns.ts"

export type Shape =
  | { readonly kind: "struct"; readonly fields: ReadonlyArray<ShapeField> }
  | { readonly kind: "array"; readonly element: Shape }
  | { readonly kind: "union"; readonly members: ReadonlyArray<Shape> }
  /** A name such as `text`, `int64`, `decimal(18, 2)`, `null`. */
  | { readonly kind: string }

export interface ShapeField {
  readonly name: string
  readonly type: Shape
  readonly optional: boolean
}

/** In one line: `{region: text, price: decimal(18, 2), note?: text | null}`. */
export const format = (shape: Shape): string => {
  if ("fields" in shape)
    return `{${shape.fields.map(({ name, optional, type }) => `${name}${optional ? "?" : ""}: ${format(type)}`).join(", ")}}`
  if ("element" in shape) {
    const element = format(shape.element)
    return `array of ${"members" in shape.element ? `(${element})` : element}`
  }
  return "members" in shape ? shape.members.map(format).join(" | ") : shape.kind
}

// From a Schema

/** Nested types that are told; below them stands `…`. A Schema may refer to itself. */
const depthMax = 6

/** The decoded side of a Schema. */
export const ofSchema = (ast: SchemaAST.AST, depth = 0): Shape => {
  const column = Option.getOrNull(Option.orElse(columnType(ast), () => decodedType(ast)))
  if (column !== null) {
    return { kind: column.kind === "decimal" ? `decimal(${column.precision}, ${column.scale})` : column.kind }
  }
  if (depth > depthMax) return { kind: "…" }
  switch (ast._tag) {
    case "StringKeyword":
    case "TemplateLiteral":
      return { kind: "text" }
    case "NumberKeyword":
      return { kind: "number" }
    case "BigIntKeyword":
      return { kind: "bigint" }
    case "BooleanKeyword":
      return { kind: "boolean" }
    case "UndefinedKeyword":
      return { kind: "undefined" }
    case "Literal":
      return { kind: ast.literal === null ? "null" : JSON.stringify(ast.literal, textOfBigInts) }
    case "Refinement":
      return isWhole(ast) ? { kind: "int" } : ofSchema(ast.from, depth)
    case "Transformation":
      return ofSchema(ast.to, depth)
    case "Suspend":
      return ofSchema(ast.f(), depth + 1)
    case "Declaration":
      return ast.typeParameters.length === 0 ? { kind: String(ast) } : ofSchema(ast.typeParameters[0]!, depth)
    case "Union":
      return union(ast.types.map((type) => ofSchema(type, depth)))
    case "TupleType":
      return array([...ast.elements, ...ast.rest].map(({ type }) => ofSchema(type, depth + 1)))
    case "TypeLiteral":
      return {
        kind: "struct",
        fields: ast.propertySignatures.map(({ isOptional, name, type }) => ({
          name: String(name),
          optional: isOptional,
          type: ofSchema(type, depth + 1)
        }))
      }
    default:
      return { kind: "unknown" }
  }
}

const textOfBigInts = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}` : value)

/** Is it `Schema.Int`, or refined from it? */
const isWhole = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Refinement" && (String(ast).startsWith("Int") || isWhole(ast.from))

// From values

/** What values were made from: their types are told again where a field is passed on. */
export interface Known {
  readonly type: Shape
  readonly values: ReadonlyArray<unknown>
}

/** The shape that all of the values have. */
export const ofValues = (values: ReadonlyArray<unknown>, known: ReadonlyArray<Known> = []): Shape => {
  const passed = known.find((of) => values.length > 0 && contains(of.values, values))
  return (
    passed?.type ?? union(distinct(values.map((value) => groupOf(value))).map((group) => ofGroup(group, values, known)))
  )
}

const contains = (all: ReadonlyArray<unknown>, some: ReadonlyArray<unknown>): boolean => {
  const set = new Set(all)
  return some.every((value) => set.has(value))
}

const groupOf = (value: unknown): string => {
  if (value === null) return "null"
  if (Array.isArray(value)) return "array"
  if (value instanceof Uint8Array) return "bytes"
  return typeof value === "object" ? "struct" : typeof value === "string" ? "text" : typeof value
}

const ofGroup = (group: string, values: ReadonlyArray<unknown>, known: ReadonlyArray<Known>): Shape => {
  const own = values.filter((value) => groupOf(value) === group)
  if (group === "array")
    return array((own as ReadonlyArray<ReadonlyArray<unknown>>).flat().map((value) => ofValues([value])))
  return group === "struct" ? struct(own as ReadonlyArray<Readonly<Record<string, unknown>>>, known) : { kind: group }
}

/** What every windowed row has beside its key and its results. */
const instants: ReadonlySet<string> = new Set(["windowStart", "windowEnd"])

const struct = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>, known: ReadonlyArray<Known>): Shape => {
  const names = distinct(rows.flatMap((row) => Object.keys(row)))
  return {
    kind: "struct",
    fields: names.map((name) => {
      const values = rows.flatMap((row) => (name in row ? [row[name]] : []))
      const optional = values.length < rows.length
      if (instants.has(name) && values.every((value) => typeof value === "number"))
        return { name, optional, type: { kind: "instant" } }
      return { name, optional, type: ofValues(values, fieldsOf(name, known)) }
    })
  }
}

/** The field of this name in what the rows were made from. */
const fieldsOf = (name: string, known: ReadonlyArray<Known>): ReadonlyArray<Known> =>
  known.flatMap(({ type, values }) => {
    const field = "fields" in type ? type.fields.find((field) => field.name === name) : undefined
    if (field === undefined) return []
    return [{ type: field.type, values: values.map((value) => (value as Readonly<Record<string, unknown>>)[name]) }]
  })

const array = (elements: ReadonlyArray<Shape>): Shape => ({
  kind: "array",
  element: elements.length === 0 ? { kind: "unknown" } : union(elements)
})

/** One of these; alike members are one. */
const union = (members: ReadonlyArray<Shape>): Shape => {
  const flat = members.flatMap((member) => ("members" in member ? member.members : [member]))
  const byText = new Map(flat.map((member) => [format(member), member]))
  const all = [...byText.values()]
  if (all.length === 0) return { kind: "unknown" }
  return all.length === 1 ? all[0]! : { kind: "union", members: all }
}

const distinct = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => [...new Set(all)]
