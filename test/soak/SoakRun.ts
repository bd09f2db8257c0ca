/** `npm run soak`: jobs over real servers for as long as is wanted, while all goes wrong that can, and what they left. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Missing } from "../services/Service.ts"
import { type Path, paths } from "./Paths.ts"
import { kinds } from "./Schedule.ts"
import * as Soak from "./Soak.ts"

const help = `npm run soak -- [--minutes N] [--seed N] [--paths PATH,…]

Runs jobs at once over a broker of Kafka, Postgres, MariaDB, and what is built in, which it starts for itself. Records
come all the time. Meanwhile processes are killed and put to sleep behind a successor, their connections are cut around
a commit, clocks are set, and servers are killed and come back. Readers look all the time: balances sum up to zero, no
epoch, generation or watermark falls, no record comes twice. In the end every job reads to the end, and what it wrote
has to be what an oracle computes from the records alone.

  --minutes N    from 1 to 1440, default: 3. It goes on until each kind of fault has struck on each path
  --seed N       chooses what happens, and in which order; a whole number, default: 1
  --paths PATH   default: all
${paths.map(({ meaning, name }) => `    ${name.padEnd(18)} ${meaning}`).join("\n")}
  --help         shows this

Ends with 0 if all held, 1 if not, or if too little was seen, 2 if the words are not understood, 130 if interrupted.
`

const refuse = (why: string): never => {
  process.stderr.write(`${why}\n\n${help}`)
  process.exit(2)
}

const understood = () => {
  const text = { type: "string" } as const
  try {
    return parseArgs({ options: { minutes: text, seed: text, paths: text, help: { type: "boolean" } } }).values
  } catch (error) {
    return refuse((error as Error).message)
  }
}

const whole = (flag: string, value: string, least: number, most: number): number => {
  const number = Number(value)
  if (/^\d+$/.test(value) && number >= least && number <= most) return number
  return refuse(`--${flag}: '${value}' is no whole number from ${least} to ${most}.`)
}

/** The named paths, and those whose outputs they read. */
const chosen = (text: string): ReadonlyArray<Path> => {
  const names = new Set(text.split(",").map((name) => name.trim()))
  for (const name of names)
    if (!paths.some((path) => path.name === name))
      refuse(`--paths: '${name}' is none of ${paths.map((path) => path.name).join(", ")}.`)
  const before = paths.filter(({ name }) => names.has(name)).map(({ after }) => after)
  return paths.filter(({ name }) => names.has(name) || before.includes(name))
}

const given = understood()
if (given.help === true) {
  process.stdout.write(help)
  process.exit(0)
}
const minutes = whole("minutes", given.minutes ?? "3", 1, 1_440)
const seed = whole("seed", given.seed ?? "1", 0, 2_147_483_647)
const wanted = chosen(given.paths ?? paths.map(({ name }) => name).join(","))

const interrupted = new AbortController()
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort())

/** What nobody has waited for ends it in order, too: no process is left behind. */
const unforeseen: Array<unknown> = []
process.on("uncaughtException", (error) => {
  unforeseen.push(error)
  interrupted.abort()
})

const tell = (line: string): void => void process.stderr.write(`${line}\n`)

/** Differences that are told one by one. */
const differencesMax = 40

const summary = ({ paths, reads, restarts, seconds }: Soak.Outcome): string => {
  const names = paths.map(({ path }) => path.name)
  const row = (what: string, cells: ReadonlyArray<string | number>): string =>
    `${what.padEnd(48)}${cells.map((cell) => String(cell).padStart(16)).join("")}\n`
  const figures = paths.map(({ epochsInFirstHalf, records, seen }) => ({
    ...seen,
    epochsInFirstHalf,
    records,
    struck: Object.fromEntries(seen.struck)
  }))
  const of = (what: string, figure: (of: (typeof figures)[number]) => number): string => row(what, figures.map(figure))
  return [
    row(`seed ${seed}, ${seconds} s`, names),
    of("records", ({ records }) => records),
    of("lives", ({ lives }) => lives),
    of("kills", ({ kills }) => kills),
    of("  after an intent and before its manifest", (of) => of.betweenIntentAndManifest),
    of("  while recovering", ({ whileRecovering }) => whileRecovering),
    of("woken up behind a successor, and fenced", ({ fenced }) => fenced),
    of("refused the folder of one that slept", ({ refused }) => refused),
    of("began while a server was away, and ended", ({ gaveUp }) => gaveUp),
    of("epochs", ({ epochs }) => epochs),
    of("  in the first half", ({ epochsInFirstHalf }) => epochsInFirstHalf),
    of("intents replayed", ({ replayed }) => replayed),
    of("fences answered already there", ({ alreadyThere }) => alreadyThere),
    ...kinds.map((kind) => of(`struck: ${kind}`, ({ struck }) => struck[kind] ?? 0)),
    ...[...restarts].map(
      ([name, count]) => `${`killed and started again: ${name}`.padEnd(48)}${String(count).padStart(16)}\n`
    ),
    ...[...reads].map(([name, count]) => `${`looks at ${name}`.padEnd(48)}${String(count).padStart(16)}\n`)
  ].join("")
}

const run = async (): Promise<number> => {
  const home = mkdtempSync(join(tmpdir(), "weir-soak-"))
  // A server that runs as another user has to reach the part that is its own.
  chmodSync(home, 0o711)
  try {
    const outcome = await Soak.run({ minutes, seed, paths: wanted, home, tell, signal: interrupted.signal })
    if (unforeseen.length > 0) throw unforeseen[0]
    process.stdout.write(summary(outcome))
    if (outcome.failures.length > 0) {
      tell(`What was done:\n${outcome.schedule.join("\n")}`)
      tell(`Seed ${seed}. What should not be (${outcome.failures.length}):`)
      for (const failure of outcome.failures.slice(0, differencesMax)) tell(failure)
      return 1
    }
    return interrupted.signal.aborted ? 130 : 0
  } catch (error) {
    tell(
      error instanceof Missing ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
    )
    return 1
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
}

process.exitCode = await run()
