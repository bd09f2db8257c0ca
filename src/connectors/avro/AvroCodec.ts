/** The codec of Avro, in the form that schema registries agree on. */
import { Effect, type Schema } from "effect"
import type { Codec, RegistryFailure, Undecodable, Write } from "../../flow/Codec.ts"
import * as Framed from "../../flow/codec/Framed.ts"
import { wireOf } from "../../flow/codec/WireOf.ts"
import { makeValueReader } from "../../flow/codec/WireReader.ts"
import { makeValueWriter } from "../../flow/codec/WireWriter.ts"
import {
  type RegisteredSchema,
  SchemaRegistry,
  type SchemaRegistryService,
  type SchemaVersion
} from "../../flow/SchemaRegistry.ts"
import type { InvalidSchema } from "../../model/Errors.ts"
import { schemaReferencesMax } from "../../model/Limits.ts"
import { AvroInput, AvroOutput } from "./AvroBytes.ts"
import { AvroSchemaWrong, type AvroType, type Names, parse } from "./AvroSchema.ts"
import { textOf } from "./AvroText.ts"

/**
 * Avro behind the number of its schema: a zero byte, four bytes, the value.
 *
 * **Reads** each record by the schema that it was written with, into the job's Schema: fields meet by name, new ones of
 * the job take its defaults, others are dropped, `int` and `long` are widened, `bytes` and `fixed` of the logical type
 * `decimal` keep every digit, a `long` does as an Int64. **Writes** by the schema of the subject `<topic>-value` or
 * `<topic>-key`: the one that is made of the job's Schema, or the one that the options name. It must be registered,
 * unless `register` is set.
 *
 *     Flow.decode(Order, { codec: Avro.codec(), invalid })
 *     Topic.sink("orders.large", Order, { codec: Avro.codec({ register: true }) })
 */
export const codec = (options: Framed.WriterOptions = {}): Codec<RegistryFailure, SchemaRegistry> => ({
  name: "avro",
  fetches: true,
  reader: (schema) => Framed.reader((registry, id) => understand(registry, id, schema)),
  writer: (schema, place) =>
    Effect.flatMap(SchemaRegistry, (registry) => writer(registry, schema, Framed.subjectOf(place), options))
})

// Private

const understand = (
  registry: SchemaRegistryService,
  id: number,
  schema: Schema.Schema<any, any>
): Effect.Effect<Framed.ReadBehind | Undecodable, RegistryFailure> =>
  Effect.gen(function* () {
    const found = yield* registry.schema(id, "source")
    if (found === null) return Framed.unknownSchema(id)
    const type = yield* typeOf(registry, found)
    return type instanceof AvroSchemaWrong ? Framed.unusableSchema(id, type.message) : readerOf(type, schema)
  })

const readerOf = (type: AvroType, schema: Schema.Schema<any, any>): Framed.ReadBehind => {
  const make = makeValueReader(type.wire, schema)
  const input = new AvroInput()
  return (bytes, start, end) => {
    input.open(bytes, start, end)
    const plain = type.read(input)
    input.close()
    return make(plain)
  }
}

/** The type of a schema, with those of the schemas that it refers to. */
const typeOf = (
  registry: SchemaRegistryService,
  { format, references, text }: RegisteredSchema
): Effect.Effect<AvroType | AvroSchemaWrong, RegistryFailure> =>
  Effect.gen(function* () {
    if (format !== "AVRO") return new AvroSchemaWrong(`it is of ${format}, not of AVRO`)
    const names: Names = new Map()
    const wrong = yield* addReferences(registry, references, names, new Set())
    return wrong ?? attempt(() => parse(text, names))
  })

const addReferences = (
  registry: SchemaRegistryService,
  references: RegisteredSchema["references"],
  names: Names,
  seen: Set<string>
): Effect.Effect<AvroSchemaWrong | null, RegistryFailure> =>
  Effect.gen(function* () {
    for (const { subject, version } of references) {
      const key = `${version} ${subject}`
      if (seen.has(key)) continue
      seen.add(key)
      if (seen.size > schemaReferencesMax)
        return new AvroSchemaWrong(`it refers to more than ${schemaReferencesMax} others`)
      const found = yield* registry.version(subject, version, "source")
      if (found === null) return new AvroSchemaWrong(`it refers to version ${version} of ${subject}, which is gone`)
      const wrong = yield* addReferences(registry, found.references, names, seen)
      const type = wrong ?? attempt(() => parse(found.text, names))
      if (type instanceof AvroSchemaWrong) return type
    }
    return null
  })

const attempt = <A>(make: () => A): A | AvroSchemaWrong => {
  try {
    return make()
  } catch (error) {
    if (error instanceof AvroSchemaWrong) return error
    throw error
  }
}

const writer = <A, I>(
  registry: SchemaRegistryService,
  schema: Schema.Schema<A, I>,
  subject: string,
  options: Framed.WriterOptions
): Effect.Effect<Write<A>, RegistryFailure | InvalidSchema> =>
  Effect.gen(function* () {
    const own = yield* ownOf(registry, schema, subject, options)
    const type = yield* typeOf(registry, own)
    if (type instanceof AvroSchemaWrong) return yield* Framed.cannotWrite(schema, "Avro", type.message)
    const plainOf = yield* Framed.writable(schema, "Avro", () => makeValueWriter(schema, type.wire))
    const id = "id" in own ? own.id : yield* Framed.numberOf(registry, subject, own, options)
    const output = new AvroOutput()
    return (value: A) => {
      output.clear()
      type.write(output, plainOf(value) as never)
      return Framed.framed(id, output.result())
    }
  })

/** What is written with: a version of the subject, or a schema that has yet to be found there. */
const ownOf = (
  registry: SchemaRegistryService,
  schema: Schema.Schema<any, any>,
  subject: string,
  { schema: text, version }: Framed.WriterOptions
): Effect.Effect<RegisteredSchema | SchemaVersion, RegistryFailure | InvalidSchema> =>
  Effect.gen(function* () {
    if (version !== undefined) {
      const found = yield* registry.version(subject, version, "source")
      return found ?? (yield* Framed.cannotWrite(schema, "Avro", `the subject ${subject} has no version ${version}`))
    }
    const own = text ?? textOf(yield* Framed.writable(schema, "Avro", () => wireOf(schema, "Row")))
    return { format: "AVRO", text: own, references: [] }
  })
