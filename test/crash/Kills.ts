/**
 * `weir run` of a job as a process of its own, killed with SIGKILL again and again, until it has ended once.
 *
 * Whether a kill fell between an intent and its manifest is not guessed from the clock: the next life says which
 * intents it found, and of which generation.
 */
import { execFileSync, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Effect } from "effect"
import { orders } from "../../fixtures/orders.ts"
import { type Expected, expectedOf } from "../../fixtures/orders-oracle.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Chance from "../../src/testing/simulation/Chance.ts"

const root = join(import.meta.dirname, "../..")

/** How a program of the project is started on each runtime: the process that is started is the one that works. */
const programs = {
  node: [process.execPath],
  bun: [join(root, "node_modules/.bin/bun"), "--bun"],
  deno: [join(root, "node_modules/.bin/deno"), "run", "-A"]
} as const

export type Runtime = keyof typeof programs
export const runtimes = Object.keys(programs) as ReadonlyArray<Runtime>

/** A job as its processes are told it. */
export interface Job {
  readonly environment: Readonly<Record<string, string>>
  readonly topic: string
  readonly maxPerEpoch: number
  /** Absent: `orders`. */
  readonly job?: string
  /** The project that the job is of; absent: Weir's own. */
  readonly project?: string
  /** Absent: Node. */
  readonly runtime?: Runtime
}

/** The job, and how often it is killed at least between an intent of that very life and its manifest. */
export interface Killed extends Job {
  readonly killsMin: number
  /** Chooses the moments; the machine adds its own chance. Absent: 12,345. */
  readonly seed?: number
  /** Hears what was seen after each life. */
  readonly onLife?: (seen: Seen) => void
}

/** What lives have shown. */
export interface Seen {
  readonly lives: number
  /** Kills after an intent of that very life, and before its manifest. */
  readonly betweenIntentAndManifest: number
  /** Kills before every intent that was found was replayed. */
  readonly whileRecovering: number
  readonly epochs: number
  readonly replayed: number
  /** Fences that answered a replay with 'already there'. */
  readonly alreadyThere: number
}

/** Bundles what the processes run. */
export const build = (): void => void execFileSync(process.execPath, ["build.mjs"], { cwd: root })

/** Puts orders into a new topic; answers what the oracle makes of them. */
export const produce = (topic: string, input: Parameters<typeof orders>[0] & { readonly partitions: number }) =>
  Effect.gen(function* () {
    const partitions: Array<Array<Uint8Array>> = Array.from({ length: input.partitions }, () => [])
    for (const { records } of orders(input))
      for (const { partition, value } of records) partitions[partition]!.push(value.slice())
    const topics = yield* Topics
    yield* topics.create(topic, { partitions: input.partitions })
    for (const [partition, values] of partitions.entries()) {
      for (let start = 0; start < values.length; start += 5_000) {
        const some = values.slice(start, start + 5_000).map((value) => ({ key: null, value, headers: [] }))
        yield* topics.produce(topic, partition, some)
      }
    }
    return expectedOf(partitions, { windowMillis: 60_000 }) satisfies Expected
  })

/** Kills the job until it has been killed often enough, lets it end, and answers what was seen. */
export const killed = async (of: Killed): Promise<Seen> => {
  let seen: Seen = {
    lives: 0,
    betweenIntentAndManifest: 0,
    whileRecovering: 0,
    epochs: 0,
    replayed: 0,
    alreadyThere: 0
  }
  let before: Life | null = null
  const chance = Chance.fromSeed(of.seed ?? 12_345)
  for (;;) {
    const isEnough = shortcomings(seen, of.killsMin).length === 0
    const inRecovery = seen.lives % 4 === 2
    const intents = 1 + chance.below(3)
    const life = await live(
      of,
      (told) => !isEnough && (inRecovery ? told.generation > 0 && told.found.length > 0 : told.epochs >= intents),
      inRecovery ? chance.below(40) : chance.below(12)
    )
    const isBetween = before !== null && life.found.includes(before.generation)
    seen = {
      lives: seen.lives + 1,
      betweenIntentAndManifest: seen.betweenIntentAndManifest + (isBetween ? 1 : 0),
      whileRecovering: seen.whileRecovering + (life.whileRecovering ? 1 : 0),
      epochs: seen.epochs + life.epochs,
      replayed: seen.replayed + life.replayed,
      alreadyThere: seen.alreadyThere + life.alreadyThere
    }
    of.onLife?.(seen)
    if (life.code === 0) return seen
    if (life.code !== null) throw new Error(`the job ended with ${life.code}: ${life.rest}`)
    before = life
  }
}

