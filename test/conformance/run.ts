/**
 * `npm run conformance -- --runtime bun`: every suite on every implementation, on the runtimes that are named (none: all
 * three), as a table. Servers are those of the environment, or are started as for tests. Ends with 1 where a case fails.
 */
import { spawn } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { bundledWorker } from "../connectors/sql-worker.ts"
import * as Database from "../services/Database.ts"
import * as Services from "../services/Services.ts"

const root = join(import.meta.dirname, "../..")
const program = join(import.meta.dirname, "program.ts")
const sources = join(root, "src/platform/SqlWorker.ts")

/** Runs the program on a runtime, with the module of the embedded database's thread; Node runs no sources. */
const commands: Readonly<Record<string, (bundled: string) => readonly [string, ...ReadonlyArray<string>]>> = {
  node: (bundled) => [process.execPath, join(root, "test/run.mjs"), "conformance/program.ts", bundled],
  bun: () => [join(root, "node_modules/.bin/bun"), "--bun", program, sources],
  deno: () => [join(root, "node_modules/.bin/deno"), "run", "-A", program, sources]
}

const { values } = parseArgs({ options: { runtime: { type: "string", multiple: true } } })
const runtimes = values.runtime ?? Object.keys(commands)
for (const runtime of runtimes)
  if (!(runtime in commands)) {
    process.stderr.write(`${runtime} is no runtime: --runtime is ${Object.keys(commands).join(", ")}\n`)
    process.exit(2)
  }

const services = Services.make()

const addressOf = async (name: Services.ServiceName): Promise<string> => {
  const found = await services.ask(name)
  return "missing" in found ? "" : found.address
}

/** Databases of a run's own, and its exit code. */
const run = async (command: readonly [string, ...ReadonlyArray<string>]): Promise<number> => {
  const servers = await Promise.all((["postgres", "mariadb"] as const).map(addressOf))
  const databases = await Promise.all(servers.map((server) => (server === "" ? null : Database.make(server))))
  const [postgres, mariadb] = databases
  const [file, ...words] = command
  const child = spawn(file, words, {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      KAFKAJS_NO_PARTITIONER_WARNING: "1",
      KAFKA_BROKERS: await addressOf("kafka"),
      DATABASE_URL: postgres?.url ?? "",
      MYSQL_URL: mariadb?.url ?? ""
    }
  })
  const code = await new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)))
  await Promise.all(databases.map((database) => database?.drop()))
  return code
}

const worker = await bundledWorker()
let code = 0
try {
  for (const runtime of runtimes) code = Math.max(code, await run(commands[runtime]!(worker.module)))
  const missing = await services.missing()
  for (const { name, reason, variable } of missing)
    process.stderr.write(`Not tested with ${name}: ${reason}. ${variable} names a server that is there.\n`)
  if (missing.length > 0 && process.env.WEIR_REQUIRE_SERVICES === "1") code = 1
} finally {
  await services.stop()
  rmSync(worker.folder, { recursive: true, force: true })
}
process.exit(code)
