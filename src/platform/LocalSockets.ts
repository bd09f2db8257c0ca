/** Sockets by `node:http`, which Node, Bun and Deno share: a TCP server, a local server, a question to one. */
import { rmSync } from "node:fs"
import * as http from "node:http"
import { hostname, tmpdir } from "node:os"
import { HttpServer } from "@effect/platform"
import { Deferred, Effect, Layer } from "effect"
import { type LocalAnswer, type LocalRequest, Network, ownerPath } from "../daemon/Network.ts"
import { PortInUse, StorageFailed } from "../model/Errors.ts"

/** Requests that wait for the API to be loaded. */
const waitingMax = 64
/** Milliseconds that requests under way have when the server closes. */
const closingMillis = 1_000
/** Milliseconds in which connections that were made before the path went are accepted and refused. */
const acceptedMillis = 20

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void

// Loaded when somebody serves or listens: most commands do neither.
const nodeHttpServer = Effect.promise(() => import("@effect/platform-node/NodeHttpServer"))

const codeOf = (error: unknown): string => (error as { readonly code?: string } | null)?.code ?? ""

const refuse =
  (tag: "Starting" | "Ending") =>
  (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const message = `The process that has the data folder is ${tag.toLowerCase()}`
    // Whoever still sends a body would see a broken connection, not the answer.
    request.resume().once("end", () => {
      response.writeHead(503, { "content-type": "application/json", connection: "close" })
      response.end(JSON.stringify({ error: { tag, message, hint: "Try again in a second." } }))
    })
  }

/** Requests that wait for a handler. One whose client goes away meanwhile is forgotten: its response ends never again. */
const makeWaiting = () => {
  const waiting = new Map<http.ServerResponse, http.IncomingMessage>()
  return {
    add: (request: http.IncomingMessage, response: http.ServerResponse): void => {
      if (waiting.size >= waitingMax) refuse("Starting")(request, response)
      else {
        waiting.set(response, request)
        response.once("close", () => waiting.delete(response))
      }
    },
    serve: (handler: Handler): void => {
      const all = [...waiting]
      waiting.clear()
      for (const [response, request] of all) handler(request, response)
    }
  }
}

const listenLocally = (path: string, owner: string) =>
  Effect.gen(function* () {
    const demanded = yield* Deferred.make<void>()
    const waiting = makeWaiting()
    let current: Handler | null = null
    let underWay = 0
    const handle = (handler: Handler, request: http.IncomingMessage, response: http.ServerResponse) => {
      underWay++
      response.once("close", () => {
        underWay--
      })
      handler(request, response)
    }
    const server = http.createServer((request, response) => {
      if (request.url === ownerPath) {
        response.writeHead(200, { "content-type": "text/plain", connection: "close" })
        response.end(owner)
      } else if (current !== null) handle(current, request, response)
      else {
        waiting.add(request, response)
        Deferred.unsafeDone(demanded, Effect.void)
      }
    })
    const serve = (handler: Handler) => {
      current = handler
      waiting.serve((request, response) => handle(handler, request, response))
    }
    yield* Effect.acquireRelease(
      Effect.async<void, StorageFailed>((resume) => {
        server.once("error", (error) => resume(Effect.fail(notListening(path, error))))
        server.listen({ path }, () => resume(Effect.void))
      }),
      () =>
        Effect.zipRight(
          Effect.sync(() => serve(refuse("Ending"))),
          closing(path, server)
        )
    )
    return {
      demanded: Deferred.await(demanded),
      drain: Effect.suspend(() => {
        current = refuse("Ending")
        return Effect.sleep(10).pipe(
          Effect.repeat({ until: () => underWay === 0 }),
          // A finalizer cannot be interrupted, and what bounds it would wait for it.
          Effect.interruptible,
          Effect.timeoutOption(closingMillis),
          Effect.asVoid
        )
      }),
      http: Effect.map(nodeHttpServer, (node) =>
        HttpServer.make({
          address: { _tag: "UnixAddress", path },
          serve: (app, middleware) =>
            (middleware === undefined ? node.makeHandler(app) : node.makeHandler(app, middleware as never)).pipe(
              Effect.map((handler) => serve(handler as Handler)),
              Effect.zipRight(
                Effect.addFinalizer(() =>
                  Effect.sync(() => {
                    current = refuse("Ending")
                  })
                )
              )
            ) as Effect.Effect<void, never, never>
        })
      )
    }
  })

