/**
 * How a command is called: its arguments and flags, each said once, for the parser, the help and the corrections.
 *
 * Parsing is `@effect/cli`'s. Help and errors are written here, because both are part of the contract: what would
 * have been right stands in every refusal.
 */
import { Args, CliConfig, Command, CommandDescriptor, HelpDoc, Options } from "@effect/cli"
import type { FileSystem, Path, Terminal } from "@effect/platform"
import { Effect, Option } from "effect"
import type { Explained } from "../model/Errors.ts"
import { WrongUsage } from "../model/Errors.ts"
import * as Suggestion from "../model/Suggestion.ts"
import { examples } from "./Examples.ts"

/** An error that says whose fault it is and how to mend it. */
export type Failure = Explained & Error

interface Argument<A> {
  readonly kind: "argument"
  /** As the usage line shows it: `<topic>`, `[file]`. */
  readonly shown: string
  readonly meaning: string
  readonly parser: Args.Args<A>
}

interface Flag<A> {
  readonly kind: "flag"
  readonly name: string
  /** What stands behind it: `N`; `null` for a flag that is there or not. */
  readonly takes: string | null
  readonly meaning: string
  readonly parser: Options.Options<A>
}

type Part<A> = Argument<A> | Flag<A>
export type Parts = { readonly [name: string]: Part<any> }
type Values<P extends Parts> = { readonly [N in keyof P]: P[N] extends Part<infer A> ? A : never }

/** A command of the command line. */
export interface Entry<R> {
  readonly name: string
  readonly summary: string
  readonly parts: Parts
  /** Reads the words after the command's name; answers the program, which ends with an exit code. */
  readonly read: (
    words: ReadonlyArray<string>
  ) => Effect.Effect<
    Effect.Effect<number, Failure, R>,
    WrongUsage,
    FileSystem.FileSystem | Path.Path | Terminal.Terminal
  >
}

// Parts

export const argument = (name: string, meaning: string): Argument<string> => ({
  kind: "argument",
  shown: `<${name}>`,
  meaning,
  parser: Args.text({ name })
})
export const optionalArgument = (name: string, meaning: string): Argument<string | undefined> => ({
  kind: "argument",
  shown: `[${name}]`,
  meaning,
  parser: Args.map(Args.optional(Args.text({ name })), Option.getOrUndefined)
})
export const someArguments = (name: string, meaning: string): Argument<ReadonlyArray<string>> => ({
  kind: "argument",
  shown: `[${name}…]`,
  meaning,
  parser: Args.repeated(Args.text({ name }))
})
export const flag = (name: string, meaning: string): Flag<boolean> => ({
  kind: "flag",
  name,
  takes: null,
  meaning,
  parser: Options.boolean(name)
})
export const text = (name: string, takes: string, meaning: string): Flag<string | undefined> => ({
  kind: "flag",
  name,
  takes,
  meaning,
  parser: Options.map(Options.optional(Options.text(name)), Option.getOrUndefined)
})
/** May be given several times. */
export const texts = (name: string, takes: string, meaning: string): Flag<ReadonlyArray<string>> => ({
  kind: "flag",
  name,
  takes,
  meaning: `${meaning}; may be repeated`,
  parser: Options.repeated(Options.text(name))
})
export const whole = (name: string, takes: string, meaning: string): Flag<number | undefined> => ({
  kind: "flag",
  name,
  takes,
  meaning,
  parser: Options.map(Options.optional(Options.integer(name)), Option.getOrUndefined)
})
export const choice = <const C extends string>(
  name: string,
  choices: ReadonlyArray<C>,
  meaning: string
): Flag<C | undefined> => ({
  kind: "flag",
  name,
  takes: choices.join("|"),
  meaning,
  parser: Options.map(Options.optional(Options.choice(name, choices)), Option.getOrUndefined)
})

