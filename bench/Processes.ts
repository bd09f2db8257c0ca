/** Runs a part of a bench in a process of its own, so that no run inherits the heap, the tables or the warmth of another. */
import { type ChildProcess, spawn } from "node:child_process"
import { cpus, loadavg, totalmem } from "node:os"

/** What a process is started with: the runtime and the bench that runs here, with other options. */
const own = (options: Readonly<Record<string, string | number>>): readonly [string, ReadonlyArray<string>] => {
  const runtime = process.versions.deno === undefined ? [] : ["run", "-A"]
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  return [process.execPath, [...runtime, ...process.execArgv, process.argv[1]!, ...words]]
}

/** Starts this bench again with these options; its standard error goes on to ours. */
export const start = (options: Readonly<Record<string, string | number>>): ChildProcess => {
  const [program, words] = own(options)
  return spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] })
}

/** Runs this bench with these options to its end; answers what it told with `tell`, and how long the process took. */
export const run = async <Answer>(
  options: Readonly<Record<string, string | number>>
): Promise<{ readonly answer: Answer; readonly processMillis: number }> => {
  const began = performance.now()
  const child = start(options)
  const text = await textOf(child)
  return { answer: JSON.parse(text.trim().split("\n").at(-1)!) as Answer, processMillis: performance.now() - began }
}

const textOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ""
    child.stdout!.on("data", (piece) => {
      text += piece
    })
    child.on("error", reject)
    // One that kills itself when it has told what it found has ended well.
    child.on("close", (code, signal) =>
      code === 0 || (signal === "SIGKILL" && text !== "")
        ? resolve(text)
        : reject(new Error(`a process of the bench ended with ${code ?? signal}`))
    )
  })

/** Answers the process that called `run`. */
export const tell = (answer: unknown): void => console.log(JSON.stringify(answer))

/** How long something takes, and what the processor spends on it: all threads of this process, the system's work too. */
export interface Spent {
  readonly millis: number
  readonly processorMillis: number
}

/** Begins to time; the function it answers ends it. */
export const stopwatch = (): (() => Spent) => {
  const began = performance.now()
  const before = process.cpuUsage()
  return () => {
    const { system, user } = process.cpuUsage(before)
    return { millis: performance.now() - began, processorMillis: (user + system) / 1000 }
  }
}

/** The line that every bench prints first: what it runs on, and how busy that was before. */
export const machine = (): string => {
  const { bun, deno, node } = process.versions
  const runtime = bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node ${node}`
  return `${runtime}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${new Date().toISOString().slice(0, 10)}, load average ${loadavg()[0]!.toFixed(1)}`
}
