/** A case of the suites of checkpoint stores: the place it runs in, what it writes there, how it says what it expects. */
import { Cause, Effect, Exit, Option, type Scope } from "effect"
import type { Intent, Manifest, StateHandle } from "../checkpoint/Checkpoint.ts"
import type { CheckpointStoreService, Claim, EpochCommit, StepState } from "../checkpoint/CheckpointStore.ts"
import type { Statement } from "../flow/Tables.ts"
import type { StatePart } from "../state/StatePart.ts"

/** Where a store keeps what it keeps. */
export interface Place {
  /** The store as a process that starts now opens it. What it kept elsewhere is there. */
  readonly open: Effect.Effect<CheckpointStoreService, unknown, Scope.Scope>
  /** Changes what was written, as a failing disk would; `null` where there is nothing that could fail. */
  readonly damage: {
    readonly manifest: (job: string, epoch: number) => Effect.Effect<void, unknown>
    readonly intent: (job: string, epoch: number) => Effect.Effect<void, unknown>
    readonly state: (job: string, epoch: number) => Effect.Effect<void, unknown>
    readonly lookup: (job: string, version: string) => Effect.Effect<void, unknown>
  } | null
}

/** A case, once there is a new place to run it in. */
export interface Story {
  readonly name: string
  readonly run: (place: Place) => Effect.Effect<void, unknown, Scope.Scope>
}

export const job = "orders"
export const jobId = "job-1"

// What is written

const bytesOf = (content: string): Uint8Array => new TextEncoder().encode(content)

/** A part whose content tells where it belongs. */
export const part = (keyGroup: number, kind: StatePart["kind"], content: string): StatePart => ({
  keyGroup,
  kind,
  bytes: bytesOf(content)
})

export const intentOf = (claim: Claim, epoch: number): Intent => ({
  job: claim.job,
  lineage: claim.lineage,
  generation: claim.generation,
  epoch,
  openedAt: epoch * 1000,
  closedAt: epoch * 1000 + 999,
  final: false,
  partitions: [{ source: "orders", partition: 0, offset: epoch * 10, state: "active" }]
})

export const manifestOf = (claim: Claim, epoch: number, handles: ReadonlyArray<StateHandle> = []): Manifest => ({
  version: 1,
  job: claim.job,
  jobId: claim.jobId,
  lineage: claim.lineage,
  generation: claim.generation,
  epoch,
  openedAt: epoch * 1000,
  closedAt: epoch * 1000 + 999,
  final: false,
  partitions: [{ source: "orders", partition: 0, offset: epoch * 10, state: "active" }],
  watermark: Number.NEGATIVE_INFINITY,
  sources: [
    {
      source: "orders",
      identity: "log-1/orders",
      partitions: [{ partition: 0, offset: epoch * 10, timestamp: epoch, checksum: 4_294_967_295 }]
    }
  ],
  sinks: [{ sink: "income", position: null }],
  steps: [{ step: "income", kind: "window", fingerprint: "f" }],
  state: handles,
  stateRows: 1,
  stateBytes: 1,
  totals: { recordsIn: 9_007_199_254_740_991, rowsOut: 1, late: 0, deadLetters: 0 }
})

interface Written {
  readonly handles?: ReadonlyArray<StateHandle>
  readonly state?: ReadonlyArray<StepState>
  readonly statements?: ReadonlyArray<Statement>
}

export const epochOf = (claim: Claim, epoch: number, written: Written = {}): EpochCommit => ({
  manifest: manifestOf(claim, epoch, written.handles),
  state: written.state ?? [],
  statements: written.statements ?? [],
  progress: JSON.stringify({ epoch })
})

/** Intent and manifest of one epoch after the other. */
export const write = (store: CheckpointStoreService, claim: Claim, from: number, to: number) =>
  Effect.forEach(
    Array.from({ length: to - from + 1 }, (_, i) => from + i),
    (epoch) =>
      Effect.zipRight(store.writeIntent(claim, intentOf(claim, epoch)), store.commit(claim, epochOf(claim, epoch))),
    { discard: true }
  )

/** The state of one key group: a base every third epoch, deltas between, all named by the handles. */
export const stateOf = (epoch: number): Written => {
  const baseEpoch = epoch - ((epoch - 1) % 3)
  const deltaEpochs = Array.from({ length: epoch - baseEpoch }, (_, i) => baseEpoch + 1 + i)
  const kind = epoch === baseEpoch ? "base" : "delta"
  return {
    handles: [7, 8].map((keyGroup) => ({ step: "income", keyGroup, baseEpoch, deltaEpochs })),
    state: [{ step: "income", parts: [7, 8].map((group) => part(group, kind, `${kind} ${group} ${epoch}`)) }]
  }
}

export const writeState = (store: CheckpointStoreService, claim: Claim, to: number) =>
  Effect.forEach(
    Array.from({ length: to }, (_, i) => i + 1),
    (epoch) => store.commit(claim, epochOf(claim, epoch, stateOf(epoch))),
    { discard: true }
  )

// What is expected

export const shown = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (inner instanceof Uint8Array ? new TextDecoder().decode(inner) : inner))

/** Fails unless both are written alike. */
export const same = (what: string, found: unknown, wanted: unknown): Effect.Effect<void, Error> =>
  shown(found) === shown(wanted)
    ? Effect.void
    : Effect.fail(new Error(`${what}: expected ${shown(wanted)}, found ${shown(found)}`))

/** The failure of an effect that must fail, as an error of this tag. */
export const refused = <A, E, R>(
  what: string,
  tag: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<E, Error, R> =>
  Effect.flatMap(Effect.exit(effect), (exit) => {
    const failure = Exit.isFailure(exit) ? Option.getOrNull(Cause.failureOption(exit.cause)) : null
    return failure !== null && (failure as { readonly _tag?: string })._tag === tag
      ? Effect.succeed(failure)
      : Effect.fail(new Error(`${what}: expected ${tag}, found ${shown(failure ?? exit)}`))
  })

export const epochsOf = (written: ReadonlyArray<{ readonly epoch: number }>): ReadonlyArray<number> =>
  written.map(({ epoch }) => epoch)

/** Fails unless message and hint of an error hold all of these words. */
export const names = (error: unknown, words: ReadonlyArray<string>): Effect.Effect<void, Error> => {
  const { message, hint } = error as { readonly message: string; readonly hint: string }
  const missing = words.filter((word) => !`${message} ${hint}`.includes(word))
  return same(`words missing in '${message} ${hint}'`, missing, [])
}
