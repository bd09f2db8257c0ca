import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll, expect } from "vitest"
import * as SqlClient from "../../src/connectors/sql/SqlClient.ts"
import { Tables } from "../../src/flow/Tables.ts"

const root = mkdtempSync(join(tmpdir(), "weir-sql-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const within = <A, E>(folder: string, body: Effect.Effect<A, E, Tables>) =>
  body.pipe(Effect.provide(SqlClient.layerPGlite({ folder })), Effect.provide(NodeContext.layer))

const count = Effect.flatMap(Tables, (tables) =>
  tables.query({ sql: "select count(*) as rows, sum(n) as total from kept", parameters: [] })
)

const namesIn = (path: string): ReadonlyArray<string> => (statSync(path).isDirectory() ? readdirSync(path) : [path])

/** Writes rows in transactions of two, prints each when it is done, and is killed in the middle. */
const writer = (folder: string): string => `
  const { PGlite } = await import("@electric-sql/pglite")
  const session = await PGlite.create(${JSON.stringify(folder)})
  await session.exec("create table kept (n bigint primary key)")
  for (let n = 0; ; n += 2) {
    await session.transaction(async (held) => {
      await held.query("insert into kept values ($1)", [n])
      await held.query("insert into kept values ($1)", [n + 1])
    })
    process.stdout.write(String(n + 1) + "\\n")
  }`

/** The last row that the killed process was told is there. */
const killedWriter = (folder: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", writer(folder)], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    let printed = ""
    let complaints = ""
    child.stderr.on("data", (text) => (complaints += text))
    child.stdout.on("data", (text) => {
      printed += text
      if (printed.split("\n").length > 200) child.kill("SIGKILL")
    })
    child.on("close", (_, signal) => {
      if (signal === "SIGKILL") resolve(Number(printed.split("\n").at(-2)))
      else reject(new Error(`the writer ended by itself: ${complaints}`))
    })
  })

describe("the embedded database in a folder", () => {
  it.effect(
    "makes the folder, keeps its rows, and is known by the folder's name",
    () =>
      Effect.gen(function* () {
        const folder = join(root, "made", "deep", "postgres")
        const identity = yield* within(
          folder,
          Effect.gen(function* () {
            const tables = yield* Tables
            yield* tables.transaction([
              { sql: "create table kept (n bigint primary key)", parameters: [] },
              { sql: "insert into kept values ($1)", parameters: [2n ** 60n] }
            ])
            return tables.identity
          })
        )
        expect(identity).toBe(`pglite:${folder}`)
        expect(yield* within(folder, count)).toEqual([{ rows: "1", total: String(2n ** 60n) }])
      }),
    60_000
  )

  it.effect(
    "opens what a killed process left, with every row that it was told is there and no half transaction",
    () =>
      Effect.gen(function* () {
        const folder = join(root, "killed")
        const last = yield* Effect.promise(() => killedWriter(folder))
        expect(last).toBeGreaterThan(100)
        const [found] = yield* within(folder, count)
        const rows = Number(found!.rows)
        expect(rows).toBeGreaterThanOrEqual(last + 1)
        expect(rows % 2).toBe(0)
        expect(Number(found!.total)).toBe((rows * (rows - 1)) / 2)
      }),
    60_000
  )

  const unopened: ReadonlyArray<{
    readonly what: string
    readonly make: (folder: string) => void
    readonly why: RegExp
  }> = [
    { what: "a file", make: (folder) => writeFileSync(folder, "x"), why: /cannot be opened/ },
    {
      what: "a folder of other files",
      make: (folder) => {
        mkdirSync(folder)
        writeFileSync(join(folder, "letters.txt"), "x")
      },
      why: /holds other files and no database/
    },
    {
      what: "a database of another version",
      make: (folder) => {
        mkdirSync(folder)
        writeFileSync(join(folder, "PG_VERSION"), "17\n")
      },
      why: /PostgreSQL 17/
    }
  ]
  for (const { make, what, why } of unopened) {
    it.effect(`does not open ${what}, says why, and leaves it alone`, () =>
      Effect.gen(function* () {
        const folder = join(root, what.replaceAll(" ", "-"))
        make(folder)
        const before = namesIn(folder)
        const error = yield* Effect.flip(within(folder, count))
        expect(error._tag).toBe("StorageFailed")
        expect(error.message).toMatch(why)
        expect(error.message).toContain(folder)
        expect(namesIn(folder)).toEqual(before)
      })
    )
  }

  it.live(
    "lets timers run between the statements of a large transaction",
    () =>
      Effect.gen(function* () {
        const tables = yield* Tables
        const { dialect } = tables
        const columns = [{ name: "n", type: { kind: "int64" }, nullable: false }] as const
        yield* tables.transaction([dialect.createTable("large", columns, ["n"])])
        const part = (i: number) => Array.from({ length: 5_000 }, (_, n) => BigInt(i * 5_000 + n))
        const statements = [0, 1, 2, 3, 4].flatMap((i) => dialect.upsert("large", columns, ["n"], [part(i)]))
        let ticks = 0
        const ticking = setInterval(() => ticks++, 0)
        yield* Effect.ensuring(
          tables.transaction(statements),
          Effect.sync(() => clearInterval(ticking))
        )
        expect(ticks).toBeGreaterThanOrEqual(4)
      }).pipe(Effect.provide(SqlClient.layerMemory)),
    60_000
  )
})
