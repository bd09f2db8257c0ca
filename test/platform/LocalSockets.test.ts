import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { HttpServerResponse } from "@effect/platform"
import { Duration, Effect, Exit, Fiber, Scope } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { Network } from "../../src/daemon/Network.ts"
import { layer } from "../../src/platform/LocalSockets.ts"

const home = mkdtempSync(join(tmpdir(), "weir-sockets-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))
let sockets = 0
const newSocket = () => join(home, `s${++sockets}`)

const run = <A, E>(effect: Effect.Effect<A, E, Network | Scope.Scope>) =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(layer)))
const owner = { method: "GET", path: "/owner", silentAfterMillis: 300 } as const

/** Accepts connections and does this with them. */
const accepting = (path: string, f: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.async<ReturnType<typeof createServer>>((resume) => {
      const server = createServer(f)
      server.listen(path, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )

describe("A local socket", () => {
  it("says its owner before anything is served, and nobody when it is closed", async () => {
    const path = newSocket()
    const answers = await run(
      Effect.gen(function* () {
        const network = yield* Network
        const scope = yield* Scope.make()
        const before = yield* network.ask(path, owner)
        yield* network.listenLocally(path, "me").pipe(Scope.extend(scope))
        const open = yield* network.ask(path, owner)
        yield* Scope.close(scope, Exit.void)
        return [before, open, yield* network.ask(path, owner)]
      })
    )
    expect(answers).toEqual([{ _tag: "Absent" }, { _tag: "Answer", status: 200, body: "me" }, { _tag: "Absent" }])
  })

  it("lets the first request wait until an app is served", async () => {
    const path = newSocket()
    const answer = await run(
      Effect.gen(function* () {
        const network = yield* Network
        const server = yield* network.listenLocally(path, "me")
        const waiting = yield* Effect.fork(network.ask(path, { method: "GET", path: "/api/topics" }))
        yield* server.demanded
        yield* (yield* server.http).serve(HttpServerResponse.text("served"))
        return yield* Fiber.join(waiting)
      })
    )
    expect(answer).toEqual({ _tag: "Answer", status: 200, body: "served" })
  })

  it("waits for nobody who went away before an app was served", async () => {
    const path = newSocket()
    const millis = await run(
      Effect.gen(function* () {
        const network = yield* Network
        const server = yield* network.listenLocally(path, "me")
        const impatient = yield* Effect.fork(network.ask(path, { method: "GET", path: "/api/topics" }))
        yield* server.demanded
        yield* Fiber.interrupt(impatient)
        yield* Effect.sleep(50)
        yield* (yield* server.http).serve(HttpServerResponse.text("served"))
        const [drained] = yield* Effect.timed(server.drain)
        return Duration.toMillis(drained)
      })
    )
    expect(millis).toBeLessThan(500)
  })

  it("ends within its bound though a request is never answered, also where nothing interrupts it", async () => {
    const path = newSocket()
    const millis = await run(
      Effect.gen(function* () {
        const network = yield* Network
        const server = yield* network.listenLocally(path, "me")
        yield* (yield* server.http).serve(Effect.never)
        yield* Effect.fork(network.ask(path, { method: "GET", path: "/api/topics" }))
        yield* Effect.sleep(100)
        const [drained] = yield* Effect.timed(Effect.uninterruptible(server.drain))
        return Duration.toMillis(drained)
      })
    )
    expect(millis).toBeGreaterThan(900)
    expect(millis).toBeLessThan(5_000)
  })

  it("tells a process that is silent from one that is gone", async () => {
    const path = newSocket()
    const answer = await run(
      Effect.gen(function* () {
        yield* accepting(path, (socket) => socket.on("error", () => {}))
        return yield* (yield* Network).ask(path, owner)
      })
    )
    expect(answer).toEqual({ _tag: "Silent" })
  })

  it("tells a connection that broke", async () => {
    const path = newSocket()
    const answer = await run(
      Effect.gen(function* () {
        yield* accepting(path, (socket) => socket.destroy())
        return yield* (yield* Network).ask(path, owner)
      })
    )
    expect(answer._tag).toBe("Broken")
  })

  it("is refused with its path where it cannot be", async () => {
    const path = join(home, "no-such-folder", "s")
    const error = await run(Effect.flip(Effect.flatMap(Network, (network) => network.listenLocally(path, "me"))))
    expect(error).toMatchObject({ _tag: "StorageFailed", path })
  })
})

describe("A port", () => {
  it("lets requests wait until an app is served", async () => {
    const answers = await run(
      Effect.gen(function* () {
        const server = yield* (yield* Network).listen("127.0.0.1", 0)
        const port = server.address._tag === "TcpAddress" ? server.address.port : 0
        const ask = Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}/`)).text())
        const waiting = yield* Effect.fork(ask)
        // Long enough for the request to have come.
        yield* Effect.sleep(100)
        yield* server.serve(HttpServerResponse.text("served"))
        return [yield* Fiber.join(waiting), yield* ask]
      })
    )
    expect(answers).toEqual(["served", "served"])
  })

  it("that is taken is refused by its number", async () => {
    const error = await run(
      Effect.gen(function* () {
        const network = yield* Network
        const { address } = yield* network.listen("127.0.0.1", 0)
        const port = address._tag === "TcpAddress" ? address.port : 0
        expect(port).toBeGreaterThan(0)
        return [port, yield* Effect.flip(network.listen("127.0.0.1", port))] as const
      })
    )
    expect(error[1]).toMatchObject({ _tag: "PortInUse", port: error[0] })
  })
})