/** What the lives have not shown that they had to; of a job that ended too early its input was too short. */
export const shortcomings = (seen: Seen, killsMin: number): ReadonlyArray<string> => {
  const least = {
    betweenIntentAndManifest: killsMin,
    whileRecovering: Math.min(3, Math.ceil(killsMin / 5)),
    epochs: 2 * killsMin,
    replayed: 1,
    // Few kills may all miss the moment between a sink and the manifest.
    alreadyThere: killsMin < 10 ? 0 : 1
  } satisfies Partial<Seen>
  return Object.entries(least).flatMap(([name, count]) => {
    const found = seen[name as keyof typeof least]
    return found >= count ? [] : [`${name} is ${found}, and has to be ${count} at least`]
  })
}

/** What was seen, in one line. */
export const summary = (seen: Seen): string =>
  `${seen.lives} lives: ${seen.betweenIntentAndManifest} kills between an intent and its manifest, ${seen.whileRecovering} while recovering; ` +
  `${seen.replayed} intents replayed, ${seen.alreadyThere} fences answered 'already there', ${seen.epochs} intents written`

interface Line {
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** What one life said before it ended. */
export interface Life {
  readonly code: number | null
  readonly generation: number
  /** Generations of the intents that it found above the manifest. */
  readonly found: ReadonlyArray<number>
  readonly replayed: number
  readonly alreadyThere: number
  readonly epochs: number
  /** Killed before every intent that it had found was replayed. */
  readonly whileRecovering: boolean
  readonly rest: string
}

/** Starts the job, which ends at the end of the topic. */
const start = ({ environment, job = "orders", maxPerEpoch, project = root, runtime = "node", topic }: Job) => {
  const [program, ...words] = programs[runtime]
  const set = [`maxPerEpoch=${maxPerEpoch}`, `topic=${topic}`].flatMap((one) => ["--set", one])
  const run = [join(root, "bin/weir.mjs"), "run", job, "--available-now", "--final", ...set]
  return spawn(program, [...words, ...run], {
    cwd: project,
    env: { ...process.env, ...environment, WEIR_LOG: "debug" },
    stdio: ["ignore", "ignore", "pipe"]
  })
}

/**
 * Stops the job as a process in the middle of an epoch, lets another process do all of its work, and wakes it up.
 * Answers what both said in the end.
 */
export const overtaken = async (
  of: Job,
  successor: Job,
  stop: { readonly afterEpochs: number; readonly delayMillis: number }
): Promise<{ readonly sleeper: Life; readonly successor: Life }> => {
  const child = start(of)
  let life = unborn
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
  await new Promise<void>((resolve) =>
    createInterface({ input: child.stderr! }).on("line", (text) => {
      life = heard(life, text)
      if (life.epochs === stop.afterEpochs) setTimeout(resolve, stop.delayMillis)
    })
  )
  child.kill("SIGSTOP")
  const other = await live(successor, () => false, 0)
  child.kill("SIGCONT")
  const code = await ended
  return { sleeper: { ...life, code }, successor: other }
}

/** Starts the job, and kills it when `isDue` says so of what it has said so far. */
const live = (of: Job, isDue: (life: Life) => boolean, delayMillis: number): Promise<Life> =>
  new Promise((resolve) => {
    const child = start(of)
    let life = unborn
    let killed = false
    createInterface({ input: child.stderr! }).on("line", (text) => {
      life = heard(life, text)
      if (killed || !isDue(life)) return
      killed = true
      setTimeout(() => child.kill("SIGKILL"), delayMillis)
    })
    child.on("close", (code) =>
      resolve({ ...life, code, whileRecovering: code === null && life.found.length > life.replayed })
    )
  })

const unborn: Life = {
  code: null,
  generation: 0,
  found: [],
  replayed: 0,
  alreadyThere: 0,
  epochs: 0,
  whileRecovering: false,
  rest: ""
}

const heard = (life: Life, text: string): Life => {
  if (!text.startsWith("{")) return { ...life, rest: `${life.rest}${text}\n` }
  const { annotations, message } = JSON.parse(text) as Line
  switch (message) {
    case "claimed": {
      const found = (annotations.intents as ReadonlyArray<string>).map((intent) =>
        Number(/generation (\d+)$/.exec(intent)![1])
      )
      return { ...life, generation: annotations.generation as number, found }
    }
    case "intent is durable":
      return annotations.replayed === true ? life : { ...life, epochs: life.epochs + 1 }
    case "epoch is durable":
      return {
        ...life,
        replayed: life.replayed + (annotations.replayed === true ? 1 : 0),
        alreadyThere: life.alreadyThere + (annotations.alreadyThere as number)
      }
    default:
      return life
  }
}
