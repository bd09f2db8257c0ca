/**
 * What happens in the daemon, as server-sent events.
 *
 * A listener first gets every job's status, so that one who lost the connection is up to date again, then what
 * happens. It may read as slowly as it likes: beyond `Limits.eventsWaitingMax` it loses the oldest.
 */
import { HttpServerResponse } from "@effect/platform"
import { Clock, type Deferred, Effect, Queue, Schedule, Schema, Stream } from "effect"
import * as Limits from "../model/Limits.ts"
import type { JobEvent } from "../observe/Progress.ts"
import { progressShown, statusShown } from "./ApiAnswers.ts"
import * as Schemas from "./ApiSchemas.ts"
import type { DaemonService } from "./Daemon.ts"

/**
 * The stream of events, until `closing` is done or the listener is gone. Its connection is not kept for another
 * call: a server that closes would wait for it.
 */
export const response = (
  daemon: DaemonService,
  closing: Deferred.Deferred<void>
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(
    Stream.merge(texts(daemon), heartbeats, { haltStrategy: "left" }).pipe(
      Stream.interruptWhenDeferred(closing),
      Stream.encodeText
    ),
    {
      contentType: "text/event-stream",
      headers: { "cache-control": "no-cache", "x-accel-buffering": "no", connection: "close" }
    }
  )

const heartbeats = Stream.as(
  Stream.fromSchedule(Schedule.spaced(`${Limits.eventsHeartbeatMillis} millis`)),
  ": heartbeat\n\n"
)

const texts = (daemon: DaemonService): Stream.Stream<string> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const waiting = yield* Effect.acquireRelease(Queue.sliding<JobEvent>(Limits.eventsWaitingMax), Queue.shutdown)
      yield* Stream.runForEach(daemon.events, (event) => Queue.offer(waiting, event)).pipe(
        Effect.ensuring(Queue.shutdown(waiting)),
        Effect.forkScoped
      )
      // The fork must listen before the statuses are read: a change between the two would be lost.
      yield* Effect.yieldNow()
      const statuses = yield* daemon.statuses
      return Stream.make("retry: 1000\n\n").pipe(
        Stream.concat(
          Stream.fromIterable(statuses.map((status): JobEvent => ({ _tag: "State", status }))).pipe(
            Stream.concat(Stream.fromQueue(waiting)),
            Stream.mapEffect(textOf)
          )
        )
      )
    })
  )

const encodeStatus = Schema.encodeSync(Schema.parseJson(Schemas.JobStatus))
const encodeProgress = Schema.encodeSync(Schema.parseJson(Schemas.EpochProgress))

const textOf = (event: JobEvent): Effect.Effect<string> =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    event._tag === "State"
      ? `event: state\ndata: ${encodeStatus(statusShown(event.status, now))}\n\n`
      : `event: progress\ndata: ${encodeProgress(progressShown(event.progress))}\n\n`
  )
