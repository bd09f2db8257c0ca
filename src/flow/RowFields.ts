/**
 * The fields of a Schema as they stand outside: what a connector of cells (CSV, SQL) needs to hand a row to a `Codec`.
 *
 * Cells become the JSON text of their field; the Schema's own reader decides what it takes, so a number or an instant
 * means the same in every system.
 */
import { Option, type Schema, SchemaAST } from "effect"
import { type ColumnType, columnType } from "../model/Columns.ts"

export interface RowField {
  /** As it is called outside. */
  readonly name: string
  /** What JSON holds it: `json` is anything that is no scalar. */
  readonly kind: "text" | "number" | "boolean" | "json"
  readonly nullable: boolean
  readonly optional: boolean
  readonly column: ColumnType | null
}

/** The fields of a Schema of structs, in its order; throws `TypeError` for any other. */
export const fieldsOf = (schema: Schema.Schema<any, any>): ReadonlyArray<RowField> => structOf(schema.ast)

/**
 * The JSON of a cell of text, for its field: `null` stands for a cell without text. What is no text of its kind stays
 * text, so that the reader refuses it by name; `undefined`: the field is left out.
 */
export const jsonOfText = (field: RowField, cell: string | null): string | undefined => {
  if (cell === null) {
    if (field.nullable) return "null"
    return field.optional ? undefined : '""'
  }
  switch (field.kind) {
    case "text":
      return JSON.stringify(cell)
    case "number":
      return numberText.test(cell) ? String(Number(cell)) : JSON.stringify(cell)
    case "boolean":
      return /^(?:true|false)$/i.test(cell) ? cell.toLowerCase() : JSON.stringify(cell)
    case "json":
      return isJson(cell) ? cell : JSON.stringify(cell)
  }
}

/** A row of fields and their JSON, in the order of both. */
export const jsonOfRow = (
  fields: ReadonlyArray<RowField>,
  json: (field: RowField, index: number) => string | undefined
): string => {
  let text = "{"
  for (let i = 0; i < fields.length; i++) {
    const value = json(fields[i]!, i)
    if (value !== undefined) text += `${text === "{" ? "" : ","}${JSON.stringify(fields[i]!.name)}:${value}`
  }
  return `${text}}`
}

const numberText = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\s*$/

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const structOf = (ast: SchemaAST.AST): ReadonlyArray<RowField> => {
  switch (ast._tag) {
    case "TypeLiteral":
      return ast.propertySignatures.map(fieldOf)
    case "Refinement":
    case "Transformation":
      return structOf(ast.from)
    case "Suspend":
      return structOf(ast.f())
    default:
      throw new TypeError(`rows of ${String(ast)} have no fields: use a struct or a class`)
  }
}

const fieldOf = (property: SchemaAST.PropertySignature): RowField => {
  const members = membersOf(SchemaAST.encodedAST(property.type))
  return {
    name: String(property.name),
    kind: kindOf(members.filter((member) => !isNothing(member))),
    nullable: members.some((member) => member._tag === "Literal" && member.literal === null),
    optional: property.isOptional || members.some((member) => member._tag === "UndefinedKeyword"),
    column: columnOf(property.type)
  }
}

const isNothing = (ast: SchemaAST.AST): boolean =>
  ast._tag === "UndefinedKeyword" || (ast._tag === "Literal" && ast.literal === null)

const membersOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  if (ast._tag === "Union") return ast.types.flatMap(membersOf)
  if (ast._tag === "Refinement") return membersOf(ast.from)
  return ast._tag === "Suspend" ? membersOf(ast.f()) : [ast]
}

const kindOf = (members: ReadonlyArray<SchemaAST.AST>): RowField["kind"] => {
  const kinds = new Set(members.map(scalarOf))
  if (kinds.has("text")) return "text"
  const [only] = kinds
  return kinds.size === 1 ? only! : "json"
}

const scalarOf = (ast: SchemaAST.AST): RowField["kind"] => {
  switch (ast._tag) {
    case "StringKeyword":
    case "TemplateLiteral":
      return "text"
    case "NumberKeyword":
      return "number"
    case "BooleanKeyword":
      return "boolean"
    case "Enums":
      return ast.enums.some(([, value]) => typeof value === "string") ? "text" : "number"
    case "Literal":
      if (typeof ast.literal === "string") return "text"
      return typeof ast.literal === "number" ? "number" : typeof ast.literal === "boolean" ? "boolean" : "json"
    default:
      return "json"
  }
}

const columnOf = (ast: SchemaAST.AST): ColumnType | null => {
  const own = Option.getOrNull(columnType(ast))
  if (own !== null) return own
  if (ast._tag === "Refinement" || ast._tag === "Transformation") return columnOf(ast.from)
  if (ast._tag === "Suspend") return columnOf(ast.f())
  return ast._tag === "Union" ? (ast.types.map(columnOf).find((column) => column !== null) ?? null) : null
}
