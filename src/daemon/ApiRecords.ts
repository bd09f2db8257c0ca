/** Records as the API takes and answers them: bytes are text where they are UTF-8, else base64. */
import { Either, Encoding } from "effect"
import type { ProducedRecord, StoredRecord } from "../flow/Topics.ts"
import type * as Schemas from "./ApiSchemas.ts"

export const stored = (record: StoredRecord): typeof Schemas.StoredRecord.Type => ({
  partition: record.partition,
  offset: record.offset,
  timestamp: record.timestamp,
  ...produced(record)
})

export const produced = (record: ProducedRecord): Required<typeof Schemas.ProducedRecord.Type> => ({
  key: record.key === null ? null : shown(record.key),
  value: shown(record.value),
  headers: record.headers.map(({ name, value }) => ({ name, value: shown(value) }))
})

/** Left: why base64 is none. */
export const storedOf = (record: typeof Schemas.StoredRecord.Type): Either.Either<StoredRecord, string> =>
  Either.map(producedOf(record), (produced) => ({
    ...produced,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp
  }))

/** Left: why base64 is none. */
export const producedOf = ({
  headers = [],
  key = null,
  value
}: typeof Schemas.ProducedRecord.Type): Either.Either<ProducedRecord, string> =>
  Either.gen(function* () {
    return {
      key: key === null ? null : yield* bytesOf(key),
      value: yield* bytesOf(value),
      headers: yield* Either.all(
        headers.map((header) => Either.map(bytesOf(header.value), (bytes) => ({ name: header.name, value: bytes })))
      )
    }
  })

// Private

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

const shown = (bytes: Uint8Array): Schemas.Bytes => {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return { base64: Encoding.encodeBase64(bytes) }
  }
}

const bytesOf = (bytes: Schemas.Bytes): Either.Either<Uint8Array, string> =>
  typeof bytes === "string"
    ? Either.right(encoder.encode(bytes))
    : Either.mapLeft(Encoding.decodeBase64(bytes.base64), ({ message }) => message ?? "")
