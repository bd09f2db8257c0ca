/** A process that sleeps at a chosen moment while another does all of its work, and is woken up behind it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { build } from "esbuild"

/** When a process sleeps, and whether its sinks are fenced; `never`: it does not sleep. */
export interface Sleep {
  readonly sleeps:
    | "in a transaction"
    | "in a statement"
    | "in a transaction of Kafka"
    | "between two transactions of Kafka"
    | "never"
  /** The epoch that it sleeps in. */
  readonly epoch: number
  /** Absent: yes. */
  readonly isFenced?: boolean
}

/** The job, and where it works. */
export interface Job {
  readonly name: "totals" | "copies"
  readonly topic: string
  readonly environment: Readonly<Record<string, string>>
}

/** What a process has said. */
export interface Said {
  readonly code: number | null
  readonly generation: number
  /** Epochs that it made durable. */
  readonly epochs: number
  /** What it told a person. */
  readonly told: string
}

const children = new Set<ChildProcess>()

/** Ends whatever a test has left, awake or asleep. */
export const end = (): void => {
  for (const child of children) child.kill("SIGKILL")
}

/** Bundles the program. */
export const bundle = (outfile: string) =>
  build({
    entryPoints: [join(import.meta.dirname, "zombie.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["esbuild", "@duckdb/node-api"],
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);'
    },
    logLevel: "error"
  })

/**
 * Lets a process of the job fall asleep, asks `asleep` of the world as it is then, lets another process do all of the
 * work, asks `overtaken`, and wakes the first one up. Answers what both have said, and when the other was done.
 */
export const overtaken = async <A, B>(
  program: string,
  job: (folder: string) => Job,
  sleep: Sleep,
  ask: { readonly asleep: () => Promise<A>; readonly overtaken: () => Promise<B> }
) => {
  const sleeper = start(program, job("first"), sleep)
  try {
    await sleeper.asleep
    const asleep = await ask.asleep()
    const begun = Date.now()
    const successor = await start(program, job("second"), { sleeps: "never", epoch: 0 }).ended
    const waitedMillis = Date.now() - begun
    const overtaken = await ask.overtaken()
    if (stateOf(sleeper.child) !== "T") throw new Error("the first process does not sleep")
    sleeper.child.kill("SIGCONT")
    return { sleeper: await sleeper.ended, successor, asleep, overtaken, waitedMillis }
  } finally {
    sleeper.child.kill("SIGKILL")
  }
}

const start = (program: string, { environment, name, topic }: Job, sleep: Sleep) => {
  const words = ["run", name, "--available-now", "--set", `topic=${topic}`, "--set", "maxPerEpoch=200"]
  const child = spawn(process.execPath, [program, JSON.stringify(sleep), ...words], {
    cwd: join(import.meta.dirname, "../.."),
    env: { ...process.env, ...environment, WEIR_LOG: "debug" },
    stdio: ["ignore", "ignore", "pipe"]
  })
  children.add(child)
  child.on("close", () => children.delete(child))
  let said: Said = { code: null, generation: 0, epochs: 0, told: "" }
  let fellAsleep = () => {}
  const ended = new Promise<Said>((resolve) => child.on("close", (code) => resolve({ ...said, code })))
  const asleep = new Promise<void>((resolve, reject) => {
    fellAsleep = resolve
    child.on("close", () => reject(new Error(`it ended before it slept: ${said.told}`)))
  })
  asleep.catch(() => {})
  createInterface({ input: child.stderr }).on("line", (text) => {
    said = heard(said, text)
    if (text === `sleeps ${sleep.sleeps}`) fellAsleep()
  })
  return { child, asleep, ended }
}

const heard = (said: Said, text: string): Said => {
  if (!text.startsWith("{")) return { ...said, told: `${said.told}${text}\n` }
  const { annotations, message } = JSON.parse(text) as {
    readonly message: string
    readonly annotations: Readonly<Record<string, unknown>>
  }
  if (message === "claimed") return { ...said, generation: annotations.generation as number }
  return message === "epoch is durable" ? { ...said, epochs: said.epochs + 1 } : said
}

/** As the system calls it: T is for a process that is stopped. */
const stateOf = ({ pid }: ChildProcess): string =>
  execFileSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" }).trim()
