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
/** The widest bar that fits into the terminal is shown; 0: none. */
const barWidths = [24, 12, 0]
/** Milliseconds over which a rate is measured. */
const rateMillis = 10_000
/** Of a terminal that does not tell. */
const columnsDefault = 80

/** What was done at a time, in milliseconds. */
interface Look {
  readonly at: number
  readonly done: number
}

/** Shows progress until the scope closes; on a terminal the bar is then wiped away. */
export const shown = <E, R>(
  progress: Effect.Effect<Progress, E, R>
): Effect.Effect<void, never, R | Process | Scope.Scope> =>
  Effect.gen(function* () {
    const process = yield* Process
    const onTerminal = process.isTerminal.error
    const began = yield* Clock.currentTimeMillis
    // What is done grows by leaps, such as epochs: a rate over less would jump with each of them.
    const looks: Array<Look> = [{ at: began, done: 0 }]
    const show = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const current = yield* progress
      looks.push({ at: now, done: current.done })
      while (looks.length > 2 && looks[1]!.at <= now - rateMillis) looks.shift()
      const lines = (onTerminal ? barWidths : [0]).map((width) => lineOf(current, rateOf(looks), width))
      const room = (process.columns > 1 ? process.columns : columnsDefault) - 1
      const line = lines.find(({ length }) => length <= room) ?? lines.at(-1)!
      yield* process.report(onTerminal ? `\r${line.slice(0, room)}\u001b[K` : `${line}\n`)
    })
    yield* Effect.forkScoped(
      Effect.forever(Effect.zipRight(Effect.sleep(onTerminal ? terminalMillis : lineMillis), Effect.ignore(show)))
    )
    if (onTerminal) yield* Effect.addFinalizer(() => process.report("\r\u001b[K"))
  })

/** What was done per second from the first look to the last. */
export const rateOf = (looks: ReadonlyArray<Look>): number => {
  const [first, last] = [looks[0]!, looks.at(-1)!]
  return last.at <= first.at ? 0 : (Math.max(0, last.done - first.done) * 1000) / (last.at - first.at)
}

/** `orders: [#####     ]  42 %, 12,000 rows, 3,400 rows/s, 5 s left`. */
export const lineOf = ({ what, done, unit, total }: Progress, rate: number, barWidth: number): string => {
  const parts = [`${grouped(done)} ${unit}`, `${grouped(Math.round(rate))} ${unit}/s`]
  if (total !== null && total > 0) {
    const share = Math.min(1, done / total)
    const filled = Math.round(share * barWidth)
    const bar = barWidth > 0 ? `[${"#".repeat(filled).padEnd(barWidth)}] ` : ""
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
