/** The command line: finds the command, reads its words, runs it, and says in one form what went wrong. */
import { Cause, Effect, Exit, Logger, LogLevel, Option } from "effect"
import { type Explained, isExplained, Refused, WrongUsage } from "../model/Errors.ts"
import * as Suggestion from "../model/Suggestion.ts"
import { commands } from "./Commands.ts"
import * as Configuration from "./Configuration.ts"
import { Process } from "./Process.ts"
import * as Usage from "./Usage.ts"

/** The version of this program, as `package.json` has it. */
export const version = "0.1.0"

/** Exit code 0: done. */
const done = 0
/** Exit code 1: failed. */
const failed = 1
/** Exit code 2: wrong usage. */
const misused = 2
/** Exit code 130: interrupted. */
const interrupted = 130

/** The tags of errors that say that the command was called wrongly. */
const misuses: ReadonlySet<string> = new Set(["WrongUsage", "UnknownJob", "InvalidParameter", "InvalidConfiguration"])

/** Runs the command that the process's arguments name; answers the exit code. */
export const main = Effect.gen(function* () {
  const process = yield* Process
  const words = takeLogLevel(process.arguments)
  const level = yield* logLevel(words.level)
  const debug = LogLevel.lessThanEqual(level, LogLevel.Debug)
  const logger = process.isTerminal.error
    ? Logger.prettyLogger({ stderr: true })
    : Logger.withConsoleError(Logger.jsonLogger)
  const program = words.wrong === null ? dispatch(words.rest) : Effect.fail(words.wrong)
  const exit = yield* Effect.exit(program.pipe(Logger.withMinimumLogLevel(level))).pipe(
    Effect.provide(Logger.replace(Logger.defaultLogger, logger))
  )
  return yield* Exit.match(exit, { onSuccess: Effect.succeed, onFailure: (cause) => told(cause, debug) })
})

const dispatch = (words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const process = yield* Process
    const asked = words.slice(0, words.includes("--") ? words.indexOf("--") : words.length)
    const wantsHelp = asked.includes("--help") || asked.includes("-h")
    const [first] = words
    if (first === "--version") return yield* Effect.as(process.print(`${version}\n`), done)
    if (first === undefined || first === "help" || (first.startsWith("-") && wantsHelp))
      return yield* Effect.as(process.print(overview), done)
    const entry =
      commands.find(({ name }) => name === `${first} ${words[1]}`) ?? commands.find(({ name }) => name === first)
    if (entry === undefined) return yield* Effect.fail(unknown(first))
    if (wantsHelp) return yield* Effect.as(process.print(Usage.helpOf(entry)), done)
    return yield* yield* entry.read(words.slice(entry.name.split(" ").length))
  })

const unknown = (word: string) =>
  new WrongUsage({
    message: word.startsWith("-") ? `'weir' has no option '${word}'` : `'weir' has no command '${word}'`,
    hint: `${Suggestion.sentence(
      word,
      commands.map(({ name }) => name)
    )} \`weir --help\` shows all.`
  })

const overview = [
  "Weir: streaming ETL. Jobs read topics and files, and write tables, topics and files, exactly once.",
  "",
  "Usage: weir <command> [arguments] [options]",
  ...Usage.section(
    "Commands",
    commands.map(({ name, summary }) => [name, summary] as const)
  ),
  "",
  "`weir <command> --help` shows the arguments and options of one command.",
  "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
  ""
].join("\n")

/** One sentence, then how to mend it; the trace of the cause for whoever asked for it. */
const told = (cause: Cause.Cause<unknown>, debug: boolean) =>
  Effect.gen(function* () {
    const process = yield* Process
    if (Cause.isInterruptedOnly(cause)) return interrupted
    const error = Option.getOrElse(Cause.failureOption(cause), () => Cause.squash(cause))
    if (isExplained(error)) yield* process.report(`${sentence(error.message)}\n${sentence(error.hint)}\n`)
    else {
      const what = error instanceof Error ? error.message : String(error)
      yield* process.report(
        `Weir met something that was thought impossible: ${sentence(what)}\nThis is a defect: \`--log-level debug\` shows where. Please report it.\n`
      )
    }
    if (debug) yield* process.report(`${Cause.pretty(cause, { renderErrorCause: true })}\n`)
    return isExplained(error) && misuses.has(tagOf(error)) ? misused : failed
  })

/** Whoever refused, another process or this one. */
const tagOf = (error: Explained): string => (error instanceof Refused ? error.tag : error._tag)

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

/** `--log-level` belongs to every command and may stand anywhere. */
const takeLogLevel = (words: ReadonlyArray<string>) => {
  const rest: Array<string> = []
  let level: string | undefined
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === "--") {
      rest.push(...words.slice(i))
      break
    }
    if (word === "--log-level") level = words[++i] ?? ""
    else if (word.startsWith("--log-level=")) level = word.slice("--log-level=".length)
    else rest.push(word)
  }
  const known = level === undefined || (Configuration.logLevels as ReadonlyArray<string>).includes(level.toLowerCase())
  const wrong = known
    ? null
    : new WrongUsage({
        message: `'${level}' is no log level`,
        hint: `--log-level takes one of ${Configuration.logLevels.join(", ")}.`
      })
  return { rest, level: level?.toLowerCase(), wrong }
}

// A configuration that is wrong is told by the command that reads it.
const logLevel = (flag: string | undefined) =>
  Effect.map(
    Effect.option(Configuration.load({ log: flag })),
    Option.match({
      onNone: () => LogLevel.Info,
      onSome: ({ log }) => LogLevel.fromLiteral((log[0]!.toUpperCase() + log.slice(1)) as LogLevel.Literal)
    })
  )
