/**
 * Makes plain values of another format's type of what a Schema says: compiled once for a pair of both, which either can
 * meet for every value or is refused at once. Columns meet fields by the names of the Schema's encoded side.
 */
import { Either, Function, Option, ParseResult, Schema, SchemaAST } from "effect"
import { type ColumnType, columnType, formatDecimal, parseDecimal, parseInstant } from "../../model/Columns.ts"
import { prototypeOf } from "./Compile.ts"
import { refuseEffects } from "./Effectful.ts"
import { Unencodable } from "./Unencodable.ts"
import { format, type Member, Unwritable, type WireField, type WireRecord, type WireType } from "./Wire.ts"

/** Throws `Unencodable`. */
export type WriteValue = (value: unknown) => unknown

/** Throws `Unwritable`. */
export const makeValueWriter = (schema: Schema.Schema<any, any>, type: WireType): WriteValue => {
  refuseEffects(schema.ast)
  return writerOf(schema.ast, type, "")
}

// Private

const writerOf = (ast: SchemaAST.AST, type: WireType, path: string): WriteValue => {
  if (type.kind === "nullable") {
    const write = writerOf(ast, type.of, path)
    return (value) => (value === null || value === undefined ? null : write(value))
  }
  if (type.kind === "union") return memberWriter(ast, type.members, path)
  const column = Option.getOrNull(columnType(ast))
  if (column !== null) return columnWriter(column, type) ?? unwritable(ast, type, path)
  switch (ast._tag) {
    case "StringKeyword":
    case "NumberKeyword":
    case "BooleanKeyword":
    case "BigIntKeyword":
    case "Literal":
    case "Declaration":
      return plainWriter(ast, type) ?? unwritable(ast, type, path)
    case "Refinement":
      return writerOf(ast.from, type, path)
    case "Union": {
      const members = ast.types.filter((one) => one._tag !== "UndefinedKeyword" && !isNull(one))
      if (members.length === ast.types.length && members.every((one) => one._tag === "Literal"))
        return plainWriter(ast, type) ?? unwritable(ast, type, path)
      if (members.length !== 1) return throughSchema(ast, type, path)
      const write = writerOf(members[0]!, type, path)
      return (value) => (value === null || value === undefined ? noNull(path) : write(value))
    }
    case "TupleType":
      if (type.kind !== "list" || ast.elements.length > 0 || ast.rest.length !== 1)
        return throughSchema(ast, type, path)
      return listWriter(writerOf(ast.rest[0]!.type, type.of, `${path}[]`))
    case "TypeLiteral":
      return structWriter(ast, { literal: ast, changes: [] }, type, path)
    case "Transformation":
      return transformationWriter(ast, type, path)
    default:
      return throughSchema(ast, type, path)
  }
}

const isNull = (ast: SchemaAST.AST): boolean => ast._tag === "Literal" && ast.literal === null

const at = (path: string): string => (path === "" ? "" : `${path}: `)

const unwritable = (ast: SchemaAST.AST, type: WireType, path: string): never => {
  throw new Unwritable(`${at(path)}${ast} is no ${format(type)}`)
}

const noNull = (path: string): never => {
  throw new Unencodable(`${at(path)}the schema takes no null`)
}

const or =
  (what: string, convert: (value: any) => unknown): WriteValue =>
  (value) => {
    const made = convert(value)
    if (made === null) throw new Unencodable(`${value} is ${what}`)
    return made
  }

const int32 = (value: number): number | null =>
  Number.isInteger(value) && value >= -2_147_483_648 && value <= 2_147_483_647 ? value : null

const long = ({ unsigned }: { readonly unsigned?: boolean }, value: bigint): bigint | null =>
  (unsigned === true ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value)) === value ? value : null

const columnWriter = (column: ColumnType, type: WireType): WriteValue | null => {
  switch (column.kind) {
    case "int64":
      return wholeWriter(type)
    case "decimal":
      return decimalWriter(column.scale, type)
    case "instant":
      return instantWriter(column.unit, type)
  }
}

const wholeWriter = (type: WireType): WriteValue | null => {
  switch (type.kind) {
    case "long":
      return or("no whole number of 64 bits", (value: bigint) => long(type, value))
    case "int":
      return or("no whole number of 32 bits", (value: bigint) => int32(Number(value)))
    case "decimal":
      return (value) => (value as bigint) * 10n ** BigInt(type.scale)
    case "string":
      return String
    default:
      return null
  }
}

