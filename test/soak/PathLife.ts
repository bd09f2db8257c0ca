/** The processes of one path, one after the other, and two of them where one sleeps: what is done to them, and what they showed. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { pathToFileURL } from "node:url"
import * as Lives from "../crash/Lives.ts"
import type { Proxy } from "../services/Proxy.ts"
import type { Path } from "./Paths.ts"
import type { Fault, Kind } from "./Schedule.ts"

/** What the processes of a path have shown. */
export interface Seen extends Lives.Seen {
  readonly kills: number
  /** Processes that woke up behind a successor, and ended themselves. */
  readonly fenced: number
  /** Successors that were refused the data folder of a process that slept. */
  readonly refused: number
  /** Processes that ended because a server was away when they began. */
  readonly gaveUp: number
  /** Faults that have struck. */
  readonly struck: ReadonlyMap<Kind, number>
}

export interface PathLife {
  readonly strike: (fault: Fault) => Promise<void>
  readonly seen: () => Seen
  /** The data folder of the process that works, or of the last one that did. */
  readonly folder: () => string
  /** Kills what lives, and lets a last process read to the end of what is there. */
  readonly finish: () => Promise<void>
  /** Kills whatever lives, asleep or awake. */
  readonly end: () => Promise<void>
}

export interface PathOptions {
  readonly path: Path
  /** A folder of its own. */
  readonly home: string
  readonly weir: string
  readonly project: string
  readonly environment: Readonly<Record<string, string>>
  /** Stands before the server whose connections are cut; `null`: there is none. */
  readonly proxy: Proxy | null
  /** Was one of its servers away after this moment of `performance.now`? */
  readonly wasAwaySince: (moment: number) => boolean
}

/** A process has ended that may: who starts while a server is away is told so, and is started again by somebody. */
class GaveUp extends Error {}

interface Process extends Lives.Living {
  readonly startedAt: number
}

/** Milliseconds for what a process that is let alone must do within seconds: it may wait for a server, or for locks. */
const patienceMillis = 240_000
/** Kills after which an open intent must have been found. */
const attemptsMax = 40

