/** The page's files, read from their folder at each call: a browser asks again each time, and is told if nothing changed. */
import { FileSystem, type HttpServerRequest, HttpServerResponse, Path } from "@effect/platform"
import { Effect } from "effect"
import { StorageFailed, UnknownRoute } from "../model/Errors.ts"

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml"
}

export const make = (folder: string) =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    /** One file by name; `UnknownRoute` for any name that is not a plain one of a known type. */
    const serve = (
      name: string,
      request: HttpServerRequest.HttpServerRequest
    ): Effect.Effect<HttpServerResponse.HttpServerResponse, UnknownRoute | StorageFailed> =>
      Effect.gen(function* () {
        const type = types[/^[a-z][a-z-]*\.([a-z]+)$/.exec(name)?.[1] ?? ""]
        if (type === undefined) return yield* unknownFile(name)
        const bytes = yield* fileSystem
          .readFile(path.join(folder, name))
          .pipe(
            Effect.mapError((error) =>
              error._tag === "SystemError" && error.reason === "NotFound" ? unknownFile(name) : unreadable(folder, name)
            )
          )
        const headers = { etag: etagOf(bytes), "cache-control": "no-cache" }
        return request.headers["if-none-match"] === headers.etag
          ? HttpServerResponse.empty({ status: 304, headers })
          : HttpServerResponse.uint8Array(bytes, { contentType: type, headers })
      })
    return { serve }
  })

// FNV-1a over the content: it only has to tell two versions of one file apart.
const etagOf = (bytes: Uint8Array): string => {
  let hash = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return `"${(hash >>> 0).toString(16)}-${bytes.length.toString(16)}"`
}

const unknownFile = (name: string) =>
  new UnknownRoute({ message: `The page has no file '${name}'`, hint: "Open / for the page, /docs for every route." })

const unreadable = (folder: string, name: string) =>
  new StorageFailed({
    message: `The page's file '${name}' cannot be read`,
    hint: `Look whether the daemon may read the folder ${folder}.`,
    path: name
  })
