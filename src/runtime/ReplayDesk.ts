/**
 * Takes requests to put what was set aside through a job again, carries them over its lives until an intent does, and
 * tells when they are done.
 *
 * A request says where each replay ends. It is made once: a life that begins anew goes on to the same ends, so that what
 * was set aside again meanwhile is not part of it.
 */
import { Deferred, Effect, Either } from "effect"
import type { Manifest, ReplayCounts } from "../checkpoint/Checkpoint.ts"
import type { LetterKind } from "../flow/Letters.ts"
import type { Offset } from "../model/Event.ts"
import type { ReplayCut } from "../model/Message.ts"

/** What a life does for the desk. */
export interface Replaying {
  /** Ends each replay of that kind where its letters end now. */
  readonly ask: (kind: LetterKind) => Effect.Effect<void, unknown>
  readonly cuts: () => ReadonlyArray<ReplayCut>
}

export interface ReplayDesk {
  /** Where replays that were asked for end, by `keyOf`. */
  readonly ends: ReadonlyMap<string, Offset>
  /** Called when a life has opened its sources: hands it the requests that no life has seen. */
  readonly opened: <E>(
    replaying: Replaying & { readonly ask: (kind: LetterKind) => Effect.Effect<void, E> }
  ) => Effect.Effect<void, E>
  /** Called at every manifest. */
  readonly seen: (manifest: Manifest) => Effect.Effect<void>
  /** Waits until all letters of a kind that are there now have been put through, and that is durable. */
  readonly replay: (kind: LetterKind) => Effect.Effect<ReplayCounts>
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

/** `first`: what the run begins with. */
export const make = (first: ReadonlyArray<LetterKind>): Effect.Effect<ReplayDesk> =>
  Effect.gen(function* () {
    const ends = new Map<string, Offset>()
    const turns = yield* Effect.makeSemaphore(1)
    let asked: Array<Request> = first.map((kind) => ({ kind, begun: null }))
    let life: Replaying | null = null
    let counted = nothing
    let waiting: Waiting | null = null

    const ask = <E>(
      replaying: { readonly ask: (kind: LetterKind) => Effect.Effect<void, E> } & Replaying,
      request: Request
    ) =>
      Effect.gen(function* () {
        yield* replaying.ask(request.kind)
        const open = replaying.cuts().filter(({ offset, until }) => offset < until)
        for (const cut of open) ends.set(keyOf(cut), Math.max(cut.until, ends.get(keyOf(cut)) ?? 0))
        if (request.begun === null) return
        const wanted = new Map(open.map((cut) => [keyOf(cut), cut.until]))
        if (wanted.size === 0) yield* Deferred.succeed(request.begun, nothing)
        else waiting = { wanted, before: counted, done: request.begun }
      })

    return {
      ends,
      opened: (replaying) =>
        Effect.gen(function* () {
          life = replaying
          for (const request of asked) yield* ask(replaying, request)
          asked = []
        }),
      seen: (manifest) =>
        Effect.suspend(() => {
          counted = manifest.replayed ?? nothing
          if (waiting === null || !isDone(waiting.wanted, manifest.replays ?? [])) return Effect.void
          const { before, done } = waiting
          waiting = null
          return Deferred.succeed(done, between(before, counted))
        }),
      replay: (kind) =>
        turns.withPermits(1)(
          Effect.gen(function* () {
            const done = yield* Deferred.make<ReplayCounts>()
            const request: Request = { kind, begun: done }
            // A life that fails meanwhile leaves the request to the next one.
            const isTaken = life !== null && Either.isRight(yield* Effect.either(ask(life, request)))
            if (!isTaken) asked.push(request)
            return yield* Deferred.await(done)
          })
        )
    }
  })

// Private

interface Request {
  readonly kind: LetterKind
  /** Who waits for it; `null`: nobody. */
  readonly begun: Deferred.Deferred<ReplayCounts> | null
}

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
