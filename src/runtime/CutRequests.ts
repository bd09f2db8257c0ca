/** Requests of an epoch before its trigger, each answered when all that had been read by then is durable. */
import { Deferred, Effect } from "effect"

export interface CutRequests {
  /** Is there a request for which nothing is cut yet? */
  readonly wanted: () => boolean
  /** Everything up to this epoch is cut: that is what the requests so far wait for. */
  readonly cut: (epoch: number) => void
  /** This epoch is durable. */
  readonly durable: (epoch: number) => void
  /** Ends when what is read now is durable; `attention` wakes whoever cuts. */
  readonly ask: (attention: Effect.Latch) => Effect.Effect<void>
}

interface Request {
  readonly done: Deferred.Deferred<void>
  /** `null`: nothing is cut for it yet. */
  epoch: number | null
}

/** `last`: the last epoch that is durable now. */
export const make = (last: () => number): CutRequests => {
  let requests: Array<Request> = []
  const settle = (durable: number): void => {
    for (const { done, epoch } of requests)
      if (epoch !== null && epoch <= durable) Deferred.unsafeDone(done, Effect.void)
    requests = requests.filter(({ epoch }) => epoch === null || epoch > durable)
  }
  return {
    wanted: () => requests.some(({ epoch }) => epoch === null),
    cut: (epoch) => {
      for (const request of requests) request.epoch ??= epoch
      settle(last())
    },
    durable: settle,
    ask: (attention) =>
      Effect.gen(function* () {
        const done = yield* Deferred.make<void>()
        const request: Request = { done, epoch: null }
        requests.push(request)
        yield* attention.open
        yield* Effect.onInterrupt(Deferred.await(done), () =>
          Effect.sync(() => {
            requests = requests.filter((other) => other !== request)
          })
        )
      })
  }
}
