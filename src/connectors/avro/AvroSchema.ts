/**
 * A schema of Avro, as a reader and a writer of plain values.
 *
 * Logical types: `decimal`, `date`, `timestamp-millis`, `timestamp-micros`, `timestamp-nanos` (digits behind the
 * millisecond are dropped). Others are values of the type that they stand on, as the standard wants.
 */
import { Unencodable } from "../../flow/Codec.ts"
import { makeRowMaker } from "../../flow/codec/RowMaker.ts"
import type { Member, WireField, WireType } from "../../flow/codec/Wire.ts"
import { type AvroInput, type AvroOutput, unscaledBytes } from "./AvroBytes.ts"

export interface AvroType {
  readonly wire: WireType
  readonly read: (input: AvroInput) => unknown
  readonly write: (output: AvroOutput, plain: never) => void
}

/** What is no schema of Avro. */
export class AvroSchemaWrong {
  /** One sentence. */
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** Types that have a name, by it: those of this schema, and of the schemas that it refers to. */
export type Names = Map<string, AvroType>

/** The type that a schema's text means. Throws `AvroSchemaWrong`. */
export const parse = (text: string, names: Names = new Map()): AvroType => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // A type that has a name only may stand without quotes.
    json = text.trim()
  }
  return typeOf(json, { names, namespace: "" })
}

// Private

interface Scope {
  readonly names: Names
  readonly namespace: string
}

type Json = Readonly<Record<string, unknown>>

const typeOf = (json: unknown, scope: Scope): AvroType => {
  if (typeof json === "string") return primitives[json] ?? named(json, scope)
  if (Array.isArray(json)) return unionOf(json, scope)
  if (typeof json !== "object" || json === null) throw new AvroSchemaWrong(`${JSON.stringify(json)} is no type`)
  const { type } = json as Json
  switch (type) {
    case "record":
    case "error":
      return recordOf(json as Json, scope)
    case "enum":
      return enumOf(json as Json, scope)
    case "fixed":
      return fixedOf(json as Json, scope)
    case "array":
      return arrayOf(typeOf((json as Json).items, scope))
    case "map":
      return mapOf(typeOf((json as Json).values, scope))
    default:
      return logical(json as Json, typeOf(type, scope))
  }
}

const simple = <A>(
  wire: WireType,
  read: (input: AvroInput) => A,
  write: (output: AvroOutput, plain: A) => void
): AvroType => ({ wire, read, write })

const bytesType = simple(
  { kind: "bytes" },
  (input) => input.fixed(input.length()),
  (output, bytes: Uint8Array) => output.bytes(bytes)
)
const longType = simple(
  { kind: "long" },
  (input) => input.long(),
  (output, value: bigint) => output.long(value)
)
const intType = simple(
  { kind: "int" },
  (input) => input.int(),
  (output, value: number) => output.int(value)
)

const primitives: Readonly<Record<string, AvroType>> = {
  null: simple(
    { kind: "null" },
    () => null,
    () => {}
  ),
  boolean: simple(
    { kind: "boolean" },
    (input) => input.boolean(),
    (output, value: boolean) => output.byte(Number(value))
  ),
  int: intType,
  long: longType,
  float: simple(
    { kind: "double" },
    (input) => input.float(),
    (output, value: number) => output.float(value)
  ),
  double: simple(
    { kind: "double" },
    (input) => input.double(),
    (output, value: number) => output.double(value)
  ),
  string: simple(
    { kind: "string" },
    (input) => input.text(),
    (output, text: string) => output.text(text)
  ),
  bytes: bytesType
}

const named = (name: string, { names, namespace }: Scope): AvroType => {
  const found = names.get(fullName(name, namespace)) ?? names.get(name)
  if (found === undefined) throw new AvroSchemaWrong(`no type is called '${name}'`)
  return found
}

const fullName = (name: string, namespace: string): string =>
  name.includes(".") || namespace === "" ? name : `${namespace}.${name}`

/** The scope within a type that has a name, and that name. */
const nameOf = (json: Json, scope: Scope): { readonly name: string; readonly within: Scope } => {
  const { name, namespace = scope.namespace } = json
  if (typeof name !== "string" || name === "" || typeof namespace !== "string")
    throw new AvroSchemaWrong(`a ${json.type} has no name`)
  const full = fullName(name, namespace)
  if (scope.names.has(full)) throw new AvroSchemaWrong(`two types are called '${full}'`)
  return { name: full, within: { ...scope, namespace: full.split(".").slice(0, -1).join(".") } }
}

