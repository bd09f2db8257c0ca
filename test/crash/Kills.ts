/**
 * `weir run orders` as a process of its own, killed with SIGKILL again and again, until it has ended once.
 *
 * Whether a kill fell between an intent and its manifest is not guessed from the clock: the next life says which
 * intents it found, and of which generation.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Effect } from "effect"
import { expect } from "vitest"
import { orders } from "../../fixtures/orders.ts"
import { type Expected, expectedOf } from "../../fixtures/orders-oracle.ts"
import { Topics } from "../../src/flow/Topics.ts"

const root = join(import.meta.dirname, "../..")

/** The job, and how often it is killed at least between an intent of that very life and its manifest. */
export interface Killed {
  readonly environment: Readonly<Record<string, string>>
  readonly topic: string
  readonly maxPerEpoch: number
  readonly killsMin: number
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

/** Kills the job until it has been killed often enough, lets it end, and prints what was seen. */
export const killed = async (of: Killed): Promise<void> => {
  const { killsMin } = of
  const seen = { lives: 0, betweenIntentAndManifest: 0, replayed: 0, alreadyThere: 0, whileRecovering: 0, epochs: 0 }
  let before: Life | null = null
  // A small generator of its own: the test chooses its moments by a seed, the machine adds its own chance.
  let state = 12345
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >> 8) % below
  }
  for (;;) {
    const enough = seen.betweenIntentAndManifest >= killsMin && seen.alreadyThere > 0 && seen.whileRecovering >= 3
    const inRecovery = seen.lives % 5 === 4
    const intents = 1 + random(3)
    const life: Life = await live(
      of,
      (now) => !enough && (inRecovery ? now.generation > 0 && now.found.length > 0 : now.epochs >= intents),
      inRecovery ? random(40) : random(12)
    )
    seen.lives += 1
    seen.replayed += life.replayed
    seen.alreadyThere += life.alreadyThere
    seen.epochs += life.epochs
    if (life.whileRecovering) seen.whileRecovering += 1
    if (before !== null && life.found.includes(before.generation)) seen.betweenIntentAndManifest += 1
    if (life.code === 0) break
    if (life.code !== null) throw new Error(`the job ended with ${life.code}: ${life.rest}`)
    before = life
  }
  process.stdout.write(
    `${seen.lives} lives: ${seen.betweenIntentAndManifest} kills between an intent and its manifest, ${seen.whileRecovering} while recovering; ` +
      `${seen.replayed} intents replayed, ${seen.alreadyThere} fences answered 'already there', ${seen.epochs} intents written\n`
  )
  expect(seen.betweenIntentAndManifest).toBeGreaterThanOrEqual(killsMin)
  expect(seen.replayed).toBeGreaterThan(0)
  expect(seen.alreadyThere).toBeGreaterThan(0)
  expect(seen.whileRecovering).toBeGreaterThan(0)
  expect(seen.epochs).toBeGreaterThanOrEqual(3 * killsMin)
}

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

type Job = Pick<Killed, "environment" | "maxPerEpoch" | "topic">

/** Starts the job, which ends at the end of the topic. */
const start = ({ environment, maxPerEpoch, topic }: Job): ChildProcess => {
  const set = [`maxPerEpoch=${maxPerEpoch}`, `topic=${topic}`].flatMap((one) => ["--set", one])
  return spawn(process.execPath, ["bin/weir.mjs", "run", "orders", "--available-now", "--final", ...set], {
    cwd: root,
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
  const other = await live({ ...successor, killsMin: 0 }, () => false, 0)
  child.kill("SIGCONT")
  const code = await ended
  return { sleeper: { ...life, code }, successor: other }
}

/** Starts the job, and kills it when `isDue` says so of what it has said so far. */
const live = (of: Killed, isDue: (life: Life) => boolean, delayMillis: number): Promise<Life> =>
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
