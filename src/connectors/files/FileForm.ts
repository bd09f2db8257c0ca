/**
 * How rows stand in files, and before that in spools: what a sink keeps with its checkpoint, so that rows of an older form
 * are put into files of that form.
 *
 * In a spool each row is a line of text. Of lines a file is made by putting them behind each other; of Parquet by reading
 * them again, some at a time.
 */
import { Effect } from "effect"
import type { StorageFailed } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import * as ParquetFile from "./ParquetFile.ts"
import * as ParquetRows from "./ParquetRows.ts"

/** Writes the next bytes of a file. */
export type Put = (bytes: Uint8Array) => Effect.Effect<void, StorageFailed>

/** The rows of a file in their order: each effect reads the next section. */
export type Sections<E> = ReadonlyArray<Effect.Effect<Uint8Array, E>>

export interface Form {
  /** Says all of it, as JSON. */
  readonly text: string
  /** The end of a file's name, without its dot. */
  readonly end: string
  readonly file: <E>(sections: Sections<E>, put: Put) => Effect.Effect<void, E | StorageFailed>
}

/** Lines behind each other, below a first one. */
export interface LinesDescription {
  readonly kind: "lines"
  readonly end: string
  /** Empty: there is none. */
  readonly head: string
}

export interface ParquetDescription {
  readonly kind: "parquet"
  readonly columns: ReadonlyArray<ParquetFile.FileColumn>
  readonly compression: ParquetFile.Compression
}

export type Description = LinesDescription | ParquetDescription

export const of = (description: Description): Form =>
  description.kind === "lines" ? lines(description) : parquet(description)

/** The form that a checkpoint kept. */
export const parse = (text: string): Form => of(JSON.parse(text) as Description)

// Private

const utf8 = new TextEncoder()

const lines = (description: LinesDescription): Form => ({
  text: JSON.stringify(description),
  end: description.end,
  file: (sections, put) =>
    Effect.gen(function* () {
      if (description.head !== "") yield* put(utf8.encode(description.head))
      for (const section of sections) yield* put(yield* section)
    })
})

const parquet = (description: ParquetDescription): Form => ({
  text: JSON.stringify(description),
  end: "parquet",
  file: (sections, put) =>
    Effect.gen(function* () {
      const { columns, compression } = description
      const file = ParquetFile.make(columns, compression)
      const read = ParquetRows.readerOf(columns)
      let group = columns.map((): Array<unknown> => [])
      for (const section of sections) {
        const bytes = yield* section
        for (let start = 0; start < bytes.length; ) {
          start = readLines(bytes, start, group, read)
          if (group[0]!.length < Limits.rowGroupRowsMax) continue
          yield* put(file.group(group))
          group = columns.map(() => [])
          yield* Effect.yieldNow()
        }
      }
      if (group[0]!.length > 0) yield* put(file.group(group))
      yield* put(file.end())
    })
})

const decoder = new TextDecoder()

/** Reads lines from `start` on until the group is full; answers where the next one begins. */
const readLines = (
  bytes: Uint8Array,
  start: number,
  group: ReadonlyArray<Array<unknown>>,
  read: ReturnType<typeof ParquetRows.readerOf>
): number => {
  let at = start
  while (at < bytes.length && group[0]!.length < Limits.rowGroupRowsMax) {
    const end = bytes.indexOf(10, at)
    read(decoder.decode(bytes.subarray(at, end)), group)
    at = end + 1
  }
  return at
}
