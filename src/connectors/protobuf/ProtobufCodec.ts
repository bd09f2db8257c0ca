/** The codec of Protobuf, in the form that schema registries agree on. */
import { Effect, type Schema } from "effect"
import { type Codec, type RegistryFailure, Undecodable, type Write } from "../../flow/Codec.ts"
import * as Framed from "../../flow/codec/Framed.ts"
import { makeValueReader } from "../../flow/codec/WireReader.ts"
import { makeValueWriter } from "../../flow/codec/WireWriter.ts"
import { type RegisteredSchema, SchemaRegistry, type SchemaRegistryService } from "../../flow/SchemaRegistry.ts"
import type { InvalidSchema } from "../../model/Errors.ts"
import { decodeDepthMax, schemaReferencesMax } from "../../model/Limits.ts"
import { fileOf, type MessageType, type ProtobufFile } from "./ProtobufMessage.ts"

/** How records are written; reading needs none of it. */
export interface ProtobufOptions {
  /**
   * The version of the subject `<topic>-value` or `<topic>-key` to write with, from 1 on. There is no "latest": a replay
   * must write what was written.
   */
  readonly version: number
  /** Which message of it is written, by its place, and for one within another by the places of both. Default: the first. */
  readonly message?: ReadonlyArray<number>
}

/**
 * Protobuf behind the number of its schema, and the place of the message in it.
 *
 * **Reads** each record by the schema that it was written with, into the job's Schema: fields meet by their names in JSON
 * (`orderId` for `order_id`); one that says whether it is there is `null` where it is not, every other has its default.
 * Whole numbers of 64 bits keep every digit as an Int64, a `google.protobuf.Timestamp` is an Instant. **Writes** by the
 * version of the subject that the options name. The registry must give schemas in compiled form (`format=serialized`).
 *
 *     Flow.decode(Order, { codec: Protobuf.codec(), invalid })
 *     Topic.sink("orders.large", Order, { codec: Protobuf.codec({ version: 1 }) })
 */
export const codec = (options?: ProtobufOptions): Codec<RegistryFailure, SchemaRegistry> => ({
  name: "protobuf",
  fetches: true,
  reader: (schema) => Framed.reader((registry, id) => understand(registry, id, schema)),
  writer: (schema, place) =>
    Effect.flatMap(SchemaRegistry, (registry) => writer(registry, schema, Framed.subjectOf(place), options))
})

// Private