const decimalWriter = (scale: number, type: WireType): WriteValue | null => {
  if (type.kind === "string") return (value) => formatDecimal(value as bigint, scale)
  if (scale === 0 && type.kind !== "decimal") return wholeWriter(type)
  if (type.kind !== "decimal" || type.scale < scale) return null
  const gained = 10n ** BigInt(type.scale - scale)
  return (value) => (value as bigint) * gained
}

const instantWriter = (unit: "iso" | "seconds" | "millis", type: WireType): WriteValue | null => {
  const divisor = unit === "seconds" ? 1000 : 1
  switch (type.kind) {
    case "instant":
      return (value) => value
    case "string":
      return unit === "iso" ? (value) => new Date(value as number).toISOString() : null
    case "long":
      return unit === "iso" ? null : or("no whole number of seconds", (value: number) => wholeOf(value / divisor))
    case "double":
      return unit === "iso" ? null : (value) => (value as number) / divisor
    default:
      return null
  }
}

const wholeOf = (value: number): bigint | null => (Number.isSafeInteger(value) ? BigInt(value) : null)

const listWriter =
  (write: WriteValue): WriteValue =>
  (values) =>
    (values as ReadonlyArray<unknown>).map(write)

/** Of the first member that takes it. */
const memberWriter = (ast: SchemaAST.AST, members: ReadonlyArray<WireType>, path: string): WriteValue => {
  const writers = members.flatMap((type, member) => {
    try {
      return [{ member, write: writerOf(ast, type, path) }]
    } catch (error) {
      if (error instanceof Unwritable) return []
      throw error
    }
  })
  if (writers.length === 0) throw new Unwritable(`${at(path)}${ast} is none of ${members.map(format).join(", ")}`)
  return (value): Member => {
    for (const { member, write } of writers) {
      try {
        return { member, value: write(value) }
      } catch (error) {
        if (!(error instanceof Unencodable)) throw error
      }
    }
    throw new Unencodable(`${at(path)}no member of the union takes the value`)
  }
}

interface Struct {
  readonly literal: SchemaAST.TypeLiteral
  readonly changes: ReadonlyArray<SchemaAST.PropertySignatureTransformation>
}

interface FieldWriter {
  readonly name: string
  readonly write: (row: Readonly<Record<PropertyKey, unknown>>) => unknown
}

const structWriter = (ast: SchemaAST.AST, struct: Struct, type: WireType, path: string): WriteValue => {
  const { literal } = struct
  const [index] = literal.indexSignatures
  if (index !== undefined && literal.propertySignatures.length === 0 && type.kind === "map") {
    const write = writerOf(index.type, type.of, `${path}{}`)
    return (map) => Object.fromEntries(Object.entries(map as object).map(([name, value]) => [name, write(value)]))
  }
  if (literal.indexSignatures.length > 0 || literal.propertySignatures.length === 0)
    return throughSchema(ast, type, path)
  if (type.kind !== "record") return unwritable(ast, type, path)
  const writers = fieldWriters(struct, type, path)
  return (row) => {
    const plain: Record<string, unknown> = {}
    for (const { name, write } of writers) plain[name] = write(row as Readonly<Record<PropertyKey, unknown>>)
    return plain
  }
}

const fieldWriters = ({ changes, literal }: Struct, type: WireRecord, path: string): ReadonlyArray<FieldWriter> => {
  const fields = type.fields()
  const below = (name: string): string => (path === "" ? name : `${path}.${name}`)
  const extra = literal.propertySignatures.find(({ name }) => !fields.some((field) => field.name === name))
  if (extra !== undefined)
    throw new Unwritable(
      `${at(path)}record ${type.name} has no field '${String(extra.name)}': its values would be lost`
    )
  return fields.map((field): FieldWriter => {
    const signature = literal.propertySignatures.find(({ name }) => name === field.name)
    if (signature === undefined) {
      const value = fallbackOf(field)
      if (value === undefined)
        throw new Unwritable(
          `${at(path)}field '${field.name}' of record ${type.name} has no default, and rows have no such column`
        )
      return { name: field.name, write: () => value.value }
    }
    const change = changes.find(({ from }) => from === field.name)
    const column = change === undefined ? field.name : change.to
    const encode = change === undefined || change.encode === Function.identity ? null : change.encode
    const write = writerOf(signature.type, field.type, below(field.name))
    return {
      name: field.name,
      write: (row) => {
        const value = encode === null ? row[column] : encoded(encode, row[column])
        if (value !== undefined || field.type.kind === "nullable") return write(value)
        const fallback = fallbackOf(field)
        if (fallback === undefined) return noNull(below(field.name))
        return fallback.value
      }
    }
  })
}

