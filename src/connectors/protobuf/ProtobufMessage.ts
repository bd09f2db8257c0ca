/**
 * Messages of Protobuf as plain values, by the library of its makers.
 *
 * Fields are known by their names in JSON: `orderId` for `order_id`. A field that says whether it is there is `null`
 * where it is not; every other has its default. `google.protobuf.Timestamp` is an instant, whose digits behind the
 * millisecond are dropped.
 */
import {
  create,
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  fromBinary,
  type Message,
  ScalarType,
  toBinary
} from "@bufbuild/protobuf"
import {
  protoCamelCase,
  type ReflectList,
  type ReflectMap,
  type ReflectMessage,
  reflect
} from "@bufbuild/protobuf/reflect"
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers
} from "@bufbuild/protobuf/wkt"
import type { WireField, WireType } from "../../flow/codec/Wire.ts"
import { decodeDepthMax } from "../../model/Limits.ts"

export interface MessageType {
  readonly wire: WireType
  /** Throws an `Error` that says why the bytes are no such message. */
  readonly read: (bytes: Uint8Array) => unknown
  readonly write: (plain: unknown) => Uint8Array
}

/** A file of messages. */
export interface ProtobufFile {
  /** The message at these places, the outermost first, each among those of the one before; `null`: there is none. */
  readonly at: (places: ReadonlyArray<number>) => MessageType | null
}

/** A compiled file, and those that it imports, by their names. Throws an `Error` where it is none, or one is missing. */
export const fileOf = (compiled: Uint8Array, imports: ReadonlyMap<string, Uint8Array>): ProtobufFile => {
  const main = fromBinary(FileDescriptorProtoSchema, compiled)
  return fileFrom(main, (name) => {
    const found = imports.get(name)
    return found === undefined ? wellKnown.get(name) : fromBinary(FileDescriptorProtoSchema, found)
  })
}

// Private

const wellKnown: ReadonlyMap<string, DescFile> = new Map(
  [
    file_google_protobuf_any,
    file_google_protobuf_duration,
    file_google_protobuf_empty,
    file_google_protobuf_struct,
    file_google_protobuf_timestamp,
    file_google_protobuf_wrappers
  ].map((file) => [`${file.name}.proto`, file])
)

const fileFrom = (
  main: FileDescriptorProto,
  resolve: (name: string) => FileDescriptorProto | DescFile | undefined
): ProtobufFile => {
  const file = createFileRegistry(main, resolve).getFile(main.name)
  const types = new Map<DescMessage, MessageType>()
  return {
    at: (places) => {
      let among: ReadonlyArray<DescMessage> = file?.messages ?? []
      let found: DescMessage | undefined
      for (const place of places) {
        found = among[place]
        among = found?.nestedMessages ?? []
      }
      if (found === undefined) return null
      const type = types.get(found) ?? typeOf(found)
      types.set(found, type)
      return type
    }
  }
}

const typeOf = (message: DescMessage): MessageType => ({
  wire: messageType(message),
  read: (bytes) =>
    plainOf(reflect(message, fromBinary(message, bytes, { readUnknownFields: false, recursionLimit: decodeDepthMax }))),
  write: (plain) => toBinary(message, messageOf(message, plain as Plain).message as Message)
})

type Plain = Readonly<Record<string, unknown>>

const timestampName = "google.protobuf.Timestamp"

const messageType = (message: DescMessage): WireType =>
  message.typeName === timestampName
    ? { kind: "instant" }
    : { kind: "record", name: message.typeName, fields: () => message.fields.map(fieldType) }

const fieldType = (field: DescField): WireField => {
  const type = valueType(field)
  return {
    name: nameOf(field),
    type: isOptional(field) ? { kind: "nullable", of: type } : type,
    fallback: fallbackOf(field, type)
  }
}

/** A descriptor need not say what the name in JSON is. */
const nameOf = ({ name, proto }: DescField): string => proto.jsonName || protoCamelCase(name)

/** Does the message say whether the field is there? */
const isOptional = (field: DescField): boolean =>
  field.oneof !== undefined || field.fieldKind === "message" || (isSingle(field) && field.presence === explicitPresence)

/** As a descriptor says it. */
const explicitPresence = 1

const isSingle = ({ fieldKind }: DescField): boolean => fieldKind === "scalar" || fieldKind === "enum"

const fallbackOf = (field: DescField, type: WireType): { readonly value: unknown } => {
  if (isOptional(field)) return { value: null }
  switch (type.kind) {
    case "list":
      return { value: [] }
    case "map":
      return { value: {} }
    case "choice":
      return { value: type.symbols[0] }
    case "long":
      return { value: 0n }
    case "string":
      return { value: "" }
    case "bytes":
      return { value: new Uint8Array(0) }
    case "boolean":
      return { value: false }
    default:
      return { value: 0 }
  }
}

