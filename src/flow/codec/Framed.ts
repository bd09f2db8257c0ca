/**
 * Values behind the number of their schema: a zero byte, the number in four bytes, the value. The form that clients of
 * schema registries agree on.
 */
import { Effect, type Schema } from "effect"
import { InvalidSchema } from "../../model/Errors.ts"
import { decodeBytesMax, schemasKept } from "../../model/Limits.ts"
import type { Place, Reader, RegistryFailure } from "../Codec.ts"
import { type OwnSchema, SchemaRegistry, type SchemaRegistryService } from "../SchemaRegistry.ts"
import { Undecodable } from "./Undecodable.ts"
import { Unwritable } from "./Wire.ts"

/** Bytes before the value. */
export const headBytes = 5

/** Reads a value that was written with one schema, from behind its number. Throws `Undecodable`. */
export type ReadBehind = (bytes: Uint8Array, start: number, end: number) => unknown

/** Makes what reads the values of a schema, or says in one sentence why it cannot. */
export type Understand = (
  registry: SchemaRegistryService,
  id: number
) => Effect.Effect<ReadBehind | Undecodable, RegistryFailure>

/**
 * A reader that fetches the schemas of a batch, each once, before the batch is read. A number that the registry does not
 * know, or a schema that it cannot use, makes their records undecodable; a registry that is away makes none.
 */
export const reader = (understand: Understand): Reader<never, RegistryFailure, SchemaRegistry> => {
  let known = new Map<number, ReadBehind | Undecodable>()
  return {
    read: (bytes, start, end) => {
      if (end - start > decodeBytesMax) throw new Undecodable(`longer than ${decodeBytesMax} bytes`, start)
      const id = idAt(bytes, start, end)
      if (typeof id !== "number") throw id
      const read = known.get(id) ?? notPrepared(id)
      if (read instanceof Undecodable) throw read.movedBy(start)
      return read(bytes, start + headBytes, end) as never
    },
    slow: false,
    slowParts: [],
    prepare: (each) => {
      const missing = new Set<number>()
      const used = new Set<number>()
      let last = -1
      each((bytes, start, end) => {
        const id = idAt(bytes, start, end)
        if (typeof id !== "number" || id === last) return
        last = id
        used.add(id)
        // What was unknown may have been registered since.
        if (!known.has(id) || known.get(id) instanceof Undecodable) missing.add(id)
      })
      if (missing.size === 0) return null
      if (known.size + missing.size > schemasKept) known = new Map([...known].filter(([id]) => used.has(id)))
      return Effect.flatMap(SchemaRegistry, (registry) =>
        Effect.forEach(missing, (id) => Effect.map(understand(registry, id), (read) => void known.set(id, read)), {
          concurrency: lookupsAtOnce,
          discard: true
        })
      )
    }
  }
}

/** How many schemas of a batch are asked for at once. */
const lookupsAtOnce = 4

/** The number before a value, or why there is none. */
const idAt = (bytes: Uint8Array, start: number, end: number): number | Undecodable => {
  if (end - start < headBytes || bytes[start] !== 0) return unframed
  return ((bytes[start + 1]! << 24) | (bytes[start + 2]! << 16) | (bytes[start + 3]! << 8) | bytes[start + 4]!) >>> 0
}

const unframed = new Undecodable("expected a zero byte and the number of a schema, found other bytes", 0)

const notPrepared = (id: number): Undecodable => new Undecodable(`schema ${id} is not at hand`, 0)

/** Of a number that the registry does not know. */
export const unknownSchema = (id: number): Undecodable =>
  new Undecodable(`the schema registry knows no schema ${id}`, 0)

/** Of a schema that it knows. */
export const unusableSchema = (id: number, why: string): Undecodable =>
  new Undecodable(`schema ${id} of the schema registry cannot be used: ${why}`, 0)

/** A value behind the number of its schema. */
export const framed = (id: number, value: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(headBytes + value.length)
  new DataView(bytes.buffer).setUint32(1, id)
  bytes.set(value, headBytes)
  return bytes
}

/** How a writer is told its schema. */
export interface WriterOptions {
  /** Registers the job's schema where it is not registered yet. Default: no, a schema that is not there fails the job. */
  readonly register?: boolean
  /** The schema to write with, as text. Default: one that is made of the job's Schema. */
  readonly schema?: string
  /**
   * The version of the subject to write with, from 1 on, in the place of a schema. There is no "latest": a replay must
   * write what was written.
   */
  readonly version?: number
}

/** Where the schemas of a topic's keys and values are registered: the name of the topic, then `-key` or `-value`. */
export const subjectOf = ({ part, topic }: Place): string => `${topic}-${part}`

/** The number of the job's own schema; registers it where it is to. */
export const numberOf = (
  registry: SchemaRegistryService,
  subject: string,
  schema: OwnSchema,
  { register }: WriterOptions
): Effect.Effect<number, RegistryFailure | InvalidSchema> =>
  Effect.gen(function* () {
    if (register === true) return yield* registry.register(subject, schema)
    const id = yield* registry.find(subject, schema)
    if (id !== null) return id
    return yield* new InvalidSchema({
      schema: schema.text,
      message: `The schema registry has no such schema under the subject ${subject}: ${schema.text}`,
      hint: "Register it, or let the job do so with `register: true`; or say which registered one to write with: `version`."
    })
  })

/** Makes what writes the values of a Schema in a format; fails where they cannot meet. */
export const writable = <A>(
  schema: Schema.Schema<any, any>,
  format: string,
  make: () => A
): Effect.Effect<A, InvalidSchema> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(make())
    } catch (error) {
      if (error instanceof Unwritable) return Effect.fail(cannotWrite(schema, format, error.message))
      return error instanceof InvalidSchema ? Effect.fail(error) : Effect.die(error)
    }
  })

/** A Schema and a format that cannot meet. */
export const cannotWrite = (schema: Schema.Schema<any, any>, format: string, why: string): InvalidSchema =>
  new InvalidSchema({
    schema: String(schema.ast),
    message: `Schema ${schema.ast} cannot be written as ${format}: ${why}`,
    hint: "Give the codec a `schema` that has a field for each column, or change the job's Schema."
  })