/** Why a file is none that can be read: one sentence. */
class FileWrong {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

const understand = (
  registry: SchemaRegistryService,
  id: number,
  schema: Schema.Schema<any, any>
): Effect.Effect<Framed.ReadBehind | Undecodable, RegistryFailure> =>
  Effect.gen(function* () {
    const found = yield* registry.schema(id, "compiled")
    if (found === null) return Framed.unknownSchema(id)
    const file = yield* compiledFile(registry, found)
    return file instanceof FileWrong ? Framed.unusableSchema(id, file.message) : readerOf(file, schema)
  })

interface Known {
  readonly type: MessageType
  readonly make: (plain: unknown) => unknown
}

const readerOf = (file: ProtobufFile, schema: Schema.Schema<any, any>): Framed.ReadBehind => {
  const known = new Map<string, Known>()
  return (bytes, start, end) => {
    const { behind, places } = placesAt(bytes, start, end)
    const key = places.join(".")
    let found = known.get(key)
    if (found === undefined) {
      const type = file.at(places)
      if (type === null) throw new Undecodable(`its schema has no message at place ${key}`, start)
      found = { type, make: makeValueReader(type.wire, schema) }
      known.set(key, found)
    }
    return found.make(plainOf(found.type, bytes.subarray(behind, end), start))
  }
}

const plainOf = ({ read }: MessageType, bytes: Uint8Array, position: number): unknown => {
  try {
    return read(bytes)
  } catch (error) {
    throw new Undecodable(`the bytes are no such message: ${messageOf(error)}`, position)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Which message follows: how many places, and each of them, as zigzag; none stands for the first message. */
const placesAt = (bytes: Uint8Array, start: number, end: number) => {
  let at = start
  const next = (): number => {
    let value = 0
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      if (at >= end) break
      const byte = bytes[at++]!
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -1
    }
    throw new Undecodable("the record ends within the place of its message", start)
  }
  const count = next()
  if (count < 0 || count > decodeDepthMax)
    throw new Undecodable("expected the place of a message, found other bytes", start)
  const places = count === 0 ? [0] : Array.from({ length: count }, next)
  return { behind: at, places }
}

const placesOf = (places: ReadonlyArray<number>): Uint8Array =>
  places.length === 1 && places[0] === 0
    ? Uint8Array.of(0)
    : Uint8Array.from([places.length, ...places].flatMap((place) => unsigned(place * 2)))

const unsigned = (value: number): ReadonlyArray<number> =>
  value < 128 ? [value] : [(value % 128) + 128, ...unsigned(Math.floor(value / 128))]

/** A compiled file with those that it imports. */
const compiledFile = (
  registry: SchemaRegistryService,
  { format, references, text }: RegisteredSchema
): Effect.Effect<ProtobufFile | FileWrong, RegistryFailure> =>
  Effect.gen(function* () {
    if (format !== "PROTOBUF") return new FileWrong(`it is of ${format}, not of PROTOBUF`)
    const imports = new Map<string, Uint8Array>()
    const wrong = yield* addImports(registry, references, imports)
    if (wrong !== null) return wrong
    try {
      return fileOf(fromBase64(text), imports)
    } catch (error) {
      return new FileWrong(`its descriptor cannot be read: ${messageOf(error)}`)
    }
  })

const addImports = (
  registry: SchemaRegistryService,
  references: RegisteredSchema["references"],
  imports: Map<string, Uint8Array>
): Effect.Effect<FileWrong | null, RegistryFailure> =>
  Effect.gen(function* () {
    for (const { name, subject, version } of references) {
      if (imports.has(name)) continue
      if (imports.size >= schemaReferencesMax) return new FileWrong(`it imports more than ${schemaReferencesMax} files`)
      const found = yield* registry.version(subject, version, "compiled")
      if (found === null) return new FileWrong(`it imports version ${version} of ${subject}, which is gone`)
      imports.set(name, fromBase64(found.text))
      const wrong = yield* addImports(registry, found.references, imports)
      if (wrong !== null) return wrong
    }
    return null
  })

const fromBase64 = (text: string): Uint8Array => {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    // What is no base64 is refused as a descriptor: a byte that none begins with.
    return Uint8Array.of(255)
  }
}

const writer = <A, I>(
  registry: SchemaRegistryService,
  schema: Schema.Schema<A, I>,
  subject: string,
  options: ProtobufOptions | undefined
): Effect.Effect<Write<A>, RegistryFailure | InvalidSchema> =>
  Effect.gen(function* () {
    const refuse = (why: string) => Framed.cannotWrite(schema, "Protobuf", why)
    if (options === undefined) return yield* refuse(`no version of the subject ${subject} is named`)
    const { message = [0], version } = options
    const found = yield* registry.version(subject, version, "compiled")
    if (found === null) return yield* refuse(`the subject ${subject} has no version ${version}`)
    const file = yield* compiledFile(registry, found)
    if (file instanceof FileWrong) return yield* refuse(file.message)
    const type = file.at(message)
    if (type === null) return yield* refuse(`it has no message at place ${message.join(".")}`)
    const plainOf = yield* Framed.writable(schema, "Protobuf", () => makeValueWriter(schema, type.wire))
    const places = placesOf(message)
    return (value: A) => {
      const bytes = type.write(plainOf(value))
      const placed = new Uint8Array(places.length + bytes.length)
      placed.set(places)
      placed.set(bytes, places.length)
      return Framed.framed(found.id, placed)
    }
  })