const fallbackOf = ({ fallback, type }: WireField): { readonly value: unknown } | undefined =>
  fallback ?? (type.kind === "nullable" ? { value: null } : undefined)

const encoded = (encode: (value: Option.Option<unknown>) => Option.Option<unknown>, value: unknown): unknown =>
  Option.getOrUndefined(encode(value === undefined ? Option.none() : Option.some(value)))

const transformationWriter = (ast: SchemaAST.Transformation, type: WireType, path: string): WriteValue => {
  const { from, transformation } = ast
  if (transformation._tag === "TypeLiteralTransformation" && from._tag === "TypeLiteral")
    return structWriter(ast, { literal: from, changes: transformation.propertySignatureTransformations }, type, path)
  return isClass(ast) ? writerOf(from, type, path) : throughSchema(ast, type, path)
}

const isClass = (ast: SchemaAST.Transformation): boolean =>
  prototypeOf(ast) !== null ||
  (ast.to._tag === "Declaration" && ast.annotations[SchemaAST.SurrogateAnnotationId] !== undefined)

/** Writes what the Schema's encoded side says, if the type is one for that. */
const throughSchema = (ast: SchemaAST.AST, type: WireType, path: string): WriteValue => {
  const write = plainWriter(SchemaAST.encodedAST(ast), type)
  if (write === null) return unwritable(ast, type, path)
  const encode = ParseResult.encodeUnknownEither(Schema.make<unknown>(ast))
  return (value) => {
    const found = encode(value)
    if (Either.isLeft(found))
      throw new Unencodable(`${at(path)}${ParseResult.ArrayFormatter.formatIssueSync(found.left)[0]!.message}`)
    return write(found.right)
  }
}

const plainWriter = (ast: SchemaAST.AST, type: WireType): WriteValue | null => {
  switch (ast._tag) {
    case "Refinement":
      return plainWriter(ast.from, type)
    case "StringKeyword":
    case "TemplateLiteral":
      return textWriter(type)
    case "NumberKeyword":
      return numberWriter(type)
    case "BooleanKeyword":
      return type.kind === "boolean" ? (value) => value : null
    case "BigIntKeyword":
      return wholeWriter(type)
    case "Literal":
      return literalWriter(ast.literal, type)
    case "Union":
      return anyOf(ast.types.map((one) => plainWriter(one, type)))
    case "Declaration":
      return ast === Schema.Uint8ArrayFromSelf.ast && type.kind === "bytes" ? (value) => value : null
    default:
      return null
  }
}

/** Members of one kind have one writer. */
const anyOf = (writers: ReadonlyArray<WriteValue | null>): WriteValue | null =>
  writers.length === 0 || writers.includes(null) ? null : writers[0]!

const literalWriter = (literal: SchemaAST.LiteralValue, type: WireType): WriteValue | null => {
  switch (typeof literal) {
    case "string":
      return textWriter(type)
    case "number":
      return numberWriter(type)
    case "boolean":
      return type.kind === "boolean" ? (value) => value : null
    default:
      return literal === null && type.kind === "null" ? () => null : null
  }
}

const textWriter = (type: WireType): WriteValue | null => {
  switch (type.kind) {
    case "string":
      return (value) => value
    case "choice": {
      const symbols = new Set(type.symbols)
      return or(`none of ${type.symbols.join(", ")}`, (value: string) => (symbols.has(value) ? value : null))
    }
    case "decimal":
      return or("no such decimal", (value: string) => parseDecimal(value, type.scale))
    case "long":
      return or("no whole number of 64 bits", (value: string) => {
        const whole = parseDecimal(value, 0)
        return whole === null ? null : long(type, whole)
      })
    case "instant":
      return or("no instant", parseInstant)
    default:
      return null
  }
}

const numberWriter = (type: WireType): WriteValue | null => {
  switch (type.kind) {
    case "double":
      return (value) => value
    case "int":
    case "date":
      return or("no whole number of 32 bits", int32)
    case "long":
      return or("no whole number", (value: number) => {
        const whole = wholeOf(value)
        return whole === null ? null : long(type, whole)
      })
    case "instant":
      return or("no whole number of milliseconds", (value: number) => (Number.isSafeInteger(value) ? value : null))
    default:
      return null
  }
}
