/**
 * The columns that a Schema of rows has: the name, the type and whether it may be null, of each field. What a table or a
 * file of columns is made from.
 */
import { Schema, SchemaAST } from "effect"
import { columnType } from "../model/Columns.ts"
import type { SqlType } from "./Tables.ts"

export interface RowColumn {
  /** The name of the field after decoding. */
  readonly field: string
  readonly type: SqlType
  readonly nullable: boolean
  /** Of the field's values. */
  readonly ast: SchemaAST.AST
}

/** Whose rows they are, for errors: `Sql`, and the table's name. */
export interface RowOwner {
  readonly door: string
  readonly name: string
}

/** The columns of a Schema of rows, in its order; throws `TypeError` for what no column can hold. */
export const columnsOf = (schema: Schema.Schema.AnyNoContext, owner: RowOwner): ReadonlyArray<RowColumn> =>
  fieldsOf(schema.ast, owner).map(({ name, optional, type }) => {
    const found = typeOf(type, `${owner.door}: ${owner.name}.${name}`)
    return { field: name, type: found.type, nullable: optional || found.nullable, ast: type }
  })

// Private

// Fields

interface Field {
  readonly name: string
  readonly optional: boolean
  readonly type: SchemaAST.AST
}

const fieldsOf = (ast: SchemaAST.AST, owner: RowOwner): ReadonlyArray<Field> => {
  switch (ast._tag) {
    case "TypeLiteral":
      return ast.propertySignatures.map((property) => ({
        name: String(property.name),
        optional: property.isOptional,
        type: property.type
      }))
    case "Refinement":
      return fieldsOf(ast.from, owner)
    case "Suspend":
      return fieldsOf(ast.f(), owner)
    case "Transformation":
      return transformedFields(ast, owner)
    default:
      throw new TypeError(`${owner.door}: the rows of ${owner.name} are no struct, so they have no columns`)
  }
}

/** Optional fields and classes: names and presence are those after decoding, types those that say their column. */
const transformedFields = (ast: SchemaAST.Transformation, owner: RowOwner): ReadonlyArray<Field> => {
  if (ast.to._tag === "Declaration") return fieldsOf(ast.from, owner)
  const fields = fieldsOf(ast.to, owner)
  if (ast.transformation._tag !== "TypeLiteralTransformation") return fields
  const before = fieldsOf(ast.from, owner)
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
    `${place} is ${String(ast)}, which has no column type: use text, numbers, Int64, Decimal, Instant, bytes or structs`
  )
}

const literalType = (literal: SchemaAST.LiteralValue, place: string): SqlType => {
  if (typeof literal === "string") return { kind: "text" }
  if (typeof literal === "boolean") return { kind: "boolean" }
  if (typeof literal === "bigint") return { kind: "int64" }
  if (typeof literal === "number") return (literal | 0) === literal ? { kind: "integer" } : { kind: "double" }
  throw new TypeError(`${place} is always null`)
}

const isInteger = (ast: SchemaAST.Refinement): boolean =>
  ast.annotations[SchemaAST.SchemaIdAnnotationId] === Schema.IntSchemaId

const unionType = (ast: SchemaAST.Union, place: string): Found => {
  const members = ast.types.filter((member) => !isNothing(member))
  const found = members.map((member) => typeOf(member, place))
  const first = found[0]
  if (first === undefined) throw new TypeError(`${place} is always null`)
  if (found.some((other) => JSON.stringify(other.type) !== JSON.stringify(first.type))) {
    throw new TypeError(`${place} is of several types, and a column has one`)
  }
  return { type: first.type, nullable: members.length < ast.types.length || found.some((other) => other.nullable) }
}
