/** The process that a command runs in: its arguments, its environment, its three streams. Filled by the platform. */
import { Context, type Effect, type Stream } from "effect"
import type { StartSqlThread } from "../connectors/sql/index.ts"
import type { ProcessFacts } from "../observe/Metrics.ts"

/** Where the modules of a project lie, as this runtime can import them. */
export interface ProjectModules {
  /** The folder of the project: what a person edits. */
  readonly root: string
  /** The folder of its jobs: sources where the runtime runs TypeScript, else their bundle. */
  readonly actors: string
  /** The same for generators. */
  readonly fixtures: string
  /** The folder of the page's files. */
  readonly page: string
  /** The folder of Weir itself: a working copy, or an installed package. */
  readonly weir: string
  /** The folder of the generators that Weir brings along. */
  readonly weirFixtures: string
  /** The module of the embedded database's thread. Absent: it runs in the thread of the program. */
  readonly database?: string
}

export interface ProcessService {
  readonly runtime: { readonly name: "node" | "bun" | "deno"; readonly version: string }
  readonly modules: ProjectModules
  readonly arguments: ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly currentFolder: string
  readonly pid: number
  /** Is it a terminal? */
  readonly isTerminal: { readonly input: boolean; readonly output: boolean; readonly error: boolean }
  /** Columns of the terminal; 80 where there is none. */
  readonly columns: number
  /** Writes text to standard output; ends when it was taken, so that a slow reader slows the writer. */
  readonly print: (text: string) => Effect.Effect<void>
  /** Writes text to standard error. */
  readonly report: (text: string) => Effect.Effect<void>
  /** Standard input in the pieces in which it comes. Read it once. */
  readonly input: Stream.Stream<Uint8Array>
  /** What the process uses now. */
  readonly facts: Effect.Effect<ProcessFacts>
  /** Starts the thread of the embedded database; `undefined` where the program has no module for it. */
  readonly databaseThread?: StartSqlThread | undefined
  /** Imports a module by its path; the error is what it threw. */
  readonly importModule: (path: string) => Effect.Effect<Readonly<Record<string, unknown>>, unknown>
}

export class Process extends Context.Tag("weir/Process")<Process, ProcessService>() {}
