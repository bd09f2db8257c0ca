/**
 * Takes requests to put dead letters through a job again, carries them over its lives until an intent does, and tells
 * when they are done.
 *
 * A request says where each replay ends. It is made once: a life that begins anew goes on to the same ends, so that what
 * was set aside again meanwhile is not part of it.
 */
import { Deferred, Effect, Either } from "effect"
import type { Manifest, ReplayCounts } from "../checkpoint/Checkpoint.ts"
import type { SourceError } from "../flow/Source.ts"
import type { Offset } from "../model/Event.ts"
import type { ReplayCut } from "../model/Message.ts"

/** What a life does for the desk. */
export interface Replaying {
  /** Ends each replay where its letters end now. */
  readonly ask: Effect.Effect<void, SourceError>
  readonly cuts: () => ReadonlyArray<ReplayCut>
}

export interface ReplayDesk {
  /** Where replays that were asked for end, by `keyOf`. */
  readonly ends: ReadonlyMap<string, Offset>
  /** Called when a life has opened its sources: hands it the requests that no life has seen. */
  readonly opened: (life: Replaying) => Effect.Effect<void, SourceError>
  /** Called with every manifest, the one that a life begins with too. */
  readonly seen: (manifest: Manifest) => Effect.Effect<void>
  /** Waits until all letters that are there now have been put through, and that is durable. One request at a time. */
  readonly replay: Effect.Effect<ReplayCounts>
}

export const keyOf = ({ partition, sink, source }: Pick<ReplayCut, "source" | "sink" | "partition">): string =>
  `${partition} ${sink} ${source}`

/** Nothing was replayed. */
export const nothing: ReplayCounts = { records: 0, late: 0, deadLetters: 0, skipped: 0 }

/** What came between two manifests. */
export const between = (before: ReplayCounts, after: ReplayCounts): ReplayCounts => ({
  records: after.records - before.records,
  late: after.late - before.late,
  deadLetters: after.deadLetters - before.deadLetters,
  skipped: after.skipped - before.skipped
})

/** `asks`: the run begins with a request. */
export const make = (asks: boolean): Effect.Effect<ReplayDesk> =>
  Effect.gen(function* () {
    const ends = new Map<string, Offset>()
    const turns = yield* Effect.makeSemaphore(1)
    let unseen: ReadonlyArray<Request> = asks ? [null] : []
    let life: Replaying | null = null
    let counts = nothing
    let waiting: Waiting | null = null

    const ask = (replaying: Replaying, request: Request): Effect.Effect<void, SourceError> =>
      Effect.gen(function* () {
        yield* replaying.ask
        const open = replaying.cuts().filter(({ offset, until }) => offset < until)
        const wanted = new Map(open.map((cut) => [keyOf(cut), cut.until]))
        for (const [key, until] of wanted) ends.set(key, until)
        if (request === null) return
        if (wanted.size === 0) yield* Deferred.succeed(request, nothing)
        else waiting = { wanted, before: counts, done: request }
      })

    return {
      ends,
      opened: (opened) =>
        Effect.gen(function* () {
          life = opened
          for (const request of unseen) yield* ask(opened, request)
          unseen = []
        }),
      seen: (manifest) =>
        Effect.suspend(() => {
          counts = manifest.replayed ?? nothing
          if (waiting === null || !isDone(waiting.wanted, manifest.replays ?? [])) return Effect.void
          const { before, done } = waiting
          waiting = null
          return Deferred.succeed(done, between(before, counts))
        }),
      replay: turns.withPermits(1)(
        Effect.gen(function* () {
          const request = yield* Deferred.make<ReplayCounts>()
          // A life that fails meanwhile leaves the request to the next one.
          const isTaken = life !== null && Either.isRight(yield* Effect.either(ask(life, request)))
          if (!isTaken) unseen = [...unseen, request]
          return yield* Deferred.await(request)
        })
      )
    }
  })

// Private

/** Who waits for it; `null`: nobody. */
type Request = Deferred.Deferred<ReplayCounts> | null

interface Waiting {
  readonly wanted: ReadonlyMap<string, Offset>
  readonly before: ReplayCounts
  readonly done: Deferred.Deferred<ReplayCounts>
}

const isDone = (wanted: ReadonlyMap<string, Offset>, cuts: ReadonlyArray<ReplayCut>): boolean => {
  const offsets = new Map(cuts.map((cut) => [keyOf(cut), cut.offset]))
  for (const [key, until] of wanted) if ((offsets.get(key) ?? 0) < until) return false
  return true
}
