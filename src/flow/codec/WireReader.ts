/**
 * Makes what a Schema says of plain values of another format's type: compiled once for a pair of both, so that no Schema
 * runs per event. Parts that no way of their own is known for are handed to the Schema itself.
 *
 * Fields meet by name. A field that the Schema does not name is dropped, one that the format does not have is left out,
 * or has the Schema's default. Numbers are widened where nothing is lost: `int` to Int64, `long` to a number below 2^53.
 * A pair that cannot meet refuses every value, with the path to it.
 */
import { Either, Function, Option, ParseResult, Schema, SchemaAST } from "effect"
import { columnType } from "../../model/Columns.ts"
import { hasOwnRules, prototypeOf, refused } from "./Compile.ts"
import { absent, leftOut, makeRowMaker, putField } from "./RowMaker.ts"
import { shapeOf } from "./Shape.ts"
import { Undecodable } from "./Undecodable.ts"
import type { WireField, WireRecord, WireType } from "./Wire.ts"
import { naturalOf } from "./WireNatural.ts"
import {
  columnReader,
  expected,
  mismatch,
  numberReader,
  type ReadValue,
  same,
  textReader,
  toBigInt
} from "./WireScalars.ts"

/** What a Schema makes of plain values of a type. */
export const makeValueReader = (type: WireType, schema: Schema.Schema<any, any>): ReadValue =>
  readerOf(type, schema.ast)

// Private

const readerOf = (type: WireType, ast: SchemaAST.AST): ReadValue => {
  if (hasOwnRules(ast)) return slow(type, ast)
  if (type.kind === "nullable")
    return ast._tag === "Transformation" && takesNull(ast)
      ? slow(type, ast)
      : nullableReader(readerOf(type.of, ast), ast)
  const column = Option.getOrNull(columnType(ast))
  if (column !== null) return columnReader(type, column, ast)
  switch (ast._tag) {
    case "StringKeyword":
      return textReader(type) ?? mismatch(type, ast)
    case "NumberKeyword":
      return numberReader(type) ?? mismatch(type, ast)
    case "BooleanKeyword":
      return type.kind === "boolean" ? same : mismatch(type, ast)
    case "BigIntKeyword":
      return type.kind === "long" ? same : type.kind === "int" ? toBigInt : mismatch(type, ast)
    case "Declaration":
      return ast === Schema.Uint8ArrayFromSelf.ast && type.kind === "bytes" ? same : slow(type, ast)
    case "Union":
      return unionReader(type, ast)
    case "Refinement":
      return refinementReader(type, ast)
    case "TupleType":
      return listReader(type, ast)
    case "TypeLiteral":
      return structReader(type, ast, { literal: ast, changes: [], prototype: Object.prototype })
    case "Transformation":
      return transformationReader(type, ast)
    default:
      return slow(type, ast)
  }
}

const isNull = (ast: SchemaAST.AST): boolean => ast._tag === "Literal" && ast.literal === null

/** Does the Schema take `null`? */
const takesNull = (ast: SchemaAST.AST): boolean =>
  isNull(ast) ||
  (ast._tag === "Union" && ast.types.some(takesNull)) ||
  (ast._tag === "Transformation" && takesNull(ast.from))

/** A field that may be left out is, where the format says `null`. */
const nullableReader = (read: ReadValue, ast: SchemaAST.AST): ReadValue => {
  const none = takesNull(ast)
    ? null
    : ast._tag === "Union" && ast.types.some((type) => type._tag === "UndefinedKeyword")
      ? undefined
      : absent
  return (value) => (value === null ? none : read(value))
}

const unionReader = (type: WireType, ast: SchemaAST.Union): ReadValue => {
  const members = ast.types.filter((one) => one._tag !== "UndefinedKeyword" && one._tag !== "NeverKeyword")
  if (members.every((one) => one._tag === "Literal")) return literalReader(type, ast, members)
  const values = members.filter((one) => !isNull(one))
  if (values.length !== 1 || type.kind === "union") return slow(type, ast)
  return type.kind === "null" ? (takesNull(ast) ? same : mismatch(type, ast)) : readerOf(type, values[0]!)
}

