/** `weir produce`: JSON lines from a file or from standard input into a topic. */
import { FileSystem } from "@effect/platform"
import { Effect, Stream } from "effect"
import { RecordTooLarge, StorageFailed } from "../../model/Errors.ts"
import { recordBytesMax } from "../../model/Limits.ts"
import { Process } from "../Process.ts"
import * as ProgressLine from "../ProgressLine.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import type { WeirService } from "../Weir.ts"

/** Bytes of lines that are appended at once: durable together, in one round trip. */
const batchBytes = 1_048_576
const lineFeed = 10

export const produce = Usage.command(
  "produce",
  "appends JSON lines to a topic, from a file or standard input",
  {
    topic: Usage.argument("topic", "where to; an unknown one is made with 4 partitions"),
    file: Usage.optionalArgument("file", "one record a line, as it is; without it, or '-', standard input"),
    key: Usage.text(
      "key",
      "FIELD",
      "the field that holds the key: partition = murmur2(key) mod n, as Kafka's; a line without it has no key"
    ),
    partition: Usage.whole("partition", "P", "the partition of all records, whatever their key"),
    data: Session.data
  },
  ({ topic, file, key, partition, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const files = yield* FileSystem.FileSystem
      const bytes = file === undefined || file === "-" ? null : yield* bytesOf(files, file)
      const input =
        file === undefined || file === "-"
          ? process.input
          : Stream.mapError(files.stream(file, { chunkSize: batchBytes }), (error) => unreadable(file, error.message))
      const sofar = { records: 0, bytes: 0 }
      const count = yield* Session.use({ data }, (weir) =>
        Effect.zipRight(
          ProgressLine.shown(Effect.sync(() => progressOf(topic, sofar, bytes))),
          append(weir, topic, input, {
            key,
            partition,
            sent: (records, bytes) => Object.assign(sofar, { records, bytes })
          })
        )
      )
      yield* process.print(`${count} records produced to ${topic}\n`)
      return 0
    })
)

/** Of a file, the end is known in bytes: its records are what they are so far, as many bytes again. */
const progressOf = (
  topic: string,
  sofar: { readonly records: number; readonly bytes: number },
  bytes: number | null
): ProgressLine.Progress => ({
  what: `into ${topic}`,
  done: sofar.records,
  unit: "records",
  total: bytes === null || sofar.bytes === 0 ? null : Math.round((sofar.records * bytes) / sofar.bytes)
})

/** Bytes of a file; `null` for what has no length, such as a pipe. */
const bytesOf = (files: FileSystem.FileSystem, file: string) =>
  files.stat(file).pipe(
    Effect.mapError((error) => unreadable(file, error.message)),
    Effect.filterOrFail(
      ({ type }) => type !== "Directory",
      () => unreadable(file, "it is a folder")
    ),
    Effect.map(({ size, type }) => (type === "File" ? Number(size) : null))
  )

const unreadable = (file: string, why: string) =>
  new StorageFailed({
    path: file,
    message: `The file ${file} cannot be read: ${why}`,
    hint: "Name a file of JSON lines that this user may read."
  })

/** Cuts a stream of bytes at line ends into batches, and appends each. */
export const append = <E extends Usage.Failure>(
  weir: WeirService,
  topic: string,
  input: Stream.Stream<Uint8Array, E>,
  options: {
    readonly key?: string | undefined
    readonly partition?: number | undefined
    /** Hears how many records, and bytes of lines, are appended so far. */
    readonly sent?: (records: number, bytes: number) => void
  }
): Effect.Effect<number, Usage.Failure> =>
  Effect.gen(function* () {
    let count = 0
    let taken = 0
    let waiting: Array<Uint8Array> = []
    let bytes = 0
    const send = (upTo: Uint8Array) =>
      Effect.gen(function* () {
        const lines = joined([...waiting, upTo])
        waiting = []
        bytes = 0
        if (lines.length === 0) return
        count += yield* weir.produce(topic, lines, { key: options.key, partition: options.partition })
        taken += lines.length
        options.sent?.(count, taken)
      })
    yield* Stream.runForEach(input, (piece) =>
      Effect.gen(function* () {
        const end = piece.lastIndexOf(lineFeed) + 1
        if (end > 0 && bytes + piece.length >= batchBytes) {
          yield* send(piece.subarray(0, end))
          if (end < piece.length) waiting.push(piece.slice(end))
          bytes = piece.length - end
          return
        }
        waiting.push(piece)
        bytes += piece.length
        if (bytes > recordBytesMax + batchBytes) yield* Effect.fail(tooLong(topic, bytes))
      })
    )
    yield* send(new Uint8Array())
    return count
  })

const tooLong = (topic: string, bytes: number) =>
  new RecordTooLarge({
    bytes,
    bytesMax: recordBytesMax,
    message: `A line for topic ${topic} has more than ${recordBytesMax} bytes`,
    hint: "Records are separated by line feeds: is this a file of JSON lines?"
  })

const joined = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
