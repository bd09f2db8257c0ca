import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope, Stream, TestClock } from "effect"
import * as ApiEvents from "../../src/daemon/ApiEvents.ts"
import * as Limits from "../../src/model/Limits.ts"
import type { JobEvent } from "../../src/observe/Progress.ts"
import * as ApiServer from "./ApiServer.ts"
import * as FakeWorld from "./FakeWorld.ts"

interface Heard {
  readonly event: string
  readonly data: any
}

const listen = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const abort = new AbortController()
      const response = await fetch(`${url}/api/events`, { signal: abort.signal })
      return { abort, response, reader: response.body!.pipeThrough(new TextDecoderStream()).getReader(), rest: "" }
    }),
    ({ abort }) => Effect.sync(() => abort.abort())
  )

type Listener = Effect.Effect.Success<ReturnType<typeof listen>>

/** Reads until so many events came, or the stream ended. */
const hear = (listener: Listener, count: number) =>
  Effect.promise(async () => {
    const heard: Array<Heard> = []
    while (heard.length < count) {
      const { done, value } = await listener.reader.read()
      if (done) return heard
      const parts = (listener.rest + value).split("\n\n")
      listener.rest = parts.pop()!
      heard.push(...parts.flatMap(parse))
    }
    return heard
  })

const parse = (part: string): ReadonlyArray<Heard> => {
  const found = /^event: (\w+)\ndata: (.+)$/.exec(part)
  return found === null ? [] : [{ event: found[1]!, data: JSON.parse(found[2]!) }]
}

const textsOf = (body: any): Stream.Stream<string> => Stream.decodeText(body.body.stream as Stream.Stream<Uint8Array>)

describe("ApiEvents", () => {
  it.scopedLive("tells every job's state at first, then progress and changes of state", () =>
    Effect.gen(function* () {
      const { url, tick, service } = yield* ApiServer.start()
      const listener = yield* listen(url)
      expect(listener.response.headers.get("content-type")).toContain("text/event-stream")
      const first = yield* hear(listener, 3)
      expect(first.map(({ event, data }) => [event, data.job, data.state])).toEqual([
        ["state", "orders", "running"],
        ["state", "stocks-archive", "stopped"],
        ["state", "stocks-average", "failed"]
      ])
      yield* tick
      const [progress] = yield* hear(listener, 1)
      expect([progress!.event, progress!.data.epoch]).toEqual(["progress", 42])
      yield* service.stop("orders")
      const [state] = yield* hear(listener, 1)
      expect([state!.event, state!.data.state]).toEqual(["state", "stopped"])
    })
  )

  it.scopedLive("brings a listener that comes again up to date", () =>
    Effect.gen(function* () {
      const { url, service } = yield* ApiServer.start()
      const before = yield* listen(url)
      yield* hear(before, 3)
      before.abort.abort()
      yield* service.stop("orders")
      const again = yield* hear(yield* listen(url), 3)
      expect(again[0]!.data).toMatchObject({ job: "orders", state: "stopped" })
    })
  )

  it.scopedLive("ends when the daemon ends", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* Scope.extend(ApiServer.start(), scope)
      const listener = yield* listen(url)
      yield* hear(listener, 3)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      expect(yield* hear(listener, 1)).toEqual([])
      yield* Fiber.join(closing)
    }).pipe(Effect.timeout("3 seconds"))
  )

  it.effect("loses the oldest when it is read too slowly", () =>
    Effect.gen(function* () {
      const world = yield* FakeWorld.makeDaemon
      const status = (yield* world.service.statuses)[0]!
      const sent = 3 * Limits.eventsWaitingMax
      const events: ReadonlyArray<JobEvent> = Array.from({ length: sent }, (_, i) => ({
        _tag: "State",
        status: { ...status, epoch: 1_000 + i }
      }))
      const response = ApiEvents.response(
        { ...world.service, events: Stream.concat(Stream.fromIterable(events), Stream.never) },
        yield* Deferred.make<void>()
      )
      const heard: Array<number> = []
      yield* textsOf(response).pipe(
        // Nothing is read before all have been sent.
        Stream.tap(() => Effect.yieldNow()),
        Stream.map((text) => [...text.matchAll(/"epoch":(\d{4})/g)].map((match) => Number(match[1]))),
        Stream.takeUntil((epochs) => epochs.includes(1_000 + sent - 1)),
        Stream.runForEach((epochs) => Effect.sync(() => heard.push(...epochs)))
      )
      expect(heard.length).toBeLessThan(sent)
      expect(heard.length).toBeGreaterThanOrEqual(Limits.eventsWaitingMax)
      expect(heard.at(-1)).toBe(1_000 + sent - 1)
    })
  )

  it.effect("sends a comment when nothing happens for long", () =>
    Effect.gen(function* () {
      const { service } = yield* FakeWorld.makeDaemon
      const response = ApiEvents.response(service, yield* Deferred.make<void>())
      const waiting = yield* textsOf(response).pipe(
        Stream.filter((text) => text.startsWith(":")),
        Stream.runHead,
        Effect.fork
      )
      yield* TestClock.adjust(`${Limits.eventsHeartbeatMillis - 1} millis`)
      expect(yield* Fiber.poll(waiting)).toMatchObject({ _tag: "None" })
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(waiting)).toMatchObject({ value: ": heartbeat\n\n" })
    })
  )
})
