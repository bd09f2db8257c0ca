/**
 * The contract of a codec: how the bytes of a record's key or value become what a Schema says, and back.
 *
 * `json`, `text` and `bytes` need nothing. `Avro.codec` and `Protobuf.codec` have doors of their own: their records name
 * the schema that they were written with, and a schema registry knows it. What is missing is fetched for a batch before
 * the batch is read; reading itself is plain and never waits.
 */
import { Effect, Either, ParseResult, Schema, SchemaAST } from "effect"
import type { InvalidConfiguration, SourceUnavailable } from "../model/Errors.ts"
import { InvalidSchema } from "../model/Errors.ts"
import { decodeBytesMax } from "../model/Limits.ts"
import { refused } from "./codec/Compile.ts"
import { refuseEffects } from "./codec/Effectful.ts"
import { encodeJson } from "./codec/JsonEncoder.ts"
import { compile } from "./codec/JsonReader.ts"
import { Undecodable } from "./codec/Undecodable.ts"
import { Unencodable } from "./codec/Unencodable.ts"

export { encodeJson } from "./codec/JsonEncoder.ts"
export { compile } from "./codec/JsonReader.ts"
export { prototypesOf } from "./codec/Prototypes.ts"
export { Undecodable } from "./codec/Undecodable.ts"
export { Unencodable } from "./codec/Unencodable.ts"

/** A description: what can fail, what it needs. */
export interface Codec<out E = never, out R = never> {
  /** For the drawing: `avro`. */
  readonly name: string
  /** Do its readers have something to prepare? */
  readonly fetches: boolean
  /**
   * A reader of a Schema's values: of one step, made anew at each start of the job. Throws `InvalidSchema` for a Schema
   * that it never has values for.
   */
  readonly reader: <A, I>(schema: Schema.Schema<A, I>) => Reader<A, E, R>
  /**
   * A writer of a Schema's values: called once at each start of the job, before any row. The writer throws `Unencodable`
   * for a value that it has no bytes for, and gives equal bytes for equal values: a replay must write what was written.
   */
  readonly writer: <A, I>(schema: Schema.Schema<A, I>, place: Place) => Effect.Effect<Write<A>, E | InvalidSchema, R>
}

export type Write<in A> = (value: A) => Uint8Array

/** What is written: the key or the value of the records of a topic. */
export interface Place {
  readonly topic: string
  readonly part: "key" | "value"
}

export interface Reader<out A, out E = never, out R = never> {
  /** The value in `bytes[start, end)`. Throws `Undecodable`, with a position counted from the first of `bytes`. */
  readonly read: (bytes: Uint8Array, start: number, end: number) => A
  /** Does the Schema itself decode a part of each record? */
  readonly slow: boolean
  /** Those parts, each with its path: `total: NumberFromString`. */
  readonly slowParts: ReadonlyArray<string>
  /**
   * What has to be at hand before these bytes are read; `null`: all is. Called for each batch before its first `read`.
   * Absent: the codec fetches nothing.
   */
  readonly prepare?: (batch: EachEncoded) => Effect.Effect<void, E, R> | null
}

/** What fetches what a batch needs, as an engine sees it. */
export type Preparation = Effect.Effect<void, unknown, unknown>

/** Shows the bytes of each record of a batch: those in `bytes[start, end)`. */
export type EachEncoded = (see: (bytes: Uint8Array, start: number, end: number) => void) => void

/** Any codec, as an engine sees it. */
export type AnyCodec = Codec<unknown, unknown>

/** What a codec that asks a registry fails with, beside a Schema that it cannot write. */
export type RegistryFailure = SourceUnavailable | InvalidConfiguration

/** UTF-8 JSON, by a scanner that is made of the Schema: digits stay digits. */
export const json: Codec = {
  name: "json",
  fetches: false,
  reader: compile,
  writer: (schema) => attempt(() => encodeJson(schema))
}

/**
 * UTF-8 text, for a Schema whose encoded side is text: `Schema.String`, `Int64`, `Decimal`, `Instant`,
 * `Schema.NumberFromString`. Bytes that are no UTF-8 are refused.
 */