/** A command from its parts and what it does with their values. */
export const command = <P extends Parts, R>(
  name: string,
  summary: string,
  parts: P,
  run: (values: Values<P>) => Effect.Effect<number, Failure, R>
): Entry<R> => {
  const parsers = Object.fromEntries(Object.entries(parts).map(([key, part]) => [key, part.parser]))
  const { descriptor } = Command.make(name, parsers as Command.Command.Config)
  const entry: Entry<R> = {
    name,
    summary,
    parts,
    read: (words) =>
      CommandDescriptor.parse(descriptor, [name, ...words], parserConfig).pipe(
        Effect.mapError((error) => refused(entry, words, plain(error.error))),
        Effect.flatMap((directive) => {
          if (directive._tag === "BuiltIn") return Effect.fail(refused(entry, words, ""))
          const left = directive.leftover[0]
          if (left !== undefined) return Effect.fail(refused(entry, words, leftover(left)))
          return Effect.succeed(run(directive.value as Values<P>))
        })
      )
  }
  return entry
}

const parserConfig = CliConfig.make({ isCaseSensitive: true, showBuiltIns: false })

const plain = (doc: HelpDoc.HelpDoc): string => withoutColours(HelpDoc.toAnsiText(doc)).trim().replaceAll(/\s+/g, " ")

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence starts with one
const withoutColours = (from: string): string => from.replaceAll(/\u001b\[[\d;]*m/g, "")

const leftover = (word: string): string => `The argument '${word}' is one too many`

/** The refusal of words: an unknown flag is what is wrong most often, so it is looked for first. */
const refused = <R>(entry: Entry<R>, words: ReadonlyArray<string>, why: string): WrongUsage => {
  const flags = Object.values(entry.parts).flatMap((part) => (part.kind === "flag" ? [part] : []))
  const known = [...flags.map((flag) => `--${flag.name}`), "--log-level", "--help"]
  for (const word of words.includes("--") ? words.slice(0, words.indexOf("--")) : words) {
    if (!/^--?[a-z]/i.test(word)) continue
    const name = word.split("=", 1)[0]!
    if (!known.includes(name))
      return new WrongUsage({
        message: `'weir ${entry.name}' has no option '${name}'`,
        hint: `${Suggestion.sentence(name, known)} Usage: ${usageOf(entry)}`
      })
    const flag = flags.find((flag) => `--${flag.name}` === name)
    if (flag?.takes != null && words.at(-1) === name)
      return new WrongUsage({
        message: `The option '${name}' of 'weir ${entry.name}' needs a value`,
        hint: `Write '${name} ${flag.takes}': ${flag.meaning}.`
      })
  }
  return new WrongUsage({ message: `'weir ${entry.name}': ${why}`, hint: `Usage: ${usageOf(entry)}` })
}

/** More flags than these make a usage line that nobody reads. */
const flagsShown = 4

/** The usage line: `weir tail <topic> [--partition P] …`. */
const usageOf = <R>(entry: Entry<R>): string => {
  const parts = Object.values(entry.parts)
  const shown = parts.flatMap((part) => (part.kind === "argument" ? [part.shown] : []))
  const all = parts.flatMap((part) => (part.kind === "flag" ? [`[${spelled(part)}]`] : []))
  const flags = all.length > flagsShown ? ["[options]"] : all
  return ["weir", entry.name, ...shown, ...flags].join(" ")
}

/** The help of one command. */
export const helpOf = <R>(entry: Entry<R>): string => {
  const parts = Object.values(entry.parts)
  const lines = (kind: Part<unknown>["kind"]) =>
    parts.flatMap((part) =>
      part.kind !== kind ? [] : [[part.kind === "argument" ? part.shown : spelled(part), part.meaning] as const]
    )
  const everywhere = [
    ["--log-level LEVEL", "what is logged: all, trace, debug, info, warning, error, none; debug shows stack traces"],
    ["--help", "this text"]
  ] as const
  return [
    entry.summary,
    "",
    `Usage: ${usageOf(entry)}`,
    ...section("Arguments", lines("argument")),
    ...section("Options", [...lines("flag"), ...everywhere]),
    "",
    "Examples:",
    ...(examples[entry.name] ?? []).map((example) => `  ${example}`),
    ""
  ].join("\n")
}

/** Two columns under a title. */
export const section = (title: string, lines: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const width = Math.min(34, Math.max(...lines.map(([left]) => left.length)))
  return lines.length === 0
    ? []
    : ["", `${title}:`, ...lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)]
}

const spelled = (part: Flag<unknown>): string => `--${part.name}${part.takes === null ? "" : ` ${part.takes}`}`
