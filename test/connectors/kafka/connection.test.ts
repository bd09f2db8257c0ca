/** A connection of the driver whose broker dies in the middle of an answer, and comes back. */
import { createServer, type Server, type Socket } from "node:net"
import { NodeContext } from "@effect/platform-node"
import { Clock, Effect, Fiber, TestClock, TestContext } from "effect"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import * as KafkaClient from "../../../src/connectors/kafka/KafkaClient.ts"
import { resolve } from "../../../src/connectors/kafka/KafkaConfig.ts"
import type * as Requests from "../../../src/connectors/kafka/KafkaRequests.ts"
import * as Limits from "../../../src/model/Limits.ts"

/** Versions of requests, and one broker, which is this server: all that a client asks for before it asks on. */
const answerTo = (key: number, correlation: number, port: number): Buffer => {
  const parts: Array<Buffer> = []
  const int16 = (value: number) => parts.push(Buffer.from([value >> 8, value & 255]))
  const int32 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    parts.push(bytes)
  }
  int32(correlation)
  if (key === 18) {
    int16(0)
    int32(4)
    for (const [api, most] of [
      [1, 4],
      [3, 1],
      [18, 0],
      [22, 1]
    ] as const) {
      int16(api)
      int16(0)
      int16(most)
    }
  } else if (key === 3) {
    int32(1)
    int32(1)
    int16(9)
    parts.push(Buffer.from("127.0.0.1"))
    int32(port)
    int16(-1)
    int32(1)
    int32(0)
  } else int32(7)
  const body = Buffer.concat(parts)
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

let server: Server
let port = 0
/** Answers that are cut in half, before the connection ends. */
let halves = 0
let refused = 0
/** Connections on which something was asked that is not answered. */
const silent: Array<Socket> = []
beforeAll(async () => {
  server = createServer((socket: Socket) => {
    let pending = Buffer.alloc(0)
    socket.on("error", () => {})
    socket.on("data", (data: Buffer) => {
      pending = Buffer.concat([pending, data])
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const size = pending.readInt32BE(0)
        const key = pending.readInt16BE(4)
        const answer = answerTo(key, pending.readInt32BE(8), port)
        pending = pending.subarray(4 + size)
        if (key === unanswered) silent.push(socket)
        else if (key !== asked || halves === 0) socket.write(answer)
        else {
          halves--
          refused++
          socket.end(answer.subarray(0, answer.length - 3))
        }
      }
    })
  })
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  port = (server.address() as { readonly port: number }).port
})
afterAll(() => void server.close())

/** The key of a request that nothing but the test sends. */
const asked = 999
/** The key of a request that is never answered. */
const unanswered = 998
const requestOf = (key: number): Requests.Request<number> => ({
  name: "Anything",
  key,
  version: 0,
  encode: () => new Uint8Array([0]),
  decode: (answer) => new DataView(answer.buffer, answer.byteOffset).getInt32(0)
})
const request = requestOf(asked)

const untilSilent = (connections: number) =>
  Effect.repeat(Effect.sleep(5), { until: () => silent.length === connections }).pipe(Effect.withClock(Clock.make()))

it("understands the answers that come after one that was cut in half", { timeout: 20_000 }, () =>
  Effect.gen(function* () {
    const client = yield* KafkaClient.make(yield* resolve({ brokers: [`127.0.0.1:${port}`] }))
    expect(yield* client.send(null, request)).toBe(7)
    halves = 2
    const begun = Date.now()
    for (let i = 0; i < 2; i++) {
      expect(yield* Effect.flip(client.send(null, request))).toMatchObject({ type: "CONNECTION", retry: true })
      yield* Effect.sleep(50)
    }
    expect(yield* client.send(null, request)).toBe(7)
    expect(refused).toBe(2)
    // It has not waited for the time-out of a request.
    expect(Date.now() - begun).toBeLessThan(5_000)
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer), Effect.runPromise)
)

it(
  "goes on though a connection closes that is being given up, with others who wait for an answer",
  { timeout: 20_000 },
  () =>
    Effect.gen(function* () {
      const client = yield* KafkaClient.make(yield* resolve({ brokers: [`127.0.0.1:${port}`] }))
      silent.length = 0
      const first = yield* Effect.fork(Effect.flip(client.send(null, requestOf(unanswered))))
      yield* untilSilent(1)
      // The driver's time-outs go by `Date`: the first request is over at the next look, the second is not.
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + Limits.brokerRequestMillisMax + 1 })
      const second = yield* Effect.fork(Effect.flip(client.send(null, requestOf(unanswered))))
      yield* untilSilent(2)
      expect(yield* Fiber.join(first)).toMatchObject({ type: "TIMEOUT", retry: true })
      silent[1]!.destroy()
      expect(yield* Fiber.join(second)).toMatchObject({ type: "CONNECTION", retry: true })
      expect(yield* client.send(null, request)).toBe(7)
    }).pipe(
      Effect.ensuring(Effect.sync(() => vi.useRealTimers())),
      Effect.scoped,
      Effect.provide(NodeContext.layer),
      Effect.runPromise
    )
)

it("gives a silent broker up in time, though the machine's clock was set back", { timeout: 20_000 }, () =>
  Effect.gen(function* () {
    const client = yield* KafkaClient.make(yield* resolve({ brokers: [`127.0.0.1:${port}`] }))
    silent.length = 0
    const asking = yield* Effect.fork(Effect.flip(client.send(null, requestOf(unanswered))))
    yield* untilSilent(1)
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 3_600_000 })
    yield* TestClock.adjust(Limits.brokerRequestMillisMax)
    expect(yield* Fiber.join(asking)).toMatchObject({ type: "TIMEOUT", retry: true })
    expect(
      silent[0]!.destroyed ||
        (yield* Effect.async<boolean>((resume) => void silent[0]!.once("close", () => resume(Effect.succeed(true)))))
    ).toBe(true)
    expect(yield* client.send(null, request)).toBe(7)
  }).pipe(
    Effect.ensuring(Effect.sync(() => vi.useRealTimers())),
    Effect.scoped,
    Effect.provide([NodeContext.layer, TestContext.TestContext]),
    Effect.runPromise
  )
)
