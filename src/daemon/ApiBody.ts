/** Reads the body of a call within a bound, and as JSON by a Schema. */
import type { HttpServerRequest } from "@effect/platform"
import { Effect, ParseResult, Schema, Stream } from "effect"
import { InvalidRequest, RequestTooLarge } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"

type Request = HttpServerRequest.HttpServerRequest

/** The whole body, of which never more than `bytesMax` are kept; refused before a byte is read if it announces more. */
export const bytes = (
  request: Request,
  bytesMax: number
): Effect.Effect<Uint8Array, RequestTooLarge | InvalidRequest> =>
  Effect.gen(function* () {
    if (Number(request.headers["content-length"] ?? 0) > bytesMax) return yield* tooLarge(request, bytesMax)
    const chunks: Array<Uint8Array> = []
    let length = 0
    yield* Stream.runForEach(request.stream, (chunk) => {
      length += chunk.length
      if (length <= bytesMax) chunks.push(chunk)
      // What is too much is read and dropped for a while: to break off would reset the connection before the answer.
      return length > bytesMax + Limits.requestBytesMax ? tooLarge(request, bytesMax) : Effect.void
    }).pipe(
      Effect.catchIf(
        (error) => error._tag === "RequestError",
        (error) => brokenOff(request, error.message)
      )
    )
    if (length > bytesMax) return yield* tooLarge(request, bytesMax)
    return joined(chunks, length)
  })

/** The body as JSON, decoded; an empty body is `{}`. */
export const json = <A, I>(
  request: Request,
  schema: Schema.Schema<A, I>,
  bytesMax: number
): Effect.Effect<A, RequestTooLarge | InvalidRequest> =>
  Effect.gen(function* () {
    const text = new TextDecoder().decode(yield* bytes(request, bytesMax))
    const value = yield* Effect.try({
      try: (): unknown => JSON.parse(text.trim() || "{}"),
      catch: () => invalid(request, "the body is not JSON")
    })
    return yield* Effect.mapError(Schema.decodeUnknown(schema)(value), (error) =>
      invalid(
        request,
        ParseResult.ArrayFormatter.formatErrorSync(error)
          .map((issue) => `${issue.path.map(String).join(".") || "the body"}: ${issue.message.split("\n", 1)[0]}`)
          .join("; ")
      )
    )
  })

const tooLarge = (request: Request, bytesMax: number) =>
  new RequestTooLarge({
    message: `The body of ${request.method} ${request.url.split("?", 1)[0]} has more than ${bytesMax} bytes`,
    hint: "Send it in several calls.",
    bytesMax
  })

const brokenOff = (request: Request, why: string) => invalid(request, `the body could not be read: ${why}`)

const invalid = (request: Request, why: string) =>
  new InvalidRequest({
    message: `${request.method} ${request.url.split("?", 1)[0]}: ${why}`,
    hint: "/docs says what the route takes."
  })

const joined = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  if (chunks.length === 1) return chunks[0]!
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
