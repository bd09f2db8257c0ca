/** A schema in words: as a list of its fields, and as code to paste into a job. */
import type { Field, InferredType, Place } from "./InferredSchema.ts"

/** One line of the tree. */
export interface FieldLine {
  /** From the record on: `items[].price`. */
  readonly path: string
  readonly name: string
  readonly depth: number
  readonly type: string
  readonly nullable: boolean
  readonly optional: boolean
}

/** Every field, each before those within it. A record that is no object is one line, named `value`. */
export const lines = (root: Place): ReadonlyArray<FieldLine> =>
  root.type.kind === "struct" ? inner(root.type, "", 0) : line({ ...root, name: "value", optional: false }, "", 0)

const inner = (type: InferredType, path: string, depth: number): ReadonlyArray<FieldLine> => {
  if (type.kind === "struct") return type.fields.flatMap((field) => line(field, path, depth))
  return type.kind === "array" ? inner(type.element.type, `${path}[]`, depth) : []
}

const line = (field: Field, above: string, depth: number): ReadonlyArray<FieldLine> => {
  const { name, nullable, optional, type } = field
  const path = above === "" ? name : `${above}.${name}`
  return [{ path, name, depth, type: named(type), nullable, optional }, ...inner(type, path, depth + 1)]
}

/** A type as a person calls it: `array of struct`, `decimal(18, 2)`. */
export const named = (type: InferredType): string => {
  switch (type.kind) {
    case "decimal":
      return `decimal(${type.precision}, ${type.scale})`
    case "array":
      return `array of ${named(type.element.type)}${type.element.nullable ? " or null" : ""}`
    default:
      return type.kind
  }
}

/** A module with one Schema: it compiles, and every record of the sample decodes with it. */
export const code = (name: string, root: Place): string => {
  const body = schema(root, "")
  const columns = ["Decimal", "Instant", "Int64"].filter((column) =>
    new RegExp(`(?<![.\\w"])${column}\\b(?!")`).test(body)
  )
  const imports = columns.length === 0 ? [] : [`import { ${columns.join(", ")} } from "weir"`]
  return ['import { Schema } from "effect"', ...imports, "", `export const ${identifier(name)} = ${body}`, ""].join(
    "\n"
  )
}

/** `shop-orders` as `ShopOrders`. */
const identifier = (name: string): string => {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== "")
  const joined = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("")
  return /^[A-Z]/.test(joined) && !taken.has(joined) ? joined : `Record${joined}`
}

/** What the module imports. */
const taken: ReadonlySet<string> = new Set(["Schema", "Decimal", "Instant", "Int64"])

const schema = ({ nullable, type }: Place, indent: string): string => {
  const plain = schemaOf(type, indent)
  return nullable && type.kind !== "unknown" ? `Schema.NullOr(${plain})` : plain
}

const schemaOf = (type: InferredType, indent: string): string => {
  switch (type.kind) {
    case "boolean":
      return "Schema.Boolean"
    case "int":
      return "Schema.Int"
    case "int64":
      return "Int64"
    case "number":
      return "Schema.Number"
    case "decimal":
      return `Decimal(${type.precision}, ${type.scale})`
    case "text":
      return "Schema.String"
    case "instant":
      return "Instant"
    case "unknown":
      return "Schema.Unknown"
    case "array":
      return `Schema.Array(${schema(type.element, indent)})`
    case "struct":
      return struct(type.fields, indent)
  }
}

const struct = (fields: ReadonlyArray<Field>, indent: string): string => {
  if (fields.length === 0) return "Schema.Struct({})"
  const within = `${indent}  `
  const members = fields.map((field) => {
    const of = schema(field, within)
    return `${within}${key(field.name)}: ${field.optional ? `Schema.optionalWith(${of}, { exact: true })` : of}`
  })
  return `Schema.Struct({\n${members.join(",\n")}\n${indent}})`
}

/** In brackets where the name alone would set the prototype instead of a field. */
const key = (name: string): string => {
  if (name === "__proto__") return '["__proto__"]'
  // Separators of lines are allowed in strings of JSON and escaped for tools that think otherwise.
  return /^[A-Za-z_$][\w$]*$/.test(name)
    ? name
    : JSON.stringify(name).replaceAll(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`)
}
