/** Writes the values of a Schema as JSON: Int64 and Decimal as numbers with all their digits, fields by their names there. */
import { Either, Function, Option, ParseResult, Schema, SchemaAST } from "effect"
import { type ColumnType, columnType, formatDecimal } from "../../model/Columns.ts"
import { refuseEffects } from "./Effectful.ts"
import { type Shape, shapeOf } from "./Shape.ts"
import { Unencodable } from "./Unencodable.ts"

/** The JSON of a value, or `undefined` for one that is left out. */
type Writer = (value: unknown) => string | undefined

/**
 * A writer of a Schema's values as UTF-8 JSON. Trusts their types, so no filter runs again. Throws `Unencodable` for
 * what JSON has no text for: `NaN`, infinities, what a transformation of the Schema refuses to encode.
 */
export const encodeJson = <A, I>(schema: Schema.Schema<A, I>): ((value: A) => Uint8Array) => {
  refuseEffects(schema.ast)
  const write = writerOf(schema.ast)
  const encoder = new TextEncoder()
  return (value) => {
    const text = write(value)
    if (text === undefined) throw new Unencodable("a value that JSON leaves out")
    return encoder.encode(text)
  }
}

const writerOf = (ast: SchemaAST.AST): Writer => {
  const column = Option.getOrNull(columnType(ast))
  if (column !== null) return columnWriter(column)
  switch (ast._tag) {
    case "StringKeyword":
      return JSON.stringify
    case "NumberKeyword":
      return (value) => numberText(value as number)
    case "BooleanKeyword":
      return String
    case "Literal":
      return typeof ast.literal === "bigint" ? throughSchema(ast) : JSON.stringify
    case "Refinement":
      return writerOf(ast.from)
    case "Union":
      return unionWriter(ast)
    case "TupleType":
      return ast.elements.length === 0 && ast.rest.length === 1 ? arrayWriter(ast.rest[0]!.type) : throughSchema(ast)
    case "TypeLiteral":
      return structWriter(ast, ast, [])
    case "Transformation":
      return transformationWriter(ast)
    default:
      return throughSchema(ast)
  }
}

const columnWriter = (column: ColumnType): Writer => {
  switch (column.kind) {
    case "int64":
      return String
    case "decimal":
      return (value) => formatDecimal(value as bigint, column.scale)
    case "instant":
      return column.unit === "iso"
        ? (value) => `"${new Date(value as number).toISOString()}"`
        : (value) => numberText((value as number) / (column.unit === "seconds" ? 1000 : 1))
  }
}

const numberText = (value: number): string => {
  if (!Number.isFinite(value)) throw new Unencodable(`JSON has no number ${value}`)
  return Object.is(value, -0) ? "-0" : String(value)
}

const unionWriter = (ast: SchemaAST.Union): Writer => {
  const members = ast.types.filter((type) => type._tag !== "UndefinedKeyword" && !isNull(type))
  if (members.every((type) => type._tag === "Literal" && typeof type.literal !== "bigint")) return JSON.stringify
  if (members.length !== 1) return throughSchema(ast)
  const write = writerOf(members[0]!)
  return (value) => (value === undefined ? undefined : value === null ? "null" : write(value))
}

const isNull = (ast: SchemaAST.AST): boolean => ast._tag === "Literal" && ast.literal === null

const arrayWriter = (ast: SchemaAST.AST): Writer => {
  const write = writerOf(ast)
  return (value) => `[${(value as ReadonlyArray<unknown>).map((element) => write(element) ?? "null").join(",")}]`
}

const structWriter = (
  ast: SchemaAST.AST,
  literal: SchemaAST.TypeLiteral,
  changes: ReadonlyArray<SchemaAST.PropertySignatureTransformation>
): Writer => {
  const signatures = literal.propertySignatures
  if (literal.indexSignatures.length > 0 || signatures.length === 0) return throughSchema(ast)
  if (signatures.some((signature) => typeof signature.name === "symbol")) return throughSchema(ast)
  const fields = signatures.map((signature) => {
    const change = changes.find((change) => change.from === signature.name)
    const encode = change === undefined || change.encode === Function.identity ? null : change.encode
    const write = writerOf(signature.type)
    return {
      name: `${JSON.stringify(signature.name)}:`,
      column: change === undefined ? signature.name : change.to,
      write: encode === null ? orLeftOut(write) : throughOption(encode, write)
    }
  })
  return (value) => {
    let text = "{"
    for (const field of fields) {
      const part = field.write((value as Record<PropertyKey, unknown>)[field.column])
      if (part !== undefined) text += (text.length === 1 ? "" : ",") + field.name + part
    }
    return `${text}}`
  }
}

const orLeftOut =
  (write: Writer): Writer =>
  (value) =>
    value === undefined ? undefined : write(value)

const throughOption =
  (encode: (value: Option.Option<unknown>) => Option.Option<unknown>, write: Writer): Writer =>
  (value) => {
    const encoded = encode(value === undefined ? Option.none() : Option.some(value))
    return Option.isNone(encoded) ? undefined : write(encoded.value)
  }

const transformationWriter = (ast: SchemaAST.Transformation): Writer => {
  const { from, transformation } = ast
  if (transformation._tag === "TypeLiteralTransformation" && from._tag === "TypeLiteral") {
    return structWriter(ast, from, transformation.propertySignatureTransformations)
  }
  const isClass = ast.to._tag === "Declaration" && ast.annotations[SchemaAST.SurrogateAnnotationId] !== undefined
  return isClass ? writerOf(from) : throughSchema(ast)
}

const throughSchema = (ast: SchemaAST.AST): Writer => {
  const encode = ParseResult.encodeUnknownEither(Schema.make<unknown>(ast))
  const shape = shapeOf(ast)
  return (value) => {
    if (value === undefined) return undefined
    const encoded = encode(value)
    if (Either.isLeft(encoded))
      throw new Unencodable(ParseResult.ArrayFormatter.formatIssueSync(encoded.left)[0]!.message)
    return textOf(encoded.right, shape)
  }
}

/** The JSON of an encoded value; where Int64 and Decimal are text, their digits become a number. */
const textOf = (value: unknown, shape: Shape): string | undefined => {
  if (typeof value === "string") {
    return shape.number === "text" && isNumberText.test(value) ? value : JSON.stringify(value)
  }
  if (typeof value === "number") return numberText(value)
  if (Array.isArray(value)) return `[${value.map((each, i) => textOf(each, shape.element(i)) ?? "null").join(",")}]`
  if (typeof value !== "object" || value === null || "toJSON" in value) return JSON.stringify(value)
  const fields = Object.entries(value).flatMap(([name, field]) => {
    const text = textOf(field, shape.field(name))
    return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`]
  })
  return `{${fields.join(",")}}`
}

const isNumberText = /^-?(0|[1-9]\d*)(\.\d+)?$/
