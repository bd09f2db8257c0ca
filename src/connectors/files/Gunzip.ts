/** Unpacks gzip as it comes, by the runtime itself: the only file here that imports `node:zlib`, which all runtimes have. */
import { createGunzip } from "node:zlib"
import { Data, Effect, type Scope } from "effect"

/** The bytes are no gzip, or end before their time. */
export class NoGzip extends Data.TaggedError("NoGzip")<{ readonly message: string }> {}

/** What the next bytes unpack to; `null`: there are no more. At most 1,032 times as many bytes come as went in. */
export type Unpack = (bytes: Uint8Array | null) => Effect.Effect<Uint8Array, NoGzip>

export const make: Effect.Effect<Unpack, never, Scope.Scope> = Effect.gen(function* () {
  const unpacked: Array<Uint8Array> = []
  let failed: Error | null = null
  /** Answers the call that is under way. */
  let settle = (): void => {}
  const stream = yield* Effect.acquireRelease(
    Effect.sync(() => createGunzip()),
    (stream) => Effect.sync(() => stream.destroy())
  )
  stream.on("data", (bytes) => unpacked.push(bytes))
  stream.on("end", () => settle())
  // A stream that fails may answer the write that it failed at never.
  stream.on("error", (error) => {
    failed = error
    settle()
  })
  return (bytes) =>
    Effect.async<Uint8Array, NoGzip>((resume) => {
      settle = () => {
        settle = () => {}
        resume(failed === null ? Effect.succeed(joined(unpacked.splice(0))) : new NoGzip({ message: failed.message }))
      }
      if (failed !== null) settle()
      else if (bytes === null) stream.end()
      else stream.write(bytes, () => settle())
    })
})

// Private

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
