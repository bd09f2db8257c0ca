/**
 * Memory and speed of one step with millions of keys, against how many entries it keeps as objects and not as packed
 * bytes (`Limits.stateEntriesMax`): the keyed aggregate, without and with a time to live, a window that stays open, the
 * first of each key, and a user's own operator with a state and a timer for each key. Each in a process of its own.
 *
 *     fill     an event for each key, an epoch each 250,000, each with its snapshot
 *     random   epochs of events whose keys are any of all
 *     hot      epochs of events whose keys are a few thousand, always the same
 *     restore  a new operator takes up what the snapshots handed over
 */

import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Schema } from "effect"
import { type Context, stateCodec } from "../src/flow/Process.ts"
import { Aggregate, Window } from "../src/index.ts"
import type { Batch } from "../src/model/Message.ts"
import * as Distinct from "../src/operator/Distinct.ts"
import * as KeyedAggregate from "../src/operator/KeyedAggregate.ts"
import type { Operator } from "../src/operator/Operator.ts"
import * as Process from "../src/operator/Process.ts"
import * as WindowAggregate from "../src/operator/WindowAggregate.ts"
import type { StatePart } from "../src/state/StatePart.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as Steps from "./Steps.ts"

const options = Figures.options({
  /** Keys of each run, one run for each. */
  keys: "1_000_000,5_000_000",
  /** Entries kept as objects, one run for each; `all` packs none. */
  entries: "100_000,500_000,all",
  steps: "aggregate,expiring,window,distinct,process",
  /** Events of an epoch, hot keys, and epochs of each kind that are timed. */
  events: 200_000,
  hot: 5_000,
  epochs: 5,
  /** Set by the bench for its own processes. */
  only: ""
})

interface Account {
  readonly account: number
  readonly amount: number
}

interface State {
  readonly filledBytes: number
  readonly filledBytesMost: number
  readonly fillMicros: number
  readonly snapshotMillis: Figures.Spread
  readonly storedBytes: number
  readonly randomMicros: number
  readonly randomSnapshotMillis: Figures.Spread
  readonly hotMicros: number
  readonly hotSnapshotMillis: Figures.Spread
  readonly restoreSeconds: number
}

const fillEvents = 250_000
const windowAt = 1_700_000_000_000
/** Longer than any run. */
const livesMillis = 365 * 86_400_000

// In a process of its own

const operatorOf = (step: string, stateEntriesMax: number): Operator => {
  const keyBy = { kind: "keyBy" as const, columns: [{ name: "account", of: (one: Account) => one.account }] }
  const aggregates = { sum: Aggregate.sum((one: Account) => one.amount), moves: Aggregate.count }
  const timeToLiveMillis = step === "expiring" ? livesMillis : null
  const aggregate = { kind: "aggregate" as const, id: step, aggregates, timeToLiveMillis }
  if (step === "distinct") return Distinct.make({ id: step, keyBy, timeToLiveMillis: livesMillis, stateEntriesMax })
  if (step === "process")
    return Process.make({ id: step, keyBy, process: movesOf(step), timed: false, stateEntriesMax })
  if (step !== "window") return KeyedAggregate.make({ id: step, keyBy, aggregate, changes: false, stateEntriesMax })
  return WindowAggregate.make({
    id: step,
    keyBy,
    window: { kind: "window", window: Window.tumbling("365 days"), allowedLatenessMillis: 0 },
    aggregate,
    mode: "onUpdate",
    appends: false,
    stateEntriesMax
  })
}

const Moves = Schema.Struct({ sum: Schema.Number, moves: Schema.Number })
/** The sum and count of an account, and when it is to be closed. */
const movesOf = (id: string): Process.Options["process"] => ({
  kind: "process",
  id,
  state: stateCodec(Moves),
  outputs: [],
  onEvent: ((one: Account, { keep, setProcessingTimer, state }: Context<typeof Moves.Type, unknown, {}>) => {
    if (state === undefined) setProcessingTimer("365 days")
    keep({ sum: (state?.sum ?? 0) + one.amount, moves: (state?.moves ?? 0) + 1 })
    return [one.account]
  }) as never,
  onTimer: null,
  onProcessingTimer: (() => undefined) as never
})

/** What a checkpoint store would hold: of each key group its base and the deltas since. */
class Kept {
  readonly #groups = new Map<number, Array<StatePart>>()