export const make = (options: PathOptions): PathLife => {
  const { environment, home, path, project, proxy, wasAwaySince, weir } = options
  const { job } = path
  mkdirSync(home, { recursive: true })
  const clock = clockOf(join(home, "clock"))
  const living = new Set<Process>()
  let seen: Omit<Seen, "struck"> = {
    lives: 0,
    kills: 0,
    betweenIntentAndManifest: 0,
    whileRecovering: 0,
    fenced: 0,
    refused: 0,
    gaveUp: 0,
    epochs: 0,
    replayed: 0,
    alreadyThere: 0
  }
  const struck = new Map<Kind, number>()
  let isOver = false
  /** The process that works; `null`: the last one was killed. */
  let current: Process | null = null
  /** The one that was killed last: the next one says what it left. */
  let before: Lives.Life | null = null
  let folder = join(home, "first")
  const otherFolder = (): string => join(home, folder.endsWith("first") ? "second" : "first")

  const start = (data: string, words: ReadonlyArray<string> = []): Process => {
    const started = Lives.start({
      job,
      words: ["--set", `topic=${path.reads}`, ...words],
      project,
      weir,
      environment: {
        ...environment,
        WEIR_DATA: data,
        ...(path.checkpoints === "files" ? { WEIR_CHECKPOINTS: `file:${join(home, "checkpoints")}` } : {}),
        ...clock.environment
      }
    })
    const life = { ...started, startedAt: performance.now() }
    living.add(life)
    void life.ended.then(() => living.delete(life))
    return life
  }

  /** Adds up what a life has shown that is over. */
  const count = (life: Lives.Life): void => {
    seen = Lives.counted(seen, life, before)
    // One that has claimed nothing has left what it found.
    if (life.generation > 0) before = life.code === null ? life : null
  }

  const working = (): Process => {
    current ??= start(folder)
    return current
  }

  /** Does it happen in time? */
  const timely = async (happens: Promise<unknown>): Promise<boolean> => {
    const waiting = new AbortController()
    const late = sleep(patienceMillis, false, { signal: waiting.signal, ref: false }).catch(() => false)
    const isThere = await Promise.race([happens.then(() => true), late])
    waiting.abort()
    if (isOver) throw new Error("it is over")
    return isThere
  }

  /** Until something happens to a living process: it has to, in time. */
  const within = async (life: Process, what: string, happens: Promise<unknown>): Promise<void> => {
    const isThere = await timely(Promise.race([happens, life.ended]))
    if (!isThere) throw new Error(`${job}: not ${what} in ${patienceMillis / 1_000} s. It said: ${told(life)}`)
  }

  /** Until a living process has come so far. */
  const until = async (life: Process, what: string, isIt: (life: Lives.Life) => boolean): Promise<void> => {
    await within(life, what, life.when(isIt))
    if (!isIt(life.life())) throw endOf(life, what)
  }

  /** Why a process ended that was to live. */
  const endOf = (life: Process, what: string): Error => {
    const { code, rest } = life.life()
    const mayBe = code === 1 && /^(Source|Tables)Unavailable: /m.test(rest) && wasAwaySince(life.startedAt)
    return new (mayBe ? GaveUp : Error)(`${job}: ended with ${code}, not ${what}: ${told(life)}`)
  }

  const kill = async (life: Process): Promise<Lives.Life> => {
    life.signal("SIGKILL")
    const ended = await life.ended
    if (ended.code !== null && !isOver) throw endOf(life, "killed")
    seen = { ...seen, kills: seen.kills + 1 }
    count(ended)
    current = null
    return ended
  }

  const strikes: { readonly [K in Kind]: (fault: Extract<Fault, { readonly kind: K }>) => Promise<void> } = {
    kill: async ({ delayMillis, epochs }) => {
      const life = working()
      const least = life.life().epochs + epochs
      await until(life, `${epochs} intents further`, (said) => said.epochs >= least)
      await sleep(delayMillis)
      await kill(life)
    },
    "kill in recovery": async ({ delayMillis }) => {
      if (current !== null) await kill(current)
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const life = working()
        await until(life, "the owner of its job", (said) => said.generation > 0)
        if (life.life().found.length > 0) {
          await sleep(delayMillis >> (attempt >> 2))
          if ((await kill(life)).whileRecovering) return
        } else {
          await until(life, "an intent further", (said) => said.epochs > 0)
          await kill(life)
        }
      }
      throw new Error(`${job}: none of ${attemptsMax} kills fell into a recovery`)
    },
    "kill at start": async ({ delayMillis }) => {
      if (current !== null) await kill(current)
      const life = working()
      await sleep(delayMillis)
      await kill(life)
    },
    zombie: async ({ delayMillis, epochs, successorEpochs }) => {
      const sleeper = working()
      const least = sleeper.life().epochs + epochs
      await until(sleeper, `${epochs} intents further`, (said) => said.epochs >= least)
      await sleep(delayMillis)
      sleeper.signal("SIGSTOP")
      if (path.servers.length === 0) await refused(sleeper)
      else await overtaken(sleeper, successorEpochs)
    },
    cut: async ({ how }) => {
      const life = working()
      await until(life, "an intent further", (said) => said.epochs > 0)
      await within(life, "cut from its server", proxy!.strike(how, path.commit!.isIt))
      await onwards(life)
    },
    "clock step": async ({ offMillis }) => {
      const life = working()
      await until(life, "an intent further", (said) => said.epochs > 0)
      const off = clock.step(offMillis)
      await until(life, "aware of its clock", (said) => said.rest.includes(`its clock is off by ${off} ms\n`))
      await onwards(life)
    }
  }

  /** It makes epochs after what was done to it. */
  const onwards = (life: Process): Promise<void> => {
    const least = life.life().epochs + 2
    return until(life, "two intents further", (said) => said.epochs >= least)
  }

  /** Another process takes over, elsewhere; the one that slept must find out, and end. */
  const overtaken = async (sleeper: Process, epochs: number): Promise<void> => {
    folder = otherFolder()
    current = start(folder)
    await until(current, `${epochs} intents further than the one that sleeps`, (said) => said.epochs >= epochs)
    sleeper.signal("SIGCONT")
    const isAwake = await timely(sleeper.ended)
    const ended = sleeper.life()
    if (!isAwake || ended.code !== 1 || !/^Fenced: .*generation \d+/m.test(ended.rest))
      throw new Error(`${job}: woke up behind its successor, and was not fenced: ${told(sleeper)}`)
    count(ended)
    before = null
    seen = { ...seen, fenced: seen.fenced + 1 }
  }

  /** Nobody else may have the folder of a process that sleeps; when it wakes up it goes on. */
  const refused = async (sleeper: Process): Promise<void> => {
    const successor = start(folder)
    await within(successor, "refused", successor.ended)
    const { code, rest } = successor.life()
    if (code !== 1 || !rest.includes("is in use by a process that does not answer"))
      throw new Error(`${job}: ended with ${code} in the folder of a process that sleeps: ${rest}`)
    seen = { ...seen, refused: seen.refused + 1 }
    sleeper.signal("SIGCONT")
    await onwards(sleeper)
  }

  /** As often as a process gives up under it. */
  const again = async (doing: () => Promise<void>): Promise<void> => {
    for (;;) {
      try {
        return await doing()
      } catch (cause) {
        if (!(cause instanceof GaveUp)) throw cause
        seen = { ...seen, gaveUp: seen.gaveUp + 1 }
        current = null
        before = null
        await killAll()
      }
    }
  }

  const killAll = async (): Promise<void> => {
    const all = [...living]
    for (const life of all) life.signal("SIGKILL")
    for (const life of await Promise.all(all.map((life) => life.ended))) count(life)
  }

  const end = async (): Promise<void> => {
    isOver = true
    await killAll()
  }

  return {
    strike: async (fault) => {
      await again(() => strikes[fault.kind](fault as never))
      struck.set(fault.kind, (struck.get(fault.kind) ?? 0) + 1)
    },
    seen: () => {
      const now = [...living].reduce((sum, life) => sum + life.life().epochs, 0)
      return { ...seen, epochs: seen.epochs + now, struck }
    },
    folder: () => folder,
    finish: async () => {
      if (current !== null) await kill(current)
      return again(async () => {
        const last = start(folder, ["--available-now", "--final"])
        await within(last, "at the end of its topic", last.ended)
        if (last.life().code !== 0) throw endOf(last, "at the end of its topic")
        count(last.life())
      })
    },
    end
  }
}

// Private

/** What a process has told, without how far it was from time to time. */
const told = (life: Process): string =>
  life
    .life()
    .rest.split("\n")
    .filter((line) => !line.endsWith(" rows/s"))
    .join("\n")

const minuteMillis = 60_000

/** The clock of a machine on which a path's processes run, one after the other. */
const clockOf = (file: string) => {
  let offMillis = 0
  const write = (): void => {
    writeFileSync(`${file}~`, String(offMillis))
    renameSync(`${file}~`, file)
  }
  write()
  return {
    environment: {
      SOAK_CLOCK: file,
      NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, "clock.mjs")).href}`
    },
    /** Puts it off by so much; if it is off by that, right; and if it is right, off by a minute. Answers what it is off by. */
    step: (wanted: number): number => {
      offMillis = wanted !== offMillis ? wanted : offMillis === 0 ? minuteMillis : 0
      write()
      return offMillis
    }
  }
}
