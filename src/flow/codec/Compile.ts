/** Makes a reader from a Schema's syntax tree; what it has no reader for is decoded by the Schema itself. */
import { Either, Function, Option, ParseResult, Schema, SchemaAST } from "effect"
import { type ColumnType, columnType, parseInstant } from "../../model/Columns.ts"
import { isEventTime } from "../../model/Time.ts"
import { type Cursor, passWord, refuse, refuseFrom, type ValueReader } from "./Cursor.ts"
import { makeDecimalReader, readInt64, readInteger, readNumber } from "./JsonNumber.ts"
import { makeStringReader } from "./JsonString.ts"
import { type Field, makeStructReader } from "./JsonStruct.ts"
import { type Numbers, passArray, readValue } from "./JsonValue.ts"
import { absent, leftOut } from "./RowMaker.ts"
import { plain, shapeOf } from "./Shape.ts"
import { Undecodable } from "./Undecodable.ts"

export interface Compiled {
  readonly read: ValueReader
  /** Does the Schema itself decode the whole value? */
  readonly slow: boolean
  /** The parts that the Schema itself decodes: `total: NumberFromString`. */
  readonly slowParts: ReadonlyArray<string>
  /** What becomes of a field of this kind that is not there. */
  readonly missing: () => unknown
}

/** The reader of a syntax tree; `path` is where it stands in the record. */
export const compileAst = (ast: SchemaAST.AST, path: string): Compiled => {
  if (hasOwnRules(ast)) return slow(ast, path)
  const column = Option.getOrNull(columnType(ast))
  if (column !== null) return fast(columnReader(column))
  switch (ast._tag) {
    case "StringKeyword":
      return fast(makeStringReader())
    case "NumberKeyword":
      return fast(readNumber)
    case "BooleanKeyword":
      return fast(readBoolean)
    case "UnknownKeyword":
    case "AnyKeyword":
      return { ...fast((cursor) => readValue(cursor, plain, noText)), missing: () => undefined }
    case "Literal":
      return literals(ast, [ast], path)
    case "Union":
      return union(ast, path)
    case "Refinement":
      return refinement(ast, path)
    case "TupleType":
      return array(ast, path)
    case "TypeLiteral":
      return struct(ast, ast, [], Object.prototype, path)
    case "Transformation":
      return transformation(ast, path)
    default:
      return slow(ast, path)
  }
}

const missing = new Undecodable("is missing", 0)
const noText: Numbers = { either: "double", undecided: false }

const fast = (read: ValueReader): Compiled => ({ read, slow: false, slowParts: [], missing: () => missing })

/** Options or a fallback that the Schema carries are its own affair. */
export const hasOwnRules = (ast: SchemaAST.AST): boolean =>
  ast.annotations[SchemaAST.ParseOptionsAnnotationId] !== undefined ||
  ast.annotations[SchemaAST.DecodingFallbackAnnotationId] !== undefined

const columnReader = (column: ColumnType): ValueReader => {
  switch (column.kind) {
    case "int64":
      return readInt64
    case "decimal":
      return makeDecimalReader(column.precision, column.scale)
    case "instant":
      return column.unit === "iso" ? makeInstantReader() : makeInstantCountReader(column.unit)
  }
}

const makeInstantReader = (): ValueReader<number> => {
  const readText = makeStringReader()
  return (cursor) => {
    const start = cursor.position
    return parseInstant(readText(cursor)) ?? refuseFrom(cursor, start, "an ISO 8601 instant")
  }
}

const makeInstantCountReader = (unit: "seconds" | "millis"): ValueReader<number> => {
  const millis = unit === "seconds" ? 1000 : 1
  return (cursor) => {
    const start = cursor.position
    const at = Math.round(readNumber(cursor) * millis) + 0
    return isEventTime(at) ? at : refuseFrom(cursor, start, `${unit} of the years 1 to 9999`)
  }
}

const readBoolean: ValueReader<boolean> = (cursor) => {
  const byte = cursor.bytes[cursor.position]
  if (byte !== 116 && byte !== 102) return refuse(cursor, "true or false")
  passWord(cursor, byte === 116 ? "true" : "false")
  return byte === 116
}

