/**
 * The form of a Schema's values in one line: what state of it looks like. Two Schemas with the same line keep the same.
 *
 * Names and types of fields count, in any order, the names of classes, and the digits of a decimal behind the point;
 * what only narrows values does not.
 */
import { Option, type Schema, SchemaAST } from "effect"
import { decodedType } from "../model/Columns.ts"

/** The line; long for large Schemas, the same for the same text on every machine. */
export const make = (schema: Schema.Schema<any, any>): string => describe(SchemaAST.typeAST(schema.ast), new Map())

/**
 * What the numbers among a Schema's columns are counted in, by column: `number`, `bigint`, `decimal 2`. State that was
 * made of them holds no more than digits: under another of these it would mean something else.
 */
export const numbers = (schema: Schema.Schema<any, any>): Readonly<Record<string, string>> => {
  const ast = columnsOf(SchemaAST.typeAST(schema.ast))
  return Object.fromEntries(
    (ast?.propertySignatures ?? []).flatMap(({ name, type }): ReadonlyArray<[string, string]> => {
      const one = numberOf(type)
      return one === null ? [] : [[String(name), one]]
    })
  )
}

// Private

const columnsOf = (ast: SchemaAST.AST): SchemaAST.TypeLiteral | null => {
  if (ast._tag === "TypeLiteral") return ast
  if (ast._tag === "Refinement") return columnsOf(ast.from)
  if (ast._tag === "Declaration" && ast.typeParameters.length === 1) return columnsOf(ast.typeParameters[0]!)
  return null
}

/** `null`: it is no number, or may be something else than one. */
const numberOf = (ast: SchemaAST.AST): string | null => {
  if (ast._tag === "Union") {
    const kinds = new Set(ast.types.filter((type) => !isEmpty(type)).map(numberOf))
    return kinds.size === 1 ? [...kinds][0]! : null
  }
  if (ast._tag === "Refinement") return decimalOf(ast) ?? numberOf(ast.from)
  if (ast._tag === "NumberKeyword") return "number"
  return ast._tag === "BigIntKeyword" ? (decimalOf(ast) ?? "bigint") : null
}

const isEmpty = (ast: SchemaAST.AST): boolean =>
  ast._tag === "UndefinedKeyword" || (ast._tag === "Literal" && ast.literal === null)

/** `null`: it is none with digits behind the point. */
const decimalOf = (ast: SchemaAST.AST): string | null => {
  const column = Option.getOrNull(decodedType(ast))
  return column?.kind === "decimal" && column.scale > 0 ? `decimal ${column.scale}` : null
}

type Seen = Map<SchemaAST.AST, number>

const describe = (ast: SchemaAST.AST, seen: Seen): string => {
  const decimal = decimalOf(ast)
  if (decimal !== null) return decimal
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
