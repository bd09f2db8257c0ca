/** What a person may set when a job starts (`--set name=value`): a type, a default, and how it is read from text. */
import { Duration, Either } from "effect"
import type { DurationInput } from "./Window.ts"

export interface Parameter<out A> {
  /** For help texts: `duration`, `list of integer`. */
  readonly type: string
  readonly fallback: A
  /** Left: why the text is no such value, and an example of one. */
  readonly parse: (text: string) => Either.Either<A, string>
  readonly format: (value: never) => string
  /** What it means, in one sentence; shown by `weir explain`. */
  readonly meaning: string
}

interface Options {
  readonly meaning?: string
}

/** A length of time with its unit: `60 seconds`, `5s`, `1 minute`. */
export const duration = (fallback: DurationInput, options?: Options): Parameter<Duration.Duration> => ({
  type: "duration",
  fallback: Duration.decode(fallback),
  parse: (text) =>
    Either.fromNullable(
      parseDuration(text),
      () => `'${text}' is no duration; write for example '60 seconds' or '500 millis'`
    ),
  format: (value: Duration.Duration) => Duration.format(value),
  meaning: options?.meaning ?? ""
})

export const text = (fallback: string, options?: Options): Parameter<string> => ({
  type: "text",
  fallback,
  parse: (text) => (text === "" ? Either.left("it must not be empty") : Either.right(text)),
  format: (value: string) => value,
  meaning: options?.meaning ?? ""
})

export const integer = (fallback: number, options?: Options): Parameter<number> => ({
  type: "integer",
  fallback,
  parse: (text) =>
    /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text))
      ? Either.right(Number(text))
      : Either.left(`'${text}' is no whole number; write for example '40'`),
  format: (value: number) => String(value),
  meaning: options?.meaning ?? ""
})

export const flag = (fallback: boolean, options?: Options): Parameter<boolean> => ({
  type: "flag",
  fallback,
  parse: (text) =>
    text === "true"
      ? Either.right(true)
      : text === "false"
        ? Either.right(false)
        : Either.left(`'${text}' is neither 'true' nor 'false'`),
  format: (value: boolean) => String(value),
  meaning: options?.meaning ?? ""
})

/** Values of one kind, separated by commas. */
export const list = <A>(
  of: (fallback: A) => Parameter<A>,
  fallback: ReadonlyArray<A>,
  options?: Options
): Parameter<ReadonlyArray<A>> => {
  const element = of(fallback[0] as A)
  return {
    type: `list of ${element.type}`,
    fallback,
    parse: (text) => Either.all(text.split(",").map((part) => element.parse(part.trim()))),
    format: (values: ReadonlyArray<A>) => values.map((value) => element.format(value as never)).join(","),
    meaning: options?.meaning ?? ""
  }
}

export type Parameters = { readonly [name: string]: Parameter<unknown> }
export type Values<P> = { readonly [N in keyof P]: P[N] extends Parameter<infer A> ? A : never } & {}

const units: Readonly<Record<string, Duration.Unit>> = {
  ms: "millis",
  milli: "millis",
  millis: "millis",
  s: "seconds",
  second: "seconds",
  seconds: "seconds",
  m: "minutes",
  minute: "minutes",
  minutes: "minutes",
  h: "hours",
  hour: "hours",
  hours: "hours",
  d: "days",
  day: "days",
  days: "days"
}

/** As people and `Duration.format` write it: `5s`, `1m 30s`, `0`. `null` if it is not from 0 to 2^53 milliseconds. */
export const parseDuration = (text: string): Duration.Duration | null => {
  if (text.trim() === "0") return Duration.zero
  if (!/^\s*(?:\d+(?:\.\d+)?\s*[a-z]+\s*)+$/i.test(text)) return null
  let sum: Duration.Duration = Duration.zero
  for (const [, digits, unit] of text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi)) {
    const name = unit!.toLowerCase()
    const count = Number(digits)
    // Above this the number would be written with an exponent, which a duration's text does not know.
    if (!Object.hasOwn(units, name) || count > Number.MAX_SAFE_INTEGER || (count !== 0 && count < 1e-6)) return null
    sum = Duration.sum(sum, Duration.decode(`${count} ${units[name]!}`))
  }
  return Duration.toMillis(sum) <= Number.MAX_SAFE_INTEGER ? sum : null
}