const valueType = (field: DescField): WireType => {
  switch (field.fieldKind) {
    case "scalar":
      return scalarType(field.scalar)
    case "enum":
      return enumType(field.enum)
    case "message":
      return messageType(field.message)
    case "list":
      return { kind: "list", of: elementType(field) }
    case "map":
      return { kind: "map", of: elementType(field) }
  }
}

type Collection = Extract<DescField, { readonly fieldKind: "list" | "map" }>

const elementType = (field: Collection): WireType => {
  if (field.message !== undefined) return messageType(field.message)
  return field.enum !== undefined ? enumType(field.enum) : scalarType(field.scalar!)
}

const enumType = ({ values }: DescEnum): WireType => ({ kind: "choice", symbols: values.map(({ name }) => name) })

const scalarType = (scalar: ScalarType): WireType => {
  switch (scalar) {
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { kind: "double" }
    case ScalarType.BOOL:
      return { kind: "boolean" }
    case ScalarType.STRING:
      return { kind: "string" }
    case ScalarType.BYTES:
      return { kind: "bytes" }
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { kind: "int" }
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { kind: "long", unsigned: true }
    default:
      return { kind: "long" }
  }
}

const isUnsigned32 = (scalar: ScalarType | undefined): boolean =>
  scalar === ScalarType.UINT32 || scalar === ScalarType.FIXED32

// From messages

const plainOf = (message: ReflectMessage): unknown => {
  if (message.desc.typeName === timestampName) return instantOf(message.message as Message & Timestamp)
  const plain: Record<string, unknown> = {}
  for (const field of message.fields)
    plain[nameOf(field)] = isOptional(field) && !message.isSet(field) ? null : fieldOf(field, message.get(field))
  return plain
}

interface Timestamp {
  readonly seconds: bigint
  readonly nanos: number
}

const instantOf = ({ nanos, seconds }: Timestamp): number => Number(seconds) * 1000 + Math.floor(nanos / 1_000_000)

const fieldOf = (field: DescField, value: unknown): unknown => {
  switch (field.fieldKind) {
    case "list":
      return [...(value as ReflectList)].map((element) => elementOf(field, element))
    case "map": {
      // Without a prototype, any name is only a name.
      const map: Record<string, unknown> = Object.create(null)
      for (const [name, element] of value as ReflectMap) map[String(name)] = elementOf(field, element)
      return map
    }
    default:
      return elementOf(field, value)
  }
}

const elementOf = (field: DescField, value: unknown): unknown => {
  if (field.message !== undefined) return plainOf(value as ReflectMessage)
  if (field.enum !== undefined) return field.enum.value[value as number]?.name ?? String(value)
  if (isUnsigned32(field.scalar)) return BigInt(value as number)
  // A value outlives its batch, so it must not hold the batch's buffer.
  return value instanceof Uint8Array ? value.slice() : value
}

// To messages

const messageOf = (desc: DescMessage, plain: unknown): ReflectMessage => {
  const message = reflect(desc, create(desc))
  if (desc.typeName === timestampName) {
    const at = plain as number
    const seconds = Math.floor(at / 1000)
    Object.assign(message.message, { seconds: BigInt(seconds), nanos: (at - seconds * 1000) * 1_000_000 })
    return message
  }
  for (const field of desc.fields) {
    const value = (plain as Plain)[nameOf(field)]
    if (value !== null && value !== undefined) setField(message, field, value)
  }
  return message
}

const setField = (message: ReflectMessage, field: DescField, value: unknown): void => {
  switch (field.fieldKind) {
    case "list": {
      const list = message.get(field) as ReflectList
      for (const element of value as ReadonlyArray<unknown>) list.add(driverValue(field, element))
      return
    }
    case "map": {
      const map = message.get(field) as ReflectMap
      for (const [name, element] of Object.entries(value as object))
        map.set(keyOf(field.mapKey, name), driverValue(field, element))
      return
    }
    default:
      message.set(field, driverValue(field, value))
  }
}

const keyOf = (scalar: ScalarType, name: string): string | number | bigint | boolean => {
  const { kind } = scalarType(scalar)
  if (kind === "string") return name
  if (kind === "boolean") return name === "true"
  return kind === "long" && !isUnsigned32(scalar) ? BigInt(name) : Number(name)
}

const driverValue = (field: DescField, value: unknown): unknown => {
  if (field.message !== undefined) return messageOf(field.message, value)
  if (field.enum !== undefined) return field.enum.values.find(({ name }) => name === value)?.number ?? Number(value)
  return isUnsigned32(field.scalar) ? Number(value) : value
}
