import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import * as Stores from "./Stores.ts"
import { tested } from "./tested.ts"

const folder = mkdtempSync(join(tmpdir(), "weir-conformance-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

tested(Stores.memory())
tested(Stores.files(folder))