export const text: Codec = {
  name: "text",
  fetches: false,
  reader: (schema) => {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    return readerOf("text", SchemaAST.isStringKeyword, schema, (bytes) => {
      try {
        return decoder.decode(bytes)
      } catch {
        throw new Undecodable("expected UTF-8 text, found other bytes", 0)
      }
    })
  },
  writer: (schema) => {
    const encoder = new TextEncoder()
    return writerOf("text", SchemaAST.isStringKeyword, schema, (encoded) => encoder.encode(encoded as string))
  }
}

/** The bytes as they are, for a Schema whose encoded side is `Schema.Uint8ArrayFromSelf`. */
export const bytes: Codec = {
  name: "bytes",
  fetches: false,
  // A value outlives its batch, so it must not hold the batch's buffer.
  reader: (schema) => readerOf("bytes", isBytes, schema, (found) => found.slice()),
  writer: (schema) => writerOf("bytes", isBytes, schema, (encoded) => encoded as Uint8Array)
}

/** What has to be at hand for all of these; `null`: all is. */
export const inTurn = (preparations: ReadonlyArray<Preparation | null>): Preparation | null => {
  const missing = preparations.filter((preparation) => preparation !== null)
  return missing.length === 0 ? null : Effect.all(missing, { discard: true })
}

/** Does a Schema take that there is nothing? */
export const takesNull = (schema: Schema.Schema<any, any>): boolean => ParseResult.is(Schema.typeSchema(schema))(null)

// Private

const isBytes = (ast: SchemaAST.AST): boolean => ast === Schema.Uint8ArrayFromSelf.ast

type Holds = (encoded: SchemaAST.AST) => boolean

const readerOf = <A, I>(
  name: string,
  holds: Holds,
  schema: Schema.Schema<A, I>,
  from: (bytes: Uint8Array) => unknown
): Reader<A> => {
  refuseOthers(name, holds, schema)
  const decode = ParseResult.decodeUnknownEither(schema)
  const isPlain = holds(schema.ast)
  return {
    read: (bytes, start, end) => {
      if (end - start > decodeBytesMax) throw new Undecodable(`longer than ${decodeBytesMax} bytes`, start)
      const value = from(bytes.subarray(start, end))
      if (isPlain) return value as A
      const decoded = decode(value)
      if (Either.isLeft(decoded)) throw refused(decoded.left, start)
      return decoded.right
    },
    slow: !isPlain,
    slowParts: isPlain ? [] : [String(schema.ast)]
  }
}

const writerOf = <A, I>(
  name: string,
  holds: Holds,
  schema: Schema.Schema<A, I>,
  to: (encoded: unknown) => Uint8Array
): Effect.Effect<Write<A>, InvalidSchema> =>
  attempt(() => {
    refuseOthers(name, holds, schema)
    const encode = ParseResult.encodeUnknownEither(schema)
    return (value) => {
      const encoded = encode(value)
      if (Either.isRight(encoded)) return to(encoded.right ?? noNull(name))
      throw new Unencodable(ParseResult.ArrayFormatter.formatIssueSync(encoded.left)[0]!.message)
    }
  })

const noNull = (name: string): never => {
  throw new Unencodable(`${name} has no null`)
}

/** Every way of the Schema must end in what the codec has. */
const refuseOthers = (name: string, holds: Holds, schema: Schema.Schema<any, any>): void => {
  refuseEffects(schema.ast)
  if (endsIn(holds, schema.ast)) return
  throw new InvalidSchema({
    schema: String(schema.ast),
    message: `Schema ${schema.ast} cannot be read from ${name}: its encoded side is ${SchemaAST.encodedAST(schema.ast)}`,
    hint:
      name === "text"
        ? "Give the text codec a Schema of text, such as Schema.String or Int64, and structs another codec."
        : "Give the bytes codec Schema.Uint8ArrayFromSelf."
  })
}

const endsIn = (holds: Holds, ast: SchemaAST.AST): boolean => {
  if (holds(ast)) return true
  switch (ast._tag) {
    case "Refinement":
    case "Transformation":
      return endsIn(holds, ast.from)
    case "Union":
      return ast.types.every((type) => endsIn(holds, type))
    case "Literal":
      // A record may have no key.
      return ast.literal === null || typeof ast.literal === "string"
    default:
      return false
  }
}

/** What throws `InvalidSchema`, as an Effect. */
const attempt = <A>(make: () => A): Effect.Effect<A, InvalidSchema> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(make())
    } catch (error) {
      return error instanceof InvalidSchema ? Effect.fail(error) : Effect.die(error)
    }
  })
