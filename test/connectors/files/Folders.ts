/** Folders of tests, and what a source reads of them. */
import { FileSystem } from "@effect/platform"
import { Effect, type Scope } from "effect"
import type { Source, SourceError, SourceReader } from "../../../src/flow/Source.ts"
import type { RawEvent } from "../../../src/model/Event.ts"
import { rawEventAt } from "../../../src/model/Event.ts"

export type Content = string | Uint8Array

/** A new folder with these files; paths may name folders below it. */
export const folderOf = (files: Readonly<Record<string, Content>>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    for (const [path, content] of Object.entries(files)) yield* put(`${folder}/${path}`, content)
    return folder
  })

/** Writes a file under another name and renames it, as a good neighbour does. */
export const put = (path: string, content: Content) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(path.slice(0, path.lastIndexOf("/")), { recursive: true })
    yield* fs.writeFile(`${path}.tmp`, typeof content === "string" ? new TextEncoder().encode(content) : content)
    yield* fs.rename(`${path}.tmp`, path)
  })

/** A record as a test compares it: offset, key and value as texts. */
export type Seen = readonly [offset: number, key: string, value: string]

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** The records from `from` on, up to where none is left; each batch of so many at most. */
export const seen = (reader: SourceReader, from = 0, recordsMax = 1_000): Effect.Effect<Array<Seen>, SourceError> =>
  Effect.gen(function* () {
    const found: Array<Seen> = []
    for (let offset = from; ; ) {
      const batch = yield* reader.read(0, offset, recordsMax)
      if (batch === null) return found
      for (let i = 0; i < batch.count; i++) {
        const record = rawEventAt(batch, i)
        found.push([record.offset, text(record.key!), text(record.value)])
      }
      offset = batch.nextOffset
    }
  })

/** All that a source has, when it is opened. */
export const all = <R>(
  source: Source<RawEvent, SourceError, R>
): Effect.Effect<Array<Seen>, SourceError, R | Scope.Scope> => Effect.flatMap(source.open, (reader) => seen(reader))

/** `value` of each. */
export const valuesOf = (records: ReadonlyArray<Seen>): ReadonlyArray<string> => records.map(([, , value]) => value)
