/**
 * A process on any of the runtimes: what they share, through the `node:` modules that all of them have. What differs
 * comes in as values.
 */
import { pathToFileURL } from "node:url"
import type { FileSystem, Path, Terminal } from "@effect/platform"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import { Cause, Effect, Exit, Layer, Scheduler, Stream } from "effect"
import { Process, type ProjectModules } from "../cli/Process.ts"
import type { Network } from "../daemon/Network.ts"
import { drainMillisMax } from "../model/Limits.ts"
import * as LocalSockets from "./LocalSockets.ts"
import * as SqlThread from "./SqlThread.ts"

/** How one runtime differs from the others. */
export interface Runtime {
  readonly name: "node" | "bun" | "deno"
  readonly version: string
  /** Its arguments, without its own name and the program's. */
  readonly arguments: ReadonlyArray<string>
  readonly exit: (code: number) => never
}

/** All that a command needs of the machine. */
export type Host = Process | Network | FileSystem.FileSystem | Path.Path | Terminal.Terminal

/** Everything that commands and the daemon ask of the machine. */
export const layer = (runtime: Runtime, modules: ProjectModules): Layer.Layer<Host> =>
  Layer.mergeAll(
    Layer.succeed(Process, {
      runtime: { name: runtime.name, version: runtime.version },
      modules,
      arguments: runtime.arguments,
      environment: process.env,
      currentFolder: process.cwd(),
      pid: process.pid,
      isTerminal: {
        input: process.stdin.isTTY === true,
        output: process.stdout.isTTY === true,
        error: process.stderr.isTTY === true
      },
      columns: process.stdout.columns ?? 80,
      print: (text) => write(process.stdout, text),
      report: (text) => write(process.stderr, text),
      input: Stream.suspend(() => Stream.fromAsyncIterable(process.stdin as AsyncIterable<Uint8Array>, (e) => e)).pipe(
        Stream.orDie
      ),
      facts: Effect.sync(() => {
        const { rss, heapUsed } = process.memoryUsage()
        return { residentBytes: rss, heapBytes: heapUsed, uptimeMillis: process.uptime() * 1000 }
      }),
      databaseThread: modules.database === undefined ? undefined : SqlThread.make(modules.database),
      importModule: (path) =>
        Effect.tryPromise({ try: () => import(pathToFileURL(path).href), catch: (error) => error })
    }),
    LocalSockets.layer,
    NodeFileSystem.layer,
    NodePath.layer,
    NodeTerminal.layer
  )

// A reader that went away is told once, by the stream's `error`: the write itself never fails.
const write = (stream: NodeJS.WriteStream, text: string): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    stream.write(text, () => resume(Effect.void))
  })

/**
 * Gives timers and sockets a turn between any two turns of the fibers. Effect's own goes on in microtasks for as long
 * as fibers wake each other, and a job under load always does: no timer would fire, no request be answered.
 */
const scheduler = Scheduler.makeBatched((run) => setImmediate(run))

/**
 * Runs a program to its exit code. The first SIGINT or SIGTERM interrupts it, so that it drains; a second one, or
 * `drainMillisMax`, ends the process at once: 130 in each case. When whoever reads standard output goes away the
 * program is interrupted and the code is 0.
 */
export const runMain =
  (runtime: Runtime) =>
  (modules: ProjectModules, program: Effect.Effect<number, never, Host>): void => {
    const fiber = Effect.runFork(Effect.provide(program, layer(runtime, modules)), { scheduler })
    const keepAlive = setInterval(() => {}, 2 ** 30)
    let interruptedWith: number | null = null
    const interrupt = (code: number) => {
      if (interruptedWith !== null) return
      interruptedWith = code
      setTimeout(() => runtime.exit(code), drainMillisMax).unref?.()
      fiber.unsafeInterruptAsFork(fiber.id())
    }
    const onSignal = () => (interruptedWith === null ? interrupt(130) : runtime.exit(130))
    process.on("SIGINT", onSignal)
    process.on("SIGTERM", onSignal)
    process.stdout.on("error", (error: NodeJS.ErrnoException) => interrupt(error.code === "EPIPE" ? 0 : 1))
    // A person whose terminal went away cannot be told.
    process.stderr.on("error", () => {})
    fiber.addObserver((exit) => {
      clearInterval(keepAlive)
      if (Exit.isSuccess(exit)) return runtime.exit(interruptedWith ?? exit.value)
      if (interruptedWith === null || !Cause.isInterrupted(exit.cause))
        process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
      return runtime.exit(interruptedWith ?? (Cause.isInterruptedOnly(exit.cause) ? 130 : 1))
    })
  }