const literalReader = (type: WireType, ast: SchemaAST.AST, members: ReadonlyArray<SchemaAST.Literal>): ReadValue => {
  const read = textReader(type) ?? numberReader(type) ?? (type.kind === "boolean" || type.kind === "null" ? same : null)
  if (read === null || members.some(({ literal }) => typeof literal === "bigint")) return slow(type, ast)
  const allowed = new Set<unknown>(members.map(({ literal }) => literal))
  const what = members.map(({ literal }) => JSON.stringify(literal)).join(" | ")
  return (plain) => {
    const value = read(plain)
    if (allowed.has(value)) return value
    throw expected(what, JSON.stringify(value))
  }
}

const refinementReader = (type: WireType, ast: SchemaAST.Refinement): ReadValue => {
  const read = readerOf(type, ast.from)
  return (plain) => {
    const value = read(plain)
    if (value === absent) return value
    const issue = ast.filter(value, SchemaAST.defaultParseOption, ast)
    if (issue._tag === "Some") throw refused(new ParseResult.Refinement(ast, value, "Predicate", issue.value), 0)
    return value
  }
}

const listReader = (type: WireType, ast: SchemaAST.TupleType): ReadValue => {
  const [rest, ...others] = ast.rest
  if (rest === undefined || others.length > 0 || ast.elements.length > 0) return slow(type, ast)
  if (type.kind !== "list") return mismatch(type, ast)
  const read = present(readerOf(type.of, rest.type), rest.type)
  return (plain) => (plain as ReadonlyArray<unknown>).map((element, i) => within(i, () => read(element)))
}

const within = <A>(step: string | number, read: () => A): A => {
  try {
    return read()
  } catch (error) {
    throw error instanceof Undecodable ? error.within(step) : error
  }
}

/** Where nothing can be left out, `null` is refused. */
const present =
  (read: ReadValue, ast: SchemaAST.AST): ReadValue =>
  (plain) => {
    const value = read(plain)
    if (value === absent) throw expected(String(ast), null)
    return value
  }

interface Struct {
  readonly literal: SchemaAST.TypeLiteral
  readonly changes: ReadonlyArray<SchemaAST.PropertySignatureTransformation>
  readonly prototype: object
  readonly to?: SchemaAST.TypeLiteral
}

interface Column {
  readonly name: string
  readonly column: string
  /** `null`: the format has no such field. */
  readonly read: ReadValue | null
  /** What the row gets where there is nothing: a value, `absent`, or an `Undecodable`. */
  readonly missing: () => unknown
}

const structReader = (type: WireType, ast: SchemaAST.AST, struct: Struct): ReadValue => {
  const { literal } = struct
  const [index, ...others] = literal.indexSignatures
  if (index !== undefined && literal.propertySignatures.length === 0 && others.length === 0)
    return mapReader(type, ast, index)
  if (literal.indexSignatures.length > 0 || literal.propertySignatures.length === 0) return slow(type, ast)
  if (literal.propertySignatures.some(({ name }) => typeof name === "symbol")) return slow(type, ast)
  if (type.kind !== "record") return mismatch(type, ast)
  const columns = columnsOf(type, struct)
  const maker = makeRowMaker(
    columns.map(({ column }) => column),
    struct.prototype
  )
  return (plain) => {
    const values = new Array<unknown>(columns.length)
    let isWhole = true
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!
      const value = columnOf(column, plain as Readonly<Record<string, unknown>>)
      if (value === absent || value === leftOut) isWhole = false
      values[i] = value
    }
    return isWhole ? maker.full(values) : maker.partial(values)
  }
}

const columnOf = ({ missing, name, read }: Column, plain: Readonly<Record<string, unknown>>): unknown => {
  let value: unknown = absent
  try {
    if (read !== null) value = read(plain[name])
    if (value === absent) value = missing()
  } catch (error) {
    throw error instanceof Undecodable ? error.within(name) : error
  }
  if (value instanceof Undecodable) throw value.within(name)
  return value
}

