/** The databases with tables that there are: their tables, the sinks into them, and the checkpoint store there. */
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { layerMysql, layerPGlite, layerPostgres } from "../../src/connectors/sql/index.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import * as SqlThread from "../../src/platform/SqlThread.ts"
import * as SinkSuite from "../../src/testing/SinkSuite.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"
import * as TablesSuite from "../../src/testing/TablesSuite.ts"
import * as SqlPlace from "./SqlPlace.ts"
import * as Subject from "./Subject.ts"

export const of = (implementation: string, layer: Layer.Layer<Tables, unknown>): Subject.Subject =>
  Subject.make(implementation, layer, {
    tables: TablesSuite.cases(),
    sinks: SinkSuite.cases(),
    checkpoints: StoreSuite.cases({ place: Effect.map(SqlPlace.cleared, SqlPlace.of), tables: true, damage: true })
  })

/** The database of a server. */
export const layerServer = (url: string): Layer.Layer<Tables, unknown> =>
  url.startsWith("postgres") ? layerPostgres({ url }) : layerMysql({ url })

/** In a folder of its own, in a thread that runs `module`: as the program has it. */
export const layerThread = (folder: string, module: string): Layer.Layer<Tables, unknown> =>
  Layer.provide(layerPGlite({ folder: join(folder, "tables"), thread: SqlThread.make(module) }), NodeContext.layer)
