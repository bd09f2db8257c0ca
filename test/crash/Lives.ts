/** A job as a process of its own, `weir run`: what it says before it ends, and how it is made to end. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"

const root = join(import.meta.dirname, "../..")

/** How a program of the project is started on each runtime: the process that is started is the one that works. */
const programs = {
  node: [process.execPath],
  bun: [join(root, "node_modules/.bin/bun"), "--bun"],
  deno: [join(root, "node_modules/.bin/deno"), "run", "-A"]
} as const

export type Runtime = keyof typeof programs
export const runtimes = Object.keys(programs) as ReadonlyArray<Runtime>

/** What a process does. */
export interface Work {
  readonly job: string
  /** What is said to `weir run` behind the job's name. */
  readonly words: ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
  /** The folder of the project that the job is of; absent: Weir's own. */
  readonly project?: string
  /** The folder of the program; absent: this working copy. */
  readonly weir?: string
  /** Absent: Node. */
  readonly runtime?: Runtime
}

/** What one life has said. */
export interface Life {
  /** `null`: it lives, or was killed. */
  readonly code: number | null
  /** 0: it has not claimed the job. */
  readonly generation: number
  /** Generations of the intents that it found above the manifest. */
  readonly found: ReadonlyArray<number>
  readonly replayed: number
  readonly alreadyThere: number
  /** Intents of its own that it wrote. */
  readonly epochs: number
  /** Killed before every intent that it had found was replayed. */
  readonly whileRecovering: boolean
  /** What it told a person, its last lines. */
  readonly rest: string
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

/** `before`: the last life that left intents; `null`: none is known. */
export const counted = <S extends Seen>(seen: S, life: Life, before: Life | null): S => ({
  ...seen,
  lives: seen.lives + 1,
  betweenIntentAndManifest:
    seen.betweenIntentAndManifest + (before !== null && life.found.includes(before.generation) ? 1 : 0),
  whileRecovering: seen.whileRecovering + (life.whileRecovering ? 1 : 0),
  epochs: seen.epochs + life.epochs,
  replayed: seen.replayed + life.replayed,
  alreadyThere: seen.alreadyThere + life.alreadyThere
})

/** A life that goes on. */
export interface Living {
  readonly life: () => Life
  readonly signal: (signal: "SIGCONT" | "SIGKILL" | "SIGSTOP") => void
  /** Settles when a condition holds of what it has said so far, or when it has ended. */
  readonly when: (isIt: (life: Life) => boolean) => Promise<void>
  readonly ended: Promise<Life>
}

/** Starts a process. */
export const start = (work: Work): Living => {
  const { environment, job, project = root, runtime = "node", weir = root, words } = work
  const [program, ...before] = programs[runtime]
  const child = spawn(program, [...before, join(weir, "bin/weir.mjs"), "run", job, ...words], {
    cwd: project,
    env: { ...process.env, ...environment, WEIR_LOG: "debug" },
    stdio: ["ignore", "ignore", "pipe"]
  })
  let life = unborn
  const waiting = new Set<() => void>()
  createInterface({ input: child.stderr }).on("line", (text) => {
    life = heard(life, text)
    for (const look of waiting) look()
  })
  const ended = new Promise<Life>((resolve) =>
    child.on("close", (code) => {
      const whileRecovering = code === null && life.found.length > life.replayed
      life = { ...life, code, whileRecovering }
      resolve(life)
    })
  )
  return {
    life: () => life,
    signal: (signal) => void child.kill(signal),
    when: (isIt) =>
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (isIt(life)) settle()
        }
        const settle = (): void => {
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        void ended.then(settle)
        look()
      }),
    ended
  }
}

// Private

interface Line {
  readonly message: string
  readonly logLevel: string
  readonly annotations: Readonly<Record<string, unknown>>
}

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

/** Characters that are kept of what it told a person, and of the warnings of its log. */
const restMax = 8_000

const heard = (life: Life, text: string): Life => {
  const line = lineOf(text)
  if (line === null) return told(life, text)
  const { annotations, logLevel, message } = line
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
      return /^(WARN|ERROR|FATAL)/.test(logLevel) ? told(life, `${logLevel}: ${message}`) : life
  }
}

const told = (life: Life, text: string): Life => ({ ...life, rest: `${life.rest}${text}\n`.slice(-restMax) })

/** A line of the log; `null`: it is none, or a kill has cut it. */
const lineOf = (text: string): Line | null => {
  try {
    return text.startsWith("{") ? (JSON.parse(text) as Line) : null
  } catch {
    return null
  }
}
