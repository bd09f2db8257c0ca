/** The text of a file as it is read, piece by piece: unpacked, in UTF-8 whatever it was written in, without its mark. */
import type { FileSystem, Error as PlatformError } from "@effect/platform"
import { Effect, type Scope } from "effect"
import * as Limits from "../../model/Limits.ts"
import * as Gunzip from "./Gunzip.ts"

/** `latin1` is what the Web calls so: Windows-1252. */
export type Encoding = "utf-8" | "latin1" | "utf-16le"

export type TextError = PlatformError.PlatformError | Gunzip.NoGzip

/** The next bytes, some; `null`: there are no more. */
export type Pieces<E = TextError> = Effect.Effect<Uint8Array | null, E>

export interface TextOptions {
  readonly encoding: Encoding
  readonly isPacked: boolean
}

/** Bytes of UTF-8 may be broken, as they are in the file. The scope holds the file open. */
export const open = (
  fs: FileSystem.FileSystem,
  path: string,
  { encoding, isPacked }: TextOptions
): Effect.Effect<Pieces, PlatformError.PlatformError, Scope.Scope> =>
  Effect.gen(function* () {
    const file = yield* fs.open(path, { flag: "r" })
    const raw = isPacked ? unpacked(read(file, packedBytes), yield* Gunzip.make) : read(file, Limits.fileChunkBytes)
    return encoding === "utf-8" ? withoutMark(raw) : inUtf8(raw, encoding)
  })

// Private

/** Packed bytes that are read at once: a thousand times as many may come of them. */
const packedBytes = 65_536

/** As many bytes as fit, but at the end. */
const read = (file: FileSystem.File, bytes: number): Pieces<PlatformError.PlatformError> =>
  Effect.gen(function* () {
    const buffer = new Uint8Array(bytes)
    let size = 0
    while (size < bytes) {
      const more = Number(yield* file.read(size === 0 ? buffer : buffer.subarray(size)))
      if (more === 0) break
      size += more
    }
    return size === 0 ? null : buffer.subarray(0, size)
    // A file is never closed under a read that is going on.
  }).pipe(Effect.uninterruptible)

const unpacked = (packed: Pieces<PlatformError.PlatformError>, unpack: Gunzip.Unpack): Pieces => {
  let isOver = false
  return Effect.gen(function* () {
    while (!isOver) {
      const bytes = yield* packed
      isOver = bytes === null
      const found = yield* unpack(bytes)
      if (found.length > 0) return found
    }
    return null
  })
}

/** Without the byte order mark of UTF-8, which is three bytes, in however many pieces. */
const withoutMark = <E>(pieces: Pieces<E>): Pieces<E> => {
  let isFirst = true
  return Effect.suspend(() => {
    if (!isFirst) return pieces
    isFirst = false
    return Effect.gen(function* () {
      let first = new Uint8Array(0)
      while (first.length < mark.length) {
        const more = yield* pieces
        if (more === null) break
        const longer = new Uint8Array(first.length + more.length)
        longer.set(first)
        longer.set(more, first.length)
        first = longer
      }
      if (mark.every((byte, i) => first[i] === byte)) first = first.subarray(mark.length)
      return first.length > 0 ? first : yield* pieces
    })
  })
}

const mark = [0xef, 0xbb, 0xbf]

const inUtf8 = <E>(pieces: Pieces<E>, encoding: Encoding): Pieces<E> => {
  const decoder = new TextDecoder(encoding)
  const encoder = new TextEncoder()
  let isOver = false
  return Effect.gen(function* () {
    while (!isOver) {
      const bytes = yield* pieces
      isOver = bytes === null
      const text = bytes === null ? decoder.decode() : decoder.decode(bytes, { stream: true })
      if (text !== "") return broken(encoder.encode(text))
    }
    return null
  })
}

/** What stands for characters that were none becomes no UTF-8, so that who reads it refuses it. */
const broken = (bytes: Uint8Array): Uint8Array => {
  for (let i = bytes.indexOf(0xef); i >= 0; i = bytes.indexOf(0xef, i + 1))
    if (bytes[i + 1] === 0xbf && bytes[i + 2] === 0xbd) bytes.fill(0xff, i, i + 3)
  return bytes
}
