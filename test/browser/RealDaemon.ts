/** A daemon of this process with the jobs that come with Weir, on a data folder and tables of its own. */
import { rmSync } from "node:fs"
import { NodeContext } from "@effect/platform-node"
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import type { Block } from "../../fixtures/Generator.ts"
import * as Log from "../../src/connectors/log/index.ts"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { begin } from "../cli/in-process.ts"
import { newFolder } from "../cli/program.ts"

export interface RealDaemon {
  readonly url: string
  /** Rows of a question, as `weir query` is answered. */
  readonly rows: (sql: string) => Promise<ReadonlyArray<ReadonlyArray<string>>>
  /** Reports of the last epochs, as `weir progress` is answered. */
  readonly progress: (job: string) => Promise<ReadonlyArray<any>>
  /** Starts a job with an epoch each second. */
  readonly start: (job: string) => Promise<unknown>
  /** What a generator makes, into partition 0 of a topic. */
  readonly produce: (topic: string, blocks: Iterable<Block>) => Promise<void>
  /** Writes to the tables, past all jobs. */
  readonly write: (...statements: ReadonlyArray<string>) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Jobs start with an epoch each second: as the page starts them, they would have one in ten. */
export const oftener = JSON.stringify({ set: { trigger: "1 second" } })

export const make = async (): Promise<RealDaemon> => {
  const data = newFolder()
  const environment = { WEIR_DATA: data, WEIR_PORT: "0" }
  const runtime = ManagedRuntime.make(
    Layer.merge(layerMemory, Layer.provide(Log.layer({ folder: `${data}/log` }), NodeContext.layer))
  )
  const services = await runtime.runPromise(Effect.context<Tables | Topics>())
  const [tables, topics] = [Context.get(services, Tables), Context.get(services, Topics)]
  for (const topic of ["TFI", "stocks"])
    await runtime.runPromise(topics.create(topic, { partitions: 1, retentionMillis: null }))
  const running = begin(["start", "orders"], { environment, services })
  const url = await said(running.err, /http:\/\/127\.0\.0\.1:[1-9]\d*/)
  const call = async (path: string, body: string | null = null) => {
    const answer = await fetch(`${url}/api/${path}`, { method: body === null ? "GET" : "POST", body })
    if (!answer.ok) throw new Error(await answer.text())
    return (await answer.json()) as any
  }
  return {
    url,
    rows: async (sql) =>
      (await call("query", JSON.stringify({ sql }))).rows.map((row: Array<unknown>) => row.map(String)),
    progress: (job) => call(`jobs/${job}/progress?last=200`),
    start: (job) => call(`jobs/${job}/start`, oftener),
    produce: async (topic, blocks) => {
      for (const { records } of blocks) await runtime.runPromise(topics.produce(topic, 0, records))
    },
    write: async (...statements) => {
      await runtime.runPromise(tables.transaction(statements.map((sql) => ({ sql, parameters: [] }))))
    },
    stop: async () => {
      await running.stop()
      await runtime.dispose()
      rmSync(data, { recursive: true, force: true })
    }
  }
}

const said = async (text: () => string, wanted: RegExp): Promise<string> => {
  for (let i = 0; i < 400; i++) {
    const found = wanted.exec(text())
    if (found !== null) return found[0]
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`it never said ${wanted}: ${text()}`)
}
