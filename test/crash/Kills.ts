/**
 * `weir run` of a job as a process of its own, killed with SIGKILL again and again, until it has ended once.
 *
 * Whether a kill fell between an intent and its manifest is not guessed from the clock: the next life says which
 * intents it found, and of which generation.
 */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect } from "effect"
import { orders } from "../../fixtures/orders.ts"
import { type Expected, expectedOf } from "../../fixtures/orders-oracle.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Chance from "../../src/testing/simulation/Chance.ts"
import * as Lives from "./Lives.ts"

const root = join(import.meta.dirname, "../..")

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
  readonly runtime?: Lives.Runtime
}

/** The job, and how often it is killed at least between an intent of that very life and its manifest. */
export interface Killed extends Job {
  readonly killsMin: number
  /** Chooses the moments; the machine adds its own chance. Absent: 12,345. */
  readonly seed?: number
  /** Hears what was seen after each life. */
  readonly onLife?: (seen: Lives.Seen) => void
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
export const killed = async (of: Killed): Promise<Lives.Seen> => {
  let seen: Lives.Seen = {
    lives: 0,
    betweenIntentAndManifest: 0,
    whileRecovering: 0,
    epochs: 0,
    replayed: 0,
    alreadyThere: 0
  }
  let before: Lives.Life | null = null
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
    seen = Lives.counted(seen, life, before)
    of.onLife?.(seen)
    if (life.code === 0) return seen
    if (life.code !== null) throw new Error(`the job ended with ${life.code}: ${life.rest}`)
    before = life
  }
}

/** What the lives have not shown that they had to; of a job that ended too early its input was too short. */
export const shortcomings = (seen: Lives.Seen, killsMin: number): ReadonlyArray<string> => {
  const least = {
    betweenIntentAndManifest: killsMin,
    whileRecovering: Math.min(3, Math.ceil(killsMin / 5)),
    epochs: 2 * killsMin,
    replayed: 1,
    // Few kills may all miss the moment between a sink and the manifest.
    alreadyThere: killsMin < 10 ? 0 : 1
  } satisfies Partial<Lives.Seen>
  return Object.entries(least).flatMap(([name, count]) => {
    const found = seen[name as keyof typeof least]
    return found >= count ? [] : [`${name} is ${found}, and has to be ${count} at least`]
  })
}

/** What was seen, in one line. */
export const summary = (seen: Lives.Seen): string =>
  `${seen.lives} lives: ${seen.betweenIntentAndManifest} kills between an intent and its manifest, ${seen.whileRecovering} while recovering; ` +
  `${seen.replayed} intents replayed, ${seen.alreadyThere} fences answered 'already there', ${seen.epochs} intents written`

/** Starts the job, which ends at the end of the topic. */
const start = ({ environment, job = "orders", maxPerEpoch, project, runtime, topic }: Job): Lives.Living => {
  const set = [`maxPerEpoch=${maxPerEpoch}`, `topic=${topic}`].flatMap((one) => ["--set", one])
  return Lives.start({
    job,
    words: ["--available-now", "--final", ...set],
    environment,
    ...(project === undefined ? {} : { project }),
    ...(runtime === undefined ? {} : { runtime })
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
): Promise<{ readonly sleeper: Lives.Life; readonly successor: Lives.Life }> => {
  const sleeper = start(of)
  await sleeper.when((life) => life.epochs >= stop.afterEpochs)
  await sleep(stop.delayMillis)
  sleeper.signal("SIGSTOP")
  const other = await start(successor).ended
  sleeper.signal("SIGCONT")
  return { sleeper: await sleeper.ended, successor: other }
}

/** Starts the job, and kills it when `isDue` says so of what it has said so far. */
const live = async (of: Job, isDue: (life: Lives.Life) => boolean, delayMillis: number): Promise<Lives.Life> => {
  const living = start(of)
  await living.when(isDue)
  await sleep(delayMillis)
  living.signal("SIGKILL")
  return living.ended
}
