/** `npm run kills`: kills a job on servers as often as it is told, and says what it left. */
import { parseArgs } from "node:util"
import * as Database from "../services/Database.ts"
import * as Services from "../services/Services.ts"
import * as KillPaths from "./KillPaths.ts"
import * as Kills from "./Kills.ts"
import * as Lives from "./Lives.ts"

const help = `npm run kills -- [--path PATH] [--runtime RUNTIME] [--kills N] [--seed N]

Kills a job with SIGKILL again and again while it reads orders from Kafka, starts it again each time, lets it end, and
compares what it wrote with what an oracle computes from the orders alone.

  --path PATH        default: ${KillPaths.paths[0]!.name}
${KillPaths.paths.map(({ meaning, name }) => `    ${name.padEnd(22)} ${meaning}`).join("\n")}
  --runtime RUNTIME  what the job runs on: ${Lives.runtimes.join(", ")}; default: node
  --kills N          kills after an intent and before its manifest, at least; from 1 to 1000, default: 20
  --seed N           chooses the moments, a whole number; default: 1
  --help             shows this

The servers are those of KAFKA_BROKERS, DATABASE_URL and MYSQL_URL; where one is not set it is started.
Ends with 0 if everything is equal to the oracle, 1 if not or if too little was seen, 2 if the words are not understood.
`

const refuse = (why: string): never => {
  process.stderr.write(`${why}\n\n${help}`)
  process.exit(2)
}

const understood = () => {
  const text = { type: "string" } as const
  const options = { path: text, runtime: text, kills: text, seed: text, help: { type: "boolean" } } as const
  try {
    return parseArgs({ options }).values
  } catch (error) {
    return refuse((error as Error).message)
  }
}

const given = understood()
if (given.help === true) {
  process.stdout.write(help)
  process.exit(0)
}

const oneOf = <A extends string>(flag: string, value: string, names: ReadonlyArray<A>): A =>
  names.find((name) => name === value) ?? refuse(`--${flag}: '${value}' is none of ${names.join(", ")}.`)

const whole = (flag: string, value: string, least: number, most: number): number => {
  const number = Number(value)
  if (/^\d+$/.test(value) && number >= least && number <= most) return number
  return refuse(`--${flag}: '${value}' is no whole number from ${least} to ${most}.`)
}

const names = KillPaths.paths.map(({ name }) => name)
const chosen = oneOf("path", given.path ?? names[0]!, names)
const path = KillPaths.paths.find(({ name }) => name === chosen)!
const runtime = oneOf("runtime", given.runtime ?? "node", Lives.runtimes)
const kills = whole("kills", given.kills ?? "20", 1, 1_000)
const seed = whole("seed", given.seed ?? "1", 0, 2_147_483_647)

const services = Services.make()
const addressOf = async (name: Services.ServiceName): Promise<string> => {
  const found = await services.ask(name)
  if ("address" in found) return found.address
  throw new Error(`${Services.all[name].name} is missing: ${found.missing}`)
}

const run = async (): Promise<number> => {
  const began = Date.now()
  const brokers = await addressOf("kafka")
  const database = await Database.make(await addressOf(path.database))
  try {
    if (runtime === "node") Kills.build()
    process.stderr.write(`${path.meaning}, on ${runtime}, seed ${seed}\n`)
    const { differences, orders, seen } = await KillPaths.killed(
      path,
      { brokers, database: database.url },
      { runtime, seed, killsMin: kills, onLife: (soFar) => process.stderr.write(`${Kills.summary(soFar)}\n`) }
    )
    const shortcomings = Kills.shortcomings(seen, kills)
    for (const one of [...shortcomings, ...differences.slice(0, 20)]) process.stderr.write(`${one}\n`)
    const figures: ReadonlyArray<readonly [string, string | number]> = [
      ["path", path.name],
      ["runtime", runtime],
      ["seed", seed],
      ["seconds", Math.round((Date.now() - began) / 1_000)],
      ["lives", seen.lives],
      ["kills after an intent and before its manifest", seen.betweenIntentAndManifest],
      ["kills while recovering", seen.whileRecovering],
      ["epochs", seen.epochs],
      ["intents replayed", seen.replayed],
      ["fences answered already there", seen.alreadyThere],
      ["orders in rows", orders.counted],
      ["late orders", orders.late],
      ["dead letters", orders.deadLetters],
      ["equal to the oracle", differences.length === 0 ? "yes" : `no: ${differences.length} differences`]
    ]
    process.stdout.write(figures.map(([name, figure]) => `${name.padEnd(46)} ${figure}\n`).join(""))
    return shortcomings.length === 0 && differences.length === 0 ? 0 : 1
  } finally {
    await database.drop()
  }
}

// On an interrupt the servers that it started end with it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => void services.stop().finally(() => process.exit(130)))

process.exitCode = await run()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  })
  .finally(() => services.stop())
