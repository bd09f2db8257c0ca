/**
 * The page's files, read from their folder at each call: a browser asks again each time, and is told if nothing changed.
 *
 * The libraries of the page carry their version in their names, and a browser keeps them for good. A build has put them
 * beside the page; a program that runs from its sources finds them where packages are installed.
 */
import { FileSystem, type HttpServerRequest, HttpServerResponse, Path } from "@effect/platform"
import { Effect } from "effect"
import { StorageFailed, UnknownRoute } from "../model/Errors.ts"

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml"
}

/** Libraries by the name they are served under, and the files of their packages. */
export const libraries: Readonly<Record<string, string>> = {
  "echarts-5.6.0.js": "echarts/dist/echarts.min.js",
  "echarts-wordcloud-2.1.0.js": "echarts-wordcloud/dist/echarts-wordcloud.min.js"
}

const changing = "no-cache"
const unchanging = "public, max-age=31536000, immutable"

export const make = (folder: string) =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path

    /** Where a library may lie: beside the page, then in the packages of each folder above it. */
    const placesOf = (name: string, file: string): ReadonlyArray<string> => {
      const above: Array<string> = []
      for (let at = path.resolve(folder); path.dirname(at) !== at; at = path.dirname(at))
        above.push(path.join(at, "node_modules", file))
      return [path.join(folder, name), ...above]
    }
    const read = (name: string): Effect.Effect<Uint8Array, UnknownRoute | StorageFailed> => {
      const library = Object.hasOwn(libraries, name) ? libraries[name] : undefined
      const places = library === undefined ? [path.join(folder, name)] : placesOf(name, library)
      return Effect.firstSuccessOf(places.map((place) => fileSystem.readFile(place))).pipe(
        Effect.mapError((error) =>
          error._tag === "SystemError" && error.reason === "NotFound" ? unknownFile(name) : unreadable(folder, name)
        )
      )
    }
    /** One file by name; `UnknownRoute` for any name that is not a plain one of a known type. */
    const serve = (
      name: string,
      request: HttpServerRequest.HttpServerRequest
    ): Effect.Effect<HttpServerResponse.HttpServerResponse, UnknownRoute | StorageFailed> =>
      Effect.gen(function* () {
        const isLibrary = Object.hasOwn(libraries, name)
        const type = isLibrary ? types.js : types[/^[a-z][a-z-]*\.([a-z]+)$/.exec(name)?.[1] ?? ""]
        if (type === undefined) return yield* unknownFile(name)
        const bytes = yield* read(name)
        const headers = { etag: etagOf(bytes), "cache-control": isLibrary ? unchanging : changing }
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
