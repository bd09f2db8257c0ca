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

/** What values were made from. Where a field of it is passed on, under whatever name, its type is told again. */
export interface Known {
  readonly type: Shape
  readonly values: ReadonlyArray<unknown>
}

/** The shape that all of the values have; `name`: of the field that they are. */
export const ofValues = (
  values: ReadonlyArray<unknown>,
  known: ReadonlyArray<Known> = [],
  name: string | null = null
): Shape => described(values, name, known.flatMap(partsOf))

/** The type, and what stands in its place where there is nothing. */
export const nullable = (type: Shape): Shape => union([type, { kind: "null" }])

/** What is known of one field, or of the whole (`null`). */
interface Part extends Known {
  readonly name: string | null
}

/** What is known, and all fields in it. */
const partsOf = (known: Known): ReadonlyArray<Part> => [{ ...known, name: null }, ...fieldsOf(known)]

const fieldsOf = ({ type, values }: Known): ReadonlyArray<Part> => {
  const structs = ("members" in type ? type.members : [type]).flatMap((member) => ("fields" in member ? [member] : []))
  return structs.flatMap(({ fields }) =>
    fields.flatMap((field): ReadonlyArray<Part> => {
      const part = { type: field.type, values: values.flatMap((value) => valuesOf(value, field.name)) }
      return [{ ...part, name: field.name }, ...fieldsOf(part)]
    })
  )
}

const valuesOf = (value: unknown, name: string): ReadonlyArray<unknown> =>
  typeof value === "object" && value !== null && name in value
    ? [(value as Readonly<Record<string, unknown>>)[name]]
    : []

const described = (values: ReadonlyArray<unknown>, name: string | null, parts: ReadonlyArray<Part>): Shape => {
  const some = distinct(values.filter((value) => !isNothing(value)))
  const nothing = distinct(values.filter(isNothing)).map((value) => ({ kind: String(value) }))
  const passed = passedOn(some, name, parts)
  const shapes = passed === null ? distinct(some.map(groupOf)).map((group) => ofGroup(group, some, parts)) : [passed]
  return union([...shapes, ...nothing])
}

/** So many distinct values of a field, or all that it has, are no coincidence. */
const distinctEnough = 3

/** The type of the field that all of the values were taken from; `null`: there is none, or it may be one of several. */
const passedOn = (values: ReadonlyArray<unknown>, name: string | null, parts: ReadonlyArray<Part>): Shape | null => {
  if (values.length === 0) return null
  const fit = parts.filter((part) => {
    const all = new Set(part.values.filter((value) => !isNothing(value)))
    const enough = part.name === name || values.length >= Math.min(distinctEnough, all.size)
    return enough && values.every((value) => all.has(value))
  })
  const named = fit.filter((part) => part.name === name)
  const types = (named.length > 0 ? named : fit).map(({ type }) => withoutNothing(type))
  return distinct(types.map(format)).length === 1 ? types[0]! : null
}

const isNothing = (value: unknown): boolean => value === null || value === undefined

/** Whether there are fields without a value is seen in the values. */
const withoutNothing = (type: Shape): Shape =>
  "members" in type ? union(type.members.filter(({ kind }) => kind !== "null" && kind !== "undefined")) : type

const groupOf = (value: unknown): string => {
  if (Array.isArray(value)) return "array"
  if (value instanceof Uint8Array) return "bytes"
  return typeof value === "object" ? "struct" : typeof value === "string" ? "text" : typeof value
}

const ofGroup = (group: string, values: ReadonlyArray<unknown>, parts: ReadonlyArray<Part>): Shape => {
  const own = values.filter((value) => groupOf(value) === group)
  if (group === "array")
    return array((own as ReadonlyArray<ReadonlyArray<unknown>>).flat().map((value) => described([value], null, parts)))
  return group === "struct" ? struct(own as ReadonlyArray<object>, parts) : { kind: group }
}

const struct = (rows: ReadonlyArray<object>, parts: ReadonlyArray<Part>): Shape => ({
  kind: "struct",
  fields: distinct(rows.flatMap((row) => Object.keys(row))).map((name) => {
    const values = rows.flatMap((row) => valuesOf(row, name))
    return { name, optional: values.length < rows.length, type: described(values, name, parts) }
  })
})

const array = (elements: ReadonlyArray<Shape>): Shape => ({
  kind: "array",
  element: elements.length === 0 ? { kind: "unknown" } : union(elements)
})

/** One of these; alike members are one. */
export const union = (members: ReadonlyArray<Shape>): Shape => {
  const flat = members.flatMap((member) => ("members" in member ? member.members : [member]))
  const byText = new Map(flat.map((member) => [format(member), member]))
  const all = [...byText.values()]
  if (all.length === 0) return { kind: "unknown" }
  return all.length === 1 ? all[0]! : { kind: "union", members: all }
}

const distinct = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => [...new Set(all)]
