import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { ask } from "../services/asked.ts"
import * as Topics from "./Topics.ts"
import { tested } from "./tested.ts"

const folder = mkdtempSync(join(tmpdir(), "weir-conformance-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

for (const subject of Topics.embedded(folder)) tested(subject)

const kafka = await ask("kafka")
tested(Topics.kafka("missing" in kafka ? "" : kafka.address), !("missing" in kafka))
