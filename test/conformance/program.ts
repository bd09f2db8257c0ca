/**
 * Runs every suite on every implementation that it can reach, in the runtime that runs it, and prints a row for each.
 * Ends with 1 where a case fails. Its word is the module of the embedded database's thread; servers are those of the
 * environment, in databases that are empty.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import * as Databases from "./Databases.ts"
import * as Stores from "./Stores.ts"
import type { Subject, Test } from "./Subject.ts"
import * as Topics from "./Topics.ts"

/** Milliseconds after which a case is given up. */
const caseMillisMax = 60_000

const module = process.argv[2]!
const folder = mkdtempSync(join(tmpdir(), "weir-conformance-"))

/** A database of a server, under the name that the server gives itself. */
const server = async (url: string): Promise<Subject> => {
  const layer = Databases.layerServer(url)
  const asked = Effect.flatMap(Tables, (tables) => tables.query({ sql: "select version() as version", parameters: [] }))
  const version = String((await Effect.runPromise(Effect.provide(asked, layer)))[0]!.version)
  const number = /[\d.]+/.exec(version)![0]
  const name = url.startsWith("postgres") ? "Postgres" : /mariadb/i.test(version) ? "MariaDB" : "MySQL"
  return Databases.of(`${name} ${number}`, layer)
}

const given = (variable: string): ReadonlyArray<string> => {
  const value = process.env[variable] ?? ""
  return value === "" ? [] : [value]
}

const subjects = async (): Promise<ReadonlyArray<Subject>> => [
  ...Topics.embedded(folder),
  ...given("KAFKA_BROKERS").map(Topics.kafka),
  Databases.of("PGlite in a thread", Databases.layerThread(folder, module)),
  Databases.of("PGlite", layerMemory),
  ...(await Promise.all([...given("DATABASE_URL"), ...given("MYSQL_URL")].map(server))),
  Stores.memory(),
  Stores.files(folder)
]

/** What is wrong; `null` where nothing is. */
const failureOf = async ({ run }: Test): Promise<string | null> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it takes longer than ${caseMillisMax} ms`)), caseMillisMax)
  })
  return Promise.race([run(), tooLong])
    .then(
      () => null,
      (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))
    )
    .finally(() => clearTimeout(timer))
}

const runtime =
  process.versions.bun !== undefined
    ? `Bun ${process.versions.bun}`
    : process.versions.deno !== undefined
      ? `Deno ${process.versions.deno}`
      : `Node ${process.versions.node}`

let failed = 0
for (const { close, implementation, suites } of await subjects()) {
  for (const { cases, name } of suites) {
    const began = performance.now()
    const failures: Array<string> = []
    for (const one of cases) {
      const failure = await failureOf(one)
      if (failure !== null) failures.push(`  ${one.name}: ${failure.replaceAll(/\s+/g, " ")}`)
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    const passed = `${cases.length - failures.length} of ${cases.length}`
    const row = [
      runtime.padEnd(12),
      name.padEnd(11),
      implementation.padEnd(30),
      passed.padStart(8),
      seconds.padStart(6)
    ]
    process.stdout.write(`${[row.join("  "), ...failures].join("\n")}\n`)
    failed += failures.length
  }
  await close()
}
rmSync(folder, { recursive: true, force: true })
process.exit(failed === 0 ? 0 : 1)