  take(parts: ReadonlyArray<StatePart>): void {
    for (const part of parts) {
      const known = this.#groups.get(part.keyGroup)
      if (part.kind === "base" || known === undefined) this.#groups.set(part.keyGroup, [part])
      else known.push(part)
    }
  }
  get parts(): ReadonlyArray<StatePart> {
    return [...this.#groups.values()].flat()
  }
  get bytes(): number {
    return this.parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }
}

/** Memory of the process without what nobody holds any more. */
const residentBytes = (): number => {
  if (process.versions.bun === undefined) {
    setFlagsFromString("--expose-gc")
    runInNewContext("gc")()
  }
  return process.memoryUsage.rss()
}

const measure = (step: string, keys: number, entries: number): State => {
  let operator = operatorOf(step, entries)
  const kept = new Kept()
  let epoch = 0
  let rows = 0
  let most = 0
  const out = {
    emit: (_: string, batch: Batch): void => {
      rows += batch.values.length
    }
  }

  /** An epoch of events with these keys; answers microseconds an event, and milliseconds of the snapshot. */
  const epochOf = (count: number, keyOf: (i: number) => number): readonly [micros: number, millis: number] => {
    const batches: Array<Batch> = []
    for (let first = 0; first < count; first += Steps.batchSize) {
      const values: Array<Account> = []
      for (let i = first; i < Math.min(count, first + Steps.batchSize); i++)
        values.push({ account: keyOf(i), amount: i })
      batches.push(Steps.batchOf("moves", values, first, { at: values.map(() => windowAt), own: windowAt - 1 }))
    }
    epoch++
    const began = performance.now()
    for (const batch of batches) operator.onBatch(batch, out, 0)
    operator.onBarrier(Steps.barrierOf(epoch, windowAt - 1, false), out)
    const emitted = performance.now()
    const { parts } = operator.state!.snapshot(epoch)
    const ended = performance.now()
    kept.take(parts)
    most = Math.max(most, process.memoryUsage.rss())
    return [((emitted - began) * 1_000) / count, ended - emitted]
  }

  const fills: Array<readonly [number, number]> = []
  for (let first = 0; first < keys; first += fillEvents)
    fills.push(epochOf(Math.min(fillEvents, keys - first), (i) => first + i))
  // What the store holds is not the step's: it is measured without.
  const storedBytes = kept.bytes
  const filledBytes = residentBytes() - storedBytes
  const filledBytesMost = most
  let seed = 42
  const below = (bound: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * bound)
  }
  const epochsOf = (keyOf: () => number) => {
    const timed = Array.from({ length: options.epochs + 1 }, () => epochOf(options.events, keyOf)).slice(1)
    return {
      micros: Figures.quantile(
        timed.map(([micros]) => micros),
        0.5
      ),
      millis: Figures.spreadOf(timed.map(([, millis]) => millis))
    }
  }
  const random = epochsOf(() => below(keys))
  const hot = epochsOf(() => below(options.hot))
  const counted = operator.counts!().keys
  if (counted !== keys || rows < keys) throw new Error(`${counted} keys and ${rows} rows, not ${keys}`)

  const { parts } = kept
  operator = operatorOf(step, entries)
  const began = performance.now()
  operator.state!.restore(parts)
  const restoreSeconds = (performance.now() - began) / 1_000
  if (operator.counts!().keys !== keys) throw new Error(`${operator.counts!().keys} keys were restored, not ${keys}`)
  return {
    filledBytes,
    filledBytesMost,
    fillMicros: Figures.quantile(
      fills.map(([micros]) => micros),
      0.5
    ),
    snapshotMillis: Figures.spreadOf(fills.map(([, millis]) => millis)),
    storedBytes,
    randomMicros: random.micros,
    randomSnapshotMillis: random.millis,
    hotMicros: hot.micros,
    hotSnapshotMillis: hot.millis,
    restoreSeconds
  }
}

// All of them

const numbersOf = (text: string): ReadonlyArray<string> => text.split(",").map((word) => word.replaceAll("_", ""))

const all = async (): Promise<void> => {
  console.log(`${Processes.machine()}, Node's heap at its default`)
  console.log(
    `fill: ${Figures.grouped(fillEvents)} new keys an epoch; random and hot: ${options.epochs} epochs of ${Figures.grouped(options.events)} events, of ${Figures.grouped(options.hot)} keys if hot`
  )
  console.log("µs an event: rows at the barrier included, median of epochs; ms of a snapshot: median (least to most)\n")
  const lines: Array<ReadonlyArray<string>> = [
    [
      "step",
      "keys",
      "entries",
      "memory",
      "… the most",
      "stored",
      "fill µs",
      "snapshot ms",
      "random µs",
      "snapshot ms",
      "hot µs",
      "snapshot ms",
      "restore s"
    ]
  ]
  for (const step of options.steps.split(",")) {
    for (const keys of numbersOf(options.keys)) {
      for (const entries of numbersOf(options.entries)) {
        const { answer } = await Processes.run<State>({ ...options, only: `${step},${keys},${entries}` })
        lines.push([
          step,
          Figures.grouped(Number(keys)),
          entries === "all" ? entries : Figures.grouped(Number(entries)),
          Figures.megabytes(answer.filledBytes),
          Figures.megabytes(answer.filledBytesMost),
          Figures.megabytes(answer.storedBytes),
          answer.fillMicros.toFixed(2),
          Figures.show(answer.snapshotMillis, 0),
          answer.randomMicros.toFixed(2),
          Figures.show(answer.randomSnapshotMillis, 0),
          answer.hotMicros.toFixed(2),
          Figures.show(answer.hotSnapshotMillis, 0),
          answer.restoreSeconds.toFixed(2)
        ])
      }
    }
  }
  console.log(Figures.table(lines))
}

if (options.only === "") await all()
else {
  const [step, keys, entries] = options.only.split(",") as [string, string, string]
  Processes.tell(measure(step, Number(keys), entries === "all" ? Number.POSITIVE_INFINITY : Number(entries)))
}
