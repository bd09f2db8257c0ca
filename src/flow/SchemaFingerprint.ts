/**
 * The form of a Schema's values in one line: what state of it looks like. Two Schemas with the same line keep the same.
 *
 * Names and types of fields count, in any order, and the names of classes; what only narrows values does not.
 */
import { type Schema, SchemaAST } from "effect"

/** The line; long for large Schemas, the same for the same text on every machine. */
export const make = (schema: Schema.Schema<any, any>): string => describe(SchemaAST.typeAST(schema.ast), new Map())

// Private

type Seen = Map<SchemaAST.AST, number>

const describe = (ast: SchemaAST.AST, seen: Seen): string => {
  switch (ast._tag) {
    case "Literal":
      return typeof ast.literal === "bigint" ? `${ast.literal}n` : JSON.stringify(ast.literal)
    case "Refinement":
      return describe(ast.from, seen)
    case "Transformation":
      return describe(ast.to, seen)
    case "Enums":
      return ast.enums.map(([, value]) => JSON.stringify(value)).join(" | ")
    case "TemplateLiteral":
      return "string"
    case "UniqueSymbol":
      return String(ast.symbol)
    case "StringKeyword":
    case "NumberKeyword":
    case "BooleanKeyword":
    case "BigIntKeyword":
    case "UndefinedKeyword":
    case "VoidKeyword":
    case "NeverKeyword":
    case "UnknownKeyword":
    case "AnyKeyword":
    case "ObjectKeyword":
    case "SymbolKeyword":
      return ast._tag.slice(0, -"Keyword".length).toLowerCase()
    default:
      return compound(ast, seen)
  }
}

const compound = (
  ast: SchemaAST.Declaration | SchemaAST.TypeLiteral | SchemaAST.TupleType | SchemaAST.Union | SchemaAST.Suspend,
  seen: Seen
): string => {
  const of = ast._tag === "Suspend" ? ast.f() : ast
  const known = seen.get(of)
  // A Schema that holds itself.
  if (known !== undefined) return `#${known}`
  const below: Seen = new Map(seen).set(of, seen.size)
  switch (of._tag) {
    case "TypeLiteral":
      return `{${fields(of, below).join(", ")}}`
    case "TupleType": {
      const rest = of.rest.map(({ type }) => `...${describe(type, below)}`)
      return `[${[...of.elements.map((one) => `${describe(one.type, below)}${one.isOptional ? "?" : ""}`), ...rest].join(", ")}]`
    }
    case "Union":
      return [...new Set(of.types.map((type) => describe(type, below)))].sort().join(" | ")
    case "Declaration": {
      const name = of.annotations[SchemaAST.IdentifierAnnotationId] ?? "class"
      return `${String(name)}<${of.typeParameters.map((type) => describe(type, below)).join(", ")}>`
    }
    default:
      return describe(of, below)
  }
}

const fields = (ast: SchemaAST.TypeLiteral, seen: Seen): ReadonlyArray<string> => [
  ...ast.propertySignatures
    .map(({ isOptional, name, type }) => `${String(name)}${isOptional ? "?" : ""}: ${describe(type, seen)}`)
    .sort(),
  ...ast.indexSignatures.map(({ parameter, type }) => `[${describe(parameter, seen)}]: ${describe(type, seen)}`)
]