/** Reads a string, a number or a word that is one of the literals. */
const literals = (ast: SchemaAST.AST, members: ReadonlyArray<SchemaAST.Literal>, path: string): Compiled => {
  if (members.some((member) => typeof member.literal === "bigint")) return slow(ast, path)
  const allowed = new Set<unknown>(members.map((member) => member.literal))
  const expected = members.map((member) => JSON.stringify(member.literal)).join(" | ")
  const readText = makeStringReader()
  return fast((cursor) => {
    const start = cursor.position
    const value =
      cursor.bytes[start] === 34 ? readText(cursor) : isScalar(cursor) ? readValue(cursor, plain, noText) : absent
    return allowed.has(value) ? value : refuseFrom(cursor, start, expected)
  })
}

const isScalar = (cursor: Cursor): boolean => {
  const byte = cursor.bytes[cursor.position]
  return byte !== 123 && byte !== 91
}

const union = (ast: SchemaAST.Union, path: string): Compiled => {
  const members = ast.types.filter((type) => type._tag !== "UndefinedKeyword" && type._tag !== "NeverKeyword")
  const optional = ast.types.some((type) => type._tag === "UndefinedKeyword")
  const values = members.filter((type) => !isNull(type))
  const compiled = members.every((type) => type._tag === "Literal")
    ? literals(ast, members as ReadonlyArray<SchemaAST.Literal>, path)
    : values.length === 1
      ? nullable(ast, values[0]!, values.length < members.length, path)
      : slow(ast, path)
  return compiled.slow || !optional ? compiled : { ...compiled, missing: () => undefined }
}

const isNull = (ast: SchemaAST.AST): boolean => ast._tag === "Literal" && ast.literal === null

const nullable = (ast: SchemaAST.AST, of: SchemaAST.AST, takesNull: boolean, path: string): Compiled => {
  const compiled = compileAst(of, path)
  if (compiled.slow) return slow(ast, path)
  if (!takesNull) return compiled
  const read = compiled.read
  return {
    ...compiled,
    read: (cursor) => {
      if (cursor.bytes[cursor.position] !== 110) return read(cursor)
      passWord(cursor, "null")
      return null
    }
  }
}

const refinement = (ast: SchemaAST.Refinement, path: string): Compiled => {
  if (ast.annotations[SchemaAST.SchemaIdAnnotationId] === Schema.IntSchemaId && ast.from._tag === "NumberKeyword") {
    return fast(readInteger)
  }
  const from = compileAst(ast.from, path)
  if (from.slow) return slow(ast, path)
  const { read } = from
  return {
    ...fast((cursor) => {
      const start = cursor.position
      const value = read(cursor)
      const issue = ast.filter(value, SchemaAST.defaultParseOption, ast)
      if (issue._tag === "Some") throw refused(new ParseResult.Refinement(ast, value, "Predicate", issue.value), start)
      return value
    }),
    slowParts: from.slowParts
  }
}

const array = (ast: SchemaAST.TupleType, path: string): Compiled => {
  const [rest, ...others] = ast.rest
  if (rest === undefined || others.length > 0 || ast.elements.length > 0) return slow(ast, path)
  const element = compileAst(rest.type, `${path}[]`)
  if (element.slow) return slow(ast, path)
  const { read } = element
  return {
    ...fast((cursor) => {
      const values: Array<unknown> = []
      try {
        passArray(cursor, () => values.push(read(cursor)))
      } catch (error) {
        throw error instanceof Undecodable ? error.within(values.length) : error
      }
      return values
    }),
    slowParts: element.slowParts
  }
}

/** Fields of an object, with what the Schema does to them once they are read: another name, a default. */
const struct = (
  ast: SchemaAST.AST,
  literal: SchemaAST.TypeLiteral,
  changes: ReadonlyArray<SchemaAST.PropertySignatureTransformation>,
  prototype: object,
  path: string,
  to?: SchemaAST.TypeLiteral
): Compiled => {
  const signatures = literal.propertySignatures
  if (signatures.length === 0 || literal.indexSignatures.length > 0) return slow(ast, path)
  if (signatures.some((signature) => typeof signature.name === "symbol")) return slow(ast, path)
  if (changes.some((change) => !signatures.some((signature) => signature.name === change.from))) return slow(ast, path)
  const slowParts: Array<string> = []
  const fields = signatures.map((signature): Field => {
    const name = String(signature.name)
    const compiled = compileAst(signature.type, path === "" ? name : `${path}.${name}`)
    slowParts.push(...compiled.slowParts)
    const field: Field = {
      name,
      column: name,
      read: compiled.read,
      missing: signature.isOptional ? () => absent : compiled.missing
    }
    const change = changes.find((change) => change.from === signature.name)
    return change === undefined ? field : changed(field, change, to!)
  })
  return { ...fast(makeStructReader(fields, prototype)), slowParts }
}

