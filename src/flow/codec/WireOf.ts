/** The type that the values of a Schema are written as, where nothing else is said. */
import { Option, Schema, SchemaAST } from "effect"
import { columnType } from "../../model/Columns.ts"
import { format, Unwritable, type WireField, type WireType } from "./Wire.ts"

/** `name`: of the outermost record, if the Schema has none. Throws `Unwritable`. */
export const wireOf = (schema: Schema.Schema<any, any>, name: string): WireType => typeOf(schema.ast, name, "")

// Private

const isNull = (ast: SchemaAST.AST): boolean => ast._tag === "Literal" && ast.literal === null

const typeOf = (ast: SchemaAST.AST, name: string, path: string): WireType => {
  const column = Option.getOrNull(columnType(ast))
  if (column !== null)
    return column.kind === "int64" ? { kind: "long" } : column.kind === "decimal" ? column : { kind: "instant" }
  switch (ast._tag) {
    case "StringKeyword":
    case "TemplateLiteral":
      return { kind: "string" }
    case "NumberKeyword":
      return { kind: "double" }
    case "BooleanKeyword":
      return { kind: "boolean" }
    case "BigIntKeyword":
      return { kind: "long" }
    case "Literal":
      return literalType(ast, path)
    case "Refinement":
      return ast.annotations[SchemaAST.SchemaIdAnnotationId] === Schema.IntSchemaId
        ? { kind: "long" }
        : typeOf(ast.from, name, path)
    case "Union":
      return unionType(ast, name, path)
    case "TupleType":
      if (ast.elements.length > 0 || ast.rest.length !== 1) return noType(ast, path)
      return { kind: "list", of: typeOf(ast.rest[0]!.type, `${name}Element`, `${path}[]`) }
    case "TypeLiteral":
      return structType(ast, name, path)
    case "Declaration":
      return ast === Schema.Uint8ArrayFromSelf.ast ? { kind: "bytes" } : noType(ast, path)
    case "Transformation":
      return typeOf(ast.from, nameOf(ast) ?? nameOf(ast.to) ?? name, path)
    default:
      return noType(ast, path)
  }
}

const noType = (ast: SchemaAST.AST, path: string): never => {
  throw new Unwritable(`${path === "" ? "" : `${path}: `}no schema can be made of ${ast}`)
}

/** What a class or a struct is called, where that can be a name elsewhere. */
const nameOf = (ast: SchemaAST.AST): string | null => {
  const name = ast.annotations[SchemaAST.IdentifierAnnotationId]
  return typeof name === "string" && /^[A-Za-z_]\w*$/.test(name) ? name : null
}

const literalType = (ast: SchemaAST.Literal, path: string): WireType => {
  switch (typeof ast.literal) {
    case "string":
      return { kind: "string" }
    case "number":
      return { kind: "double" }
    case "boolean":
      return { kind: "boolean" }
    default:
      return noType(ast, path)
  }
}

const unionType = (ast: SchemaAST.Union, name: string, path: string): WireType => {
  const members = ast.types.filter((one) => one._tag !== "UndefinedKeyword" && !isNull(one))
  const types = members.map((one) => typeOf(one, name, path))
  const [first] = types
  if (first === undefined || types.some((type) => format(type) !== format(first))) return noType(ast, path)
  return members.length < ast.types.length ? nullable(first) : first
}

const nullable = (of: WireType): WireType => (of.kind === "nullable" ? of : { kind: "nullable", of })

const structType = (ast: SchemaAST.TypeLiteral, name: string, path: string): WireType => {
  const [index] = ast.indexSignatures
  if (index !== undefined && ast.propertySignatures.length === 0)
    return { kind: "map", of: typeOf(index.type, `${name}Value`, `${path}{}`) }
  if (index !== undefined || ast.propertySignatures.length === 0) return noType(ast, path)
  const own = nameOf(ast) ?? name
  const fields = ast.propertySignatures.map((signature): WireField => {
    const column = String(signature.name)
    const of = typeOf(signature.type, `${own}_${column}`, path === "" ? column : `${path}.${column}`)
    const type = signature.isOptional ? nullable(of) : of
    return { name: column, type, ...(type.kind === "nullable" ? { fallback: { value: null } } : {}) }
  })
  return { kind: "record", name: own, fields: () => fields }
}
