/** The program as a person runs it: a copy of the working tree with nothing built, its processes, and its HTTP API. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { cpSync, existsSync, symlinkSync } from "node:fs"
import { createServer } from "node:net"
import { join, resolve } from "node:path"

/** Copies what a fresh checkout holds, with the packages of this one; run from the root of the working tree. */
export const copyTo = (folder: string): void => {
  if (!existsSync("bin/weir.mjs")) throw new Error("run this bench from the root of the working tree")
  for (const name of ["package.json", "build.mjs", "bin", "src", "actors", "fixtures"])
    cpSync(name, join(folder, name), { recursive: true })
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"))
}

export const build = (folder: string): void => {
  execFileSync("node", ["build.mjs"], { cwd: folder })
}

/** A port of the loopback interface that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** A program that serves the API, and all that it started: they are one group of processes. */
export interface Served {
  readonly child: ChildProcess
  readonly url: string
  /** Milliseconds since it was started. */
  readonly age: () => number
}

/** Starts a program that serves on a port of its own; what it says is not shown. */
export const serve = async (program: string, words: ReadonlyArray<string>, folder: string): Promise<Served> => {
  const port = await freePort()
  const began = performance.now()
  const child = spawn(program, words, {
    cwd: folder,
    env: { ...process.env, WEIR_PORT: String(port), WEIR_DATA: join(folder, ".weir") },
    stdio: "ignore",
    detached: true
  })
  // A bench that fails leaves nothing running.
  process.on("exit", () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGKILL")
  })
  return { child, url: `http://127.0.0.1:${port}`, age: () => performance.now() - began }
}

export const stop = ({ child }: Served): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null) return resolve()
    child.on("close", () => resolve())
    process.kill(-child.pid!, "SIGINT")
  })

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/**
 * Asks until the answer is not `null`, at most for a minute. A server that does not listen yet, or does not answer in
 * time, is asked again: give what is asked a time.
 */
export const until = async <A>(ask: () => Promise<A | null>, everyMillis: number): Promise<A> => {
  const ends = performance.now() + 60_000
  while (performance.now() < ends) {
    const answer = await ask().catch(() => null)
    if (answer !== null) return answer
    await pause(everyMillis)
  }
  throw new Error("no answer in a minute")
}

/** Fails if no answer comes in `millisMax`. */
export const post = async (served: Served, path: string, body: unknown, millisMax = 30_000): Promise<any> => {
  const answer = await fetch(`${served.url}${path}`, {
    signal: AbortSignal.timeout(millisMax),
    method: "POST",
    headers: { "content-type": typeof body === "string" ? "application/x-ndjson" : "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body)
  })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
  return answer.json()
}

/** Fails if no answer comes in `millisMax`. */
export const get = async (served: Served, path: string, millisMax = 30_000): Promise<any> => {
  const answer = await fetch(`${served.url}${path}`, { signal: AbortSignal.timeout(millisMax) })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`)
  return answer.headers.get("content-type")?.includes("json") ? answer.json() : answer.text()
}

/** The rows of a query over the API; `null` if there are none. */
export const rowsOf = async (
  served: Served,
  sql: string,
  millisMax?: number
): Promise<ReadonlyArray<ReadonlyArray<string>> | null> => {
  const { rows } = await post(served, "/api/query", { sql }, millisMax)
  return rows.length === 0 ? null : rows
}

/** Bytes of memory that a process has in use. */
export const residentBytes = (child: ChildProcess): number =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(child.pid)], { encoding: "utf8" }).trim()) * 1024