const unionOf = (json: ReadonlyArray<unknown>, scope: Scope): AvroType => {
  const members = json.map((one) => typeOf(one, scope))
  const nullAt = members.findIndex(({ wire }) => wire.kind === "null")
  if (members.length === 2 && nullAt >= 0) return nullableOf(members[1 - nullAt]!, nullAt)
  return simple(
    { kind: "union", members: members.map(({ wire }) => wire) },
    (input): Member => {
      const member = memberOf(input, members.length)
      return { member, value: nested(input, members[member]!) }
    },
    (output, { member, value }: Member) => {
      output.int(member)
      members[member]!.write(output, value as never)
    }
  )
}

const nullableOf = (of: AvroType, nullAt: number): AvroType =>
  simple<unknown>(
    { kind: "nullable", of: of.wire },
    (input) => (memberOf(input, 2) === nullAt ? null : nested(input, of)),
    (output, value) => {
      output.int(value === null ? nullAt : 1 - nullAt)
      if (value !== null) of.write(output, value as never)
    }
  )

const memberOf = (input: AvroInput, count: number): number => {
  const member = input.int()
  if (member < 0 || member >= count) throw input.refusal(`the union has ${count} members, and none at ${member}`)
  return member
}

const nested = (input: AvroInput, type: AvroType): unknown => {
  input.enter()
  const value = type.read(input)
  input.leave()
  return value
}

const recordOf = (json: Json, scope: Scope): AvroType => {
  const { name, within } = nameOf(json, scope)
  if (!Array.isArray(json.fields)) throw new AvroSchemaWrong(`record ${name} has no fields`)
  const types: Array<AvroType> = []
  const fields: Array<WireField> = []
  const maker = makeRowMaker(
    json.fields.map((field: Json) => String(field.name)),
    Object.prototype
  )
  const type = simple<Readonly<Record<string, unknown>>>(
    { kind: "record", name, fields: () => fields },
    (input) => {
      input.enter()
      const values = new Array<unknown>(types.length)
      for (let i = 0; i < types.length; i++) values[i] = types[i]!.read(input)
      input.leave()
      return maker.full(values) as Readonly<Record<string, unknown>>
    },
    (output, row) => {
      for (let i = 0; i < types.length; i++) types[i]!.write(output, row[fields[i]!.name] as never)
    }
  )
  // Before its fields: one of them may hold it.
  scope.names.set(name, type)
  for (const field of json.fields as ReadonlyArray<Json>) {
    if (typeof field.name !== "string") throw new AvroSchemaWrong(`a field of record ${name} has no name`)
    const of = typeOf(field.type, within)
    types.push(of)
    const fallback = "default" in field ? { fallback: { value: plainOf(of.wire, field.default) } } : {}
    fields.push({ name: field.name, type: of.wire, ...fallback })
  }
  return type
}

const enumOf = (json: Json, scope: Scope): AvroType => {
  const { name } = nameOf(json, scope)
  const symbols = json.symbols as ReadonlyArray<string>
  if (!Array.isArray(symbols) || symbols.length === 0) throw new AvroSchemaWrong(`enum ${name} has no symbols`)
  const indexes = new Map(symbols.map((symbol, i) => [symbol, i]))
  const type = simple<string>(
    { kind: "choice", symbols },
    (input) => {
      const index = input.int()
      const symbol = symbols[index]
      if (symbol === undefined) throw input.refusal(`enum ${name} has ${symbols.length} symbols, and none at ${index}`)
      return symbol
    },
    (output, symbol) => output.int(indexes.get(symbol)!)
  )
  scope.names.set(name, type)
  return type
}

const fixedOf = (json: Json, scope: Scope): AvroType => {
  const { name } = nameOf(json, scope)
  const size = json.size as number
  if (!Number.isSafeInteger(size) || size < 0) throw new AvroSchemaWrong(`fixed ${name} has no size`)
  const plain = simple<Uint8Array>(
    { kind: "bytes" },
    (input) => input.fixed(size),
    (output, bytes) => {
      if (bytes.length !== size) throw new Unencodable(`fixed ${name} has ${size} bytes, not ${bytes.length}`)
      output.fixed(bytes)
    }
  )
  const type = json.logicalType === "decimal" ? decimalOf(json, size, plain) : plain
  scope.names.set(name, type)
  return type
}