const changed = (field: Field, change: SchemaAST.PropertySignatureTransformation, to: SchemaAST.TypeLiteral): Field => {
  const renamed = { ...field, column: String(change.to) }
  if (change.decode === Function.identity) return renamed
  const type = to.propertySignatures.find((signature) => signature.name === change.to)!.type
  const holds = ParseResult.is(Schema.make<unknown>(type))
  const settle = (value: Option.Option<unknown>): unknown => {
    const made = change.decode(value)
    if (made._tag === "None") return leftOut
    return holds(made.value) ? made.value : new Undecodable(`expected ${type}`, 0)
  }
  return {
    ...renamed,
    read: (cursor) => {
      const start = cursor.position
      const value = settle(Option.some(field.read(cursor)))
      if (value instanceof Undecodable) throw new Undecodable(value.reason, start)
      return value
    },
    missing: () => {
      const value = field.missing()
      return value instanceof Undecodable ? value : settle(value === absent ? Option.none() : Option.some(value))
    }
  }
}

const transformation = (ast: SchemaAST.Transformation, path: string): Compiled => {
  const { from, to, transformation } = ast
  if (transformation._tag === "TypeLiteralTransformation" && from._tag === "TypeLiteral" && to._tag === "TypeLiteral") {
    if (hasOwnRules(from)) return slow(ast, path)
    return struct(ast, from, transformation.propertySignatureTransformations, Object.prototype, path, to)
  }
  const prototype = prototypeOf(ast)
  if (prototype === null || hasOwnRules(from)) return slow(ast, path)
  if (from._tag === "TypeLiteral") return struct(ast, from, [], prototype, path)
  if (
    from._tag === "Transformation" &&
    from.transformation._tag === "TypeLiteralTransformation" &&
    from.from._tag === "TypeLiteral" &&
    from.to._tag === "TypeLiteral" &&
    !hasOwnRules(from.from)
  ) {
    return struct(ast, from.from, from.transformation.propertySignatureTransformations, prototype, path, from.to)
  }
  return slow(ast, path)
}

/**
 * The prototype that `Schema.Class` gives to its values, so that rows are instances without a call of the constructor.
 * `null` for any other transformation, and for a class whose constructor does more than take its fields.
 */
export const prototypeOf = (ast: SchemaAST.Transformation): object | null => {
  if (ast.to._tag !== "Declaration" || ast.transformation._tag !== "FinalTransformation") return null
  if (ast.annotations[SchemaAST.SurrogateAnnotationId] === undefined) return null
  const type = SchemaAST.typeAST(ast.from)
  if (type._tag !== "TypeLiteral") return null
  const given = Object.fromEntries(type.propertySignatures.map(({ name }) => [name, Symbol(String(name))]))
  try {
    const made = ast.transformation.decode(given, SchemaAST.defaultParseOption, ast, given)
    if (!Either.isEither(made) || Either.isLeft(made)) return null
    const value = made.right as object
    const names = Reflect.ownKeys(value)
    const plain = names.length === type.propertySignatures.length
    return plain && names.every((name) => Reflect.get(value, name) === given[name as string])
      ? Object.getPrototypeOf(value)
      : null
  } catch {
    return null
  }
}

/** Reads a value whole and hands it to the Schema. */
const slow = (ast: SchemaAST.AST, path: string): Compiled => {
  const decode = ParseResult.decodeUnknownEither(Schema.make<unknown>(ast))
  const shape = shapeOf(ast)
  return {
    read: (cursor) => {
      const { position } = cursor
      const numbers: Numbers = { either: "text", undecided: false }
      let decoded = decode(readValue(cursor, shape, numbers))
      if (Either.isLeft(decoded) && numbers.undecided) {
        cursor.position = position
        const again = decode(readValue(cursor, shape, { either: "double", undecided: false }))
        if (Either.isRight(again)) decoded = again
      }
      if (Either.isLeft(decoded)) throw refused(decoded.left, position)
      return decoded.right
    },
    slow: true,
    slowParts: [path === "" ? String(ast) : `${path}: ${ast}`],
    missing: () => {
      const decoded = decode(undefined)
      return Either.isRight(decoded) ? decoded.right : missing
    }
  }
}

/** One sentence of what a Schema refuses, with the path to it. */
export const refused = (issue: ParseResult.ParseIssue, position: number): Undecodable => {
  const first = ParseResult.ArrayFormatter.formatIssueSync(issue)[0]!
  const path = first.path.map((step) => (typeof step === "number" ? step : String(step)))
  return new Undecodable(first.message.replace(/\s+/g, " "), position, path)
}
