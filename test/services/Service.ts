/**
 * A server that tests need: started here where none is given, and stopped at the end, whatever way the end comes.
 *
 * A started server is held by a pipe: when the process that started it is gone, even killed, the pipe closes and the
 * server is stopped.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { createWriteStream, existsSync, readFileSync } from "node:fs"
import { createServer, connect as openSocket } from "node:net"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Container } from "./docker.ts"

export interface Service {
  readonly name: string
  /** The variable that names a server which is there already; set for whoever starts one. */
  readonly variable: string
  /** The same server in a container. */
  readonly container: Container
  /** Starts a server that keeps its data in `folder`, which is empty. Rejects with `Missing` where it cannot be had. */
  readonly start: (folder: string) => Promise<Running>
}

export interface Running {
  /** What the variable is set to. */
  readonly address: string
  readonly stop: () => Promise<void>
}

/** Why a service cannot be had. */
export class Missing extends Error {}

/** Runs its arguments until they end or the pipe does; the last argument is the signal that ends them. */
const holding = `
signal=$1; shift
exec 3<&0
"$@" <&- 3<&- &
server=$!
{ read -r _ <&3; kill -"$signal" $server 2>&-; } &
exec 3<&-
wait $server
`

export interface ServerOptions {
  readonly command: string
  readonly parameters: ReadonlyArray<string>
  /** The user that it runs as, where this one is root; absent: this one. */
  readonly user?: string
  /** The signal that ends it fast and in order; absent: TERM. */
  readonly signal?: string
  /** What it says goes here. */
  readonly log: string
  readonly environment?: Readonly<Record<string, string>>
  /** Settles when it answers; asked again and again until then. */
  readonly answers: () => Promise<unknown>
}

/** Milliseconds that a server may take to answer. */
const startMillisMax = 60_000

/** Starts a server and waits until it answers. */
export const serve = async (options: ServerOptions): Promise<{ readonly stop: () => Promise<void> }> => {
  const shell = ["sh", "-c", holding, "sh", options.signal ?? "TERM", options.command, ...options.parameters]
  const [command, ...parameters] = as(options.user, shell)
  const server = spawn(command!, parameters, {
    // Of a group of its own: what interrupts the tests does not reach it before they let it go.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.environment }
  })
  const log = createWriteStream(options.log)
  server.stdout.pipe(log, { end: false })
  server.stderr.pipe(log, { end: false })
  const ended = new Promise<void>((resolve) => server.once("close", () => log.end(resolve)))
  const stop = (): Promise<void> => {
    server.stdin.end()
    return ended
  }
  server.stdin.on("error", () => {})
  const refusal = await untilAnswered(server, options)
  if (refusal === null) return { stop }
  // What it said last is in its log when it has ended.
  await stop()
  throw new Missing(`${options.command} does not answer (${String(refusal)}): ${tailOf(options.log)}`)
}

/** Why it does not answer, where it has ended or the time is over. */
const untilAnswered = async (server: ChildProcess, { answers }: ServerOptions): Promise<unknown> => {
  const deadline = Date.now() + startMillisMax
  for (;;) {
    const answer = await answers().then(
      () => null,
      (cause: unknown) => cause
    )
    if (answer === null) return null
    if (server.exitCode !== null || Date.now() >= deadline) return answer
    await sleep(50)
  }
}

const tailOf = (file: string): string => readFileSync(file, "utf8").trim().split("\n").slice(-5).join(" | ")

/** Runs a command to its end; rejects with `Missing` and what it said where it fails. */
export const run = (command: string, parameters: ReadonlyArray<string>, user?: string): Promise<void> => {
  const [file, ...rest] = as(user, [command, ...parameters])
  return new Promise((resolve, reject) =>
    execFile(file!, rest, { maxBuffer: 16_777_216 }, (error, stdout, stderr) =>
      error === null
        ? resolve()
        : reject(
            new Missing(
              `${command} failed: ${(stderr.trim() === "" ? stdout : stderr).trim().split("\n").slice(-5).join(" | ")}`
            )
          )
    )
  )
}

/** Is this process allowed everything? Servers refuse to run like that. */
export const isRoot = process.getuid?.() === 0

const as = (user: string | undefined, command: ReadonlyArray<string>): ReadonlyArray<string> =>
  isRoot && user !== undefined ? ["runuser", "-u", user, "--", ...command] : command

/** The path of the first of these programs that is there, in these folders or where programs are. */
export const programOf = (names: ReadonlyArray<string>, folders: ReadonlyArray<string> = []): string | undefined =>
  names
    .flatMap((name) =>
      [...folders, ...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"].map((folder) => join(folder, name))
    )
    .find((path) => existsSync(path))

/** A port of this machine on which nothing listens. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

/** A free port that is none of these: what was free a moment ago is given out again. */
export const freePortBeside = async (others: ReadonlyArray<number>): Promise<number> => {
  const port = await freePort()
  return others.includes(port) ? freePortBeside(others) : port
}

/** Settles when something listens on the port. */
export const listens = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = openSocket({ host: "127.0.0.1", port })
    socket.once("connect", () => resolve(void socket.destroy()))
    socket.once("error", reject)
  })