const arrayOf = (of: AvroType): AvroType =>
  simple<ReadonlyArray<unknown>>(
    { kind: "list", of: of.wire },
    (input) => {
      const values: Array<unknown> = []
      for (let count = input.block(); count > 0; count = input.block())
        for (let i = 0; i < count; i++) values.push(nested(input, of))
      return values
    },
    (output, values) => {
      if (values.length > 0) output.int(values.length)
      for (const value of values) of.write(output, value as never)
      output.int(0)
    }
  )

const mapOf = (of: AvroType): AvroType =>
  simple<Readonly<Record<string, unknown>>>(
    { kind: "map", of: of.wire },
    (input) => {
      // Without a prototype, any name is only a name.
      const map: Record<string, unknown> = Object.create(null)
      for (let count = input.block(); count > 0; count = input.block())
        for (let i = 0; i < count; i++) map[input.text()] = nested(input, of)
      return map
    },
    (output, map) => {
      const entries = Object.entries(map)
      if (entries.length > 0) output.int(entries.length)
      for (const [name, value] of entries) {
        output.text(name)
        of.write(output, value as never)
      }
      output.int(0)
    }
  )

/** Parts of a millisecond, by logical type. */
const instants: Readonly<Record<string, bigint>> = {
  "timestamp-millis": 1n,
  "timestamp-micros": 1_000n,
  "timestamp-nanos": 1_000_000n
}

const logical = (json: Json, of: AvroType): AvroType => {
  const { logicalType } = json
  const parts = instants[String(logicalType)]
  if (of === longType && parts !== undefined) return instantOf(parts)
  if (of === intType && logicalType === "date") return { ...intType, wire: { kind: "date" } }
  return of === bytesType && logicalType === "decimal" ? decimalOf(json, null, of) : of
}

const instantOf = (parts: bigint): AvroType =>
  simple<number>(
    { kind: "instant" },
    (input) => (parts === 1n ? Number(input.long()) : Number(floored(input.long(), parts))),
    (output, at) => output.long(BigInt(at) * parts)
  )

const floored = (value: bigint, by: bigint): bigint => (value < 0n ? (value - by + 1n) / by : value / by)

/** What has no right precision and scale is bytes, as the standard wants. */
const decimalOf = (json: Json, size: number | null, plain: AvroType): AvroType => {
  const precision = json.precision as number
  const scale = (json.scale ?? 0) as number
  if (
    !Number.isSafeInteger(precision) ||
    precision < 1 ||
    !Number.isSafeInteger(scale) ||
    scale < 0 ||
    scale > precision
  )
    return plain
  const bound = 10n ** BigInt(precision)
  return simple<bigint>(
    { kind: "decimal", precision, scale },
    (input) => input.unscaled(size ?? input.length()),
    (output, value) => {
      const bytes = value < bound && value > -bound ? unscaledBytes(value, size ?? undefined) : null
      if (bytes === null) throw new Unencodable(`${value} has more digits than decimal(${precision}, ${scale})`)
      if (size === null) output.bytes(bytes)
      else output.fixed(bytes)
    }
  )
}

/** The plain value of a field's default, as a schema says it in JSON. */
const plainOf = (type: WireType, json: unknown): unknown => {
  switch (type.kind) {
    case "long":
      return BigInt(Math.trunc(Number(json)))
    case "bytes":
      return Uint8Array.from(String(json), (character) => character.charCodeAt(0))
    case "decimal":
      return BigInt.asIntN(
        String(json).length * 8,
        [...String(json)].reduce((sum, character) => sum * 256n + BigInt(character.charCodeAt(0)), 0n)
      )
    case "nullable":
      return json === null ? null : plainOf(type.of, json)
    // A default is of the first member.
    case "union":
      return { member: 0, value: plainOf(type.members[0]!, json) } satisfies Member
    case "list":
      return (json as ReadonlyArray<unknown>).map((element) => plainOf(type.of, element))
    case "map":
      return Object.fromEntries(Object.entries(json as Json).map(([name, value]) => [name, plainOf(type.of, value)]))
    case "record":
      return Object.fromEntries(
        type.fields().map((field) => {
          const value = (json as Json)[field.name]
          return [field.name, value === undefined ? field.fallback?.value : plainOf(field.type, value)]
        })
      )
    default:
      return json
  }
}
