/**
 * Reads values of a Schema from bytes of JSON.
 *
 * A Schema is compiled once into a reader that scans bytes, so digits stay digits and no Schema runs per event. Parts
 * that it has no reader for are cut out and decoded by the Schema itself: they are `slowParts`. What is read equals
 * `Schema.decodeUnknown` of the parsed text, but that Int64 and Decimal also take numbers, by their digits; and that
 * halves of surrogate pairs are refused, since no table and no log can keep them.
 *
 * Rows of a `Schema.Class` are instances of it. Its constructor is not called, unless it sets more than its fields.
 */
import type { Schema } from "effect"
import { decodeBytesMax } from "../../model/Limits.ts"
import type { Reader } from "../Codec.ts"
import { compileAst } from "./Compile.ts"
import { afterSpace, beforeSpace, Cursor, refuse, truncated } from "./Cursor.ts"
import { refuseEffects } from "./Effectful.ts"
import { Undecodable } from "./Undecodable.ts"

/** A reader of a Schema's values. Throws `InvalidSchema` if a transformation of the Schema is effectful. */
export const compile = <A, I>(schema: Schema.Schema<A, I>): Reader<A> => {
  refuseEffects(schema.ast)
  const { read, slowParts } = compileAst(schema.ast, "")
  const cursor = new Cursor()
  const attempt = (bytes: Uint8Array, start: number, end: number, careful: boolean): A => {
    cursor.bytes = bytes
    cursor.position = afterSpace(bytes, start)
    cursor.end = end
    cursor.depth = 0
    cursor.careful = careful
    const value = read(cursor) as A
    if (cursor.position > end) throw truncated(cursor)
    if (cursor.position < end) refuse(cursor, "the end of the record")
    return value
  }
  /** From a buffer of its own: a scalar has nothing to close it, so what follows it must not be seen. */
  const readAlone = (bytes: Uint8Array, start: number, end: number): A => {
    try {
      return attempt(bytes.slice(start, end), 0, end - start, true)
    } catch (error) {
      throw error instanceof Undecodable ? error.movedBy(start) : error
    }
  }
  return {
    read: (bytes, start, end) => {
      if (end - start > decodeBytesMax) throw new Undecodable(`longer than ${decodeBytesMax} bytes`, start)
      const stop = beforeSpace(bytes, start, end)
      if (stop === start || !closes(bytes[stop - 1]!)) return readAlone(bytes, start, stop)
      try {
        return attempt(bytes, start, stop, false)
      } catch (error) {
        if (!(error instanceof Undecodable)) throw error
        return attempt(bytes, start, stop, true)
      }
    },
    slow: slowParts.length > 0,
    slowParts
  }
}

/** Does it end an object, an array or a string? */
const closes = (byte: number): boolean => byte === 125 || byte === 93 || byte === 34