// The path goes first: who comes now finds nobody. Who came before is still answered.
const closing = (path: string, server: http.Server) =>
  Effect.async<void>((resume) => {
    rmSync(path, { force: true })
    setTimeout(() => {
      server.close(() => resume(Effect.void))
      server.closeIdleConnections?.()
    }, acceptedMillis)
    const timer = setTimeout(() => {
      server.closeAllConnections?.()
      resume(Effect.void)
    }, closingMillis)
    timer.unref?.()
  })

const notListening = (path: string, error: unknown) =>
  new StorageFailed({
    path,
    message: `Cannot open the local socket ${path} (${codeOf(error)})`,
    hint: "The data folder must be on a file system that has sockets and be writable: set WEIR_DATA to another folder."
  })

/** A server whose requests wait until it has a handler; without one they would never be answered. */
const waitingServer = (): http.Server => {
  const waiting = makeWaiting()
  const server = http.createServer(waiting.add)
  const serve = (event: string | symbol, handler: Handler) => {
    if (event !== "request") return
    server.off("newListener", serve).off("request", waiting.add)
    waiting.serve(handler)
  }
  return server.on("newListener", serve)
}

const listen = (host: string, port: number) =>
  Effect.gen(function* () {
    const node = yield* nodeHttpServer
    return yield* node.make(waitingServer, { host, port }).pipe(
      Effect.mapError((error) =>
        codeOf(error.cause) === "EADDRINUSE"
          ? new PortInUse({
              port,
              message: `Port ${port} of ${host} is in use by another program`,
              hint: "Choose another one with --port or WEIR_PORT; --port 0 takes any free one."
            })
          : new StorageFailed({
              path: `${host}:${port}`,
              message: `Cannot listen on ${host}:${port} (${codeOf(error.cause)})`,
              hint: "WEIR_HOST must be an address of this machine; ports below 1024 want more rights."
            })
      )
    )
  })

const ask = (path: string, wanted: LocalRequest): Effect.Effect<LocalAnswer> =>
  Effect.async<LocalAnswer>((resume) => {
    const answer = (value: LocalAnswer) => resume(Effect.succeed(value))
    const request = http.request(
      {
        socketPath: path,
        path: wanted.path,
        method: wanted.method,
        agent: false,
        headers: {
          host: "localhost",
          ...(wanted.body === undefined
            ? {}
            : {
                "content-type": wanted.contentType ?? "application/json",
                "content-length": String(wanted.body.byteLength)
              })
        }
      },
      (response) => {
        const pieces: Array<Uint8Array> = []
        response.on("data", (piece: Uint8Array) => pieces.push(piece))
        response.on("error", (error) => answer({ _tag: "Broken", why: codeOf(error) }))
        response.on("end", () =>
          answer({ _tag: "Answer", status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString("utf8") })
        )
      }
    )
    request.on("error", (error) => {
      const code = codeOf(error)
      answer(
        code === "ENOENT" || code === "ECONNREFUSED"
          ? { _tag: "Absent" }
          : code === "ESILENT"
            ? { _tag: "Silent" }
            : { _tag: "Broken", why: code || error.message }
      )
    })
    if (wanted.silentAfterMillis !== undefined)
      request.setTimeout(wanted.silentAfterMillis, () =>
        request.destroy(Object.assign(new Error("silent"), { code: "ESILENT" }))
      )
    request.end(wanted.body)
    return Effect.sync(() => request.destroy())
  })

/** Sockets as this machine has them. */
export const layer: Layer.Layer<Network> = Layer.succeed(Network, {
  host: hostname(),
  // sun_path of macOS holds 104 bytes, that of Linux 108, each with a zero at its end.
  socketPathBytesMax: 103,
  temporaryFolder: tmpdir(),
  listenLocally,
  listen,
  ask,
  serverServices: Layer.unwrapEffect(Effect.map(nodeHttpServer, (node) => node.layerContext))
})