const columnsOf = (type: WireRecord, { changes, literal, to }: Struct): ReadonlyArray<Column> => {
  const fields = new Map(type.fields().map((field): readonly [string, WireField] => [field.name, field]))
  return literal.propertySignatures.map((signature) => {
    const name = String(signature.name)
    const field = fields.get(name)
    const column: Column = {
      name,
      column: name,
      read: field === undefined ? null : readerOf(field.type, signature.type),
      missing: missingOf(signature, field)
    }
    const change = changes.find(({ from }) => from === signature.name)
    return change === undefined ? column : changed(column, change, to!)
  })
}

const missingOf = (
  { isOptional, type }: SchemaAST.PropertySignature,
  field: WireField | undefined
): Column["missing"] => {
  if (isOptional) return () => absent
  if (type._tag === "Union" && type.types.some(({ _tag }) => _tag === "UndefinedKeyword")) return () => undefined
  const refusal = field === undefined ? new Undecodable("is missing", 0) : expected(String(type), null)
  return () => refusal
}

const changed = (of: Column, change: SchemaAST.PropertySignatureTransformation, to: SchemaAST.TypeLiteral): Column => {
  const renamed = { ...of, column: String(change.to) }
  if (change.decode === Function.identity) return renamed
  const type = to.propertySignatures.find(({ name }) => name === change.to)!.type
  const holds = ParseResult.is(Schema.make<unknown>(type))
  const settle = (value: Option.Option<unknown>): unknown => {
    const made = change.decode(value)
    if (made._tag === "None") return leftOut
    return holds(made.value) ? made.value : new Undecodable(`expected ${type}`, 0)
  }
  return {
    ...renamed,
    read:
      of.read === null
        ? null
        : (plain) => {
            const value = of.read!(plain)
            return value === absent ? absent : settle(Option.some(value))
          },
    missing: () => {
      const value = of.missing()
      return value instanceof Undecodable ? value : settle(value === absent ? Option.none() : Option.some(value))
    }
  }
}

const mapReader = (
  type: WireType,
  ast: SchemaAST.AST,
  { parameter, type: of }: SchemaAST.IndexSignature
): ReadValue => {
  if (parameter._tag !== "StringKeyword") return slow(type, ast)
  if (type.kind !== "map") return mismatch(type, ast)
  const read = present(readerOf(type.of, of), of)
  return (plain) => {
    const map: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(plain as object))
      putField(
        map,
        name,
        within(name, () => read(value))
      )
    return map
  }
}

const transformationReader = (type: WireType, ast: SchemaAST.Transformation): ReadValue => {
  const { from, to, transformation } = ast
  if (transformation._tag === "TypeLiteralTransformation" && from._tag === "TypeLiteral" && to._tag === "TypeLiteral") {
    if (hasOwnRules(from)) return slow(type, ast)
    const changes = transformation.propertySignatureTransformations
    return structReader(type, ast, { literal: from, changes, prototype: Object.prototype, to })
  }
  const prototype = prototypeOf(ast)
  if (prototype === null || hasOwnRules(from)) return slow(type, ast)
  if (from._tag === "TypeLiteral") return structReader(type, ast, { literal: from, changes: [], prototype })
  if (
    from._tag === "Transformation" &&
    from.transformation._tag === "TypeLiteralTransformation" &&
    from.from._tag === "TypeLiteral" &&
    from.to._tag === "TypeLiteral" &&
    !hasOwnRules(from.from)
  ) {
    const changes = from.transformation.propertySignatureTransformations
    return structReader(type, ast, { literal: from.from, changes, prototype, to: from.to })
  }
  return slow(type, ast)
}

/** Hands the Schema what JSON would have given it. */
const slow = (type: WireType, ast: SchemaAST.AST): ReadValue => {
  const decode = ParseResult.decodeUnknownEither(Schema.make<unknown>(ast))
  const shape = shapeOf(ast)
  return (plain) => {
    const decoded = decode(naturalOf(type, plain, shape))
    if (Either.isLeft(decoded)) throw refused(decoded.left, 0)
    return decoded.right
  }
}
