/** Runs the program as a person does: a process of its own, with a data folder of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const root = join(import.meta.dirname, "../..")

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly process: ChildProcess
  /** What standard error says so far. */
  readonly err: () => string
  readonly ended: Promise<Ended>
}

export const newFolder = (): string => mkdtempSync(join(tmpdir(), "weir-cli-"))

interface Options {
  readonly input?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly folder?: string
}

/** Starts `weir <words>`; the environment has no Weir of the person who runs the tests. */
export const start = (words: ReadonlyArray<string>, options: Options = {}): Running => {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(WEIR_|KAFKA_|DATABASE_URL)/.test(name))
  const child = spawn(process.execPath, [join(root, "bin/weir.mjs"), ...words], {
    cwd: options.folder ?? root,
    env: { ...Object.fromEntries(inherited), ...options.environment },
    stdio: ["pipe", "pipe", "pipe"]
  })
  let out = ""
  let err = ""
  child.stdout.on("data", (piece) => {
    out += piece
  })
  child.stderr.on("data", (piece) => {
    err += piece
  })
  child.stdin.on("error", () => {})
  child.stdin.end(options.input ?? "")
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, out, err })))
  return { process: child, err: () => err, ended }
}

export const weir = (words: ReadonlyArray<string>, options: Options = {}): Promise<Ended> => start(words, options).ended

/** Waits until standard error says it. */
export const says = async (running: Running, text: string | RegExp): Promise<void> => {
  for (let i = 0; i < 600; i++) {
    if (running.err().match(text) !== null) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`it never said ${text}: ${running.err()}`)
}
