/** How far long work is, on standard error: a bar on a terminal, a line every few seconds elsewhere. */
import { Clock, Effect, type Scope } from "effect"
import { Process } from "./Process.ts"

/** How far the work is. */
export interface Progress {
  readonly what: string
  readonly done: number
  /** Of what: `records`, `rows`. */
  readonly unit: string
  /** What will have been done at the end; `null`: there is no end, or it is not known. */
  readonly total: number | null
}

const terminalMillis = 250
const lineMillis = 3_000
const barWidth = 24

/** Shows progress until the scope closes; on a terminal the bar is then wiped away. */
export const shown = <E, R>(
  progress: Effect.Effect<Progress, E, R>
): Effect.Effect<void, never, R | Process | Scope.Scope> =>
  Effect.gen(function* () {
    const process = yield* Process
    const onTerminal = process.isTerminal.error
    const began = yield* Clock.currentTimeMillis
    let before = { at: began, done: 0 }
    let rate: number | null = null
    const show = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const current = yield* progress
      const seconds = (now - before.at) / 1000
      if (seconds > 0) {
        const measured = Math.max(0, current.done - before.done) / seconds
        // Smoothed, so that the time left does not jump with every batch.
        rate = rate === null ? measured : rate * 0.7 + measured * 0.3
      }
      before = { at: now, done: current.done }
      const line = lineOf(current, rate ?? 0, onTerminal)
      yield* process.report(onTerminal ? `\r${line.slice(0, process.columns - 1)}\u001b[K` : `${line}\n`)
    })
    yield* Effect.forkScoped(
      Effect.forever(Effect.zipRight(Effect.sleep(onTerminal ? terminalMillis : lineMillis), Effect.ignore(show)))
    )
    if (onTerminal) yield* Effect.addFinalizer(() => process.report("\r\u001b[K"))
  })

/** `orders: [#####     ]  42 %, 12,000 rows, 3,400 rows/s, 5 s left`. */
export const lineOf = ({ what, done, unit, total }: Progress, rate: number, withBar: boolean): string => {
  const parts = [`${grouped(done)} ${unit}`, `${grouped(Math.round(rate))} ${unit}/s`]
  if (total !== null && total > 0) {
    const share = Math.min(1, done / total)
    const filled = Math.round(share * barWidth)
    const bar = withBar ? `[${"#".repeat(filled).padEnd(barWidth)}] ` : ""
    parts.unshift(`${bar}${Math.floor(share * 100)} %`)
    if (rate > 0) parts.push(`${timeOf((total - done) / rate)} left`)
  }
  return `${what}: ${parts.join(", ")}`
}

export const grouped = (count: number): string => String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",")

const timeOf = (seconds: number): string =>
  seconds < 90
    ? `${Math.ceil(seconds)} s`
    : seconds < 5_400
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3_600)} h`
