/** A slow and plain parse of JSON, which keeps digits where a Schema wants them: what readers are compared with. */
import { Either, Option, SchemaAST } from "effect"
import { columnType } from "../../src/model/Columns.ts"
import { decodeDepthMax } from "../../src/model/Limits.ts"

/** A number as it was written. */
class Digits {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** The value of a text, ready for `decodeUnknownEither`; left where it is no JSON, or none that the engine takes. */
export const exactParse = (bytes: Uint8Array, ast: SchemaAST.AST): Either.Either<unknown, unknown> =>
  Either.try(() => {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    JSON.parse(text)
    return settle(JSON.parse(text.replace(tokens, mark), revive), ast, 0)
  })

const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const mark = (token: string): string => (token.startsWith('"') ? `"s${token.slice(1)}` : `"n${token}"`)
const revive = (_: string, value: unknown): unknown =>
  typeof value !== "string" ? value : value.startsWith("n") ? new Digits(value.slice(1)) : value.slice(1)

const settle = (value: unknown, ast: SchemaAST.AST, depth: number): unknown => {
  if (value instanceof Digits) return wantsText(ast) ? value.text : Number(value.text)
  if (typeof value === "string") return wellFormed(value)
  if (typeof value !== "object" || value === null) return value
  if (depth === decodeDepthMax) throw new Error("too deep")
  if (Array.isArray(value)) return value.map((each) => settle(each, partOf(ast, 0), depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([marked, each]) => {
      const name = wellFormed(marked.slice(1))
      return [name, settle(each, partOf(ast, name), depth + 1)]
    })
  )
}

const wellFormed = (text: string): string => {
  if (/\p{Surrogate}/u.test(text)) throw new Error("half of a surrogate pair")
  return text
}

const wantsText = (ast: SchemaAST.AST): boolean => {
  const kind = Option.map(columnType(ast), (column) => column.kind)
  if (Option.isSome(kind)) return kind.value !== "instant"
  if (SchemaAST.isRefinement(ast) || SchemaAST.isTransformation(ast)) return wantsText(ast.from)
  return SchemaAST.isUnion(ast) && ast.types.some(wantsText)
}

const partOf = (ast: SchemaAST.AST, name: string | number): SchemaAST.AST => {
  if (Option.isSome(columnType(ast))) return SchemaAST.unknownKeyword
  if (SchemaAST.isRefinement(ast) || SchemaAST.isTransformation(ast)) return partOf(ast.from, name)
  if (SchemaAST.isTypeLiteral(ast)) {
    return ast.propertySignatures.find((field) => field.name === name)?.type ?? SchemaAST.unknownKeyword
  }
  if (SchemaAST.isTupleType(ast) && typeof name === "number") return ast.rest[0]?.type ?? SchemaAST.unknownKeyword
  return SchemaAST.isUnion(ast)
    ? (ast.types.map((type) => partOf(type, name)).find((type) => type !== SchemaAST.unknownKeyword) ??
        SchemaAST.unknownKeyword)
    : SchemaAST.unknownKeyword
}
