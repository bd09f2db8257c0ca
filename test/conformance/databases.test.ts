import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { bundledWorker } from "../connectors/sql-worker.ts"
import { databases } from "../services/databases.ts"
import * as Databases from "./Databases.ts"
import { tested } from "./tested.ts"

const folder = mkdtempSync(join(tmpdir(), "weir-conformance-"))
const worker = await bundledWorker()
afterAll(() => {
  for (const made of [folder, worker.folder]) rmSync(made, { recursive: true, force: true })
})

tested(Databases.of("the embedded database in a thread of its own", Databases.layerThread(folder, worker.module)))
for (const { isThere, layer, name } of await databases()) tested(Databases.of(name, layer), isThere)
