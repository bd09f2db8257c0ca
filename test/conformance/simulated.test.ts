/** The database of simulated worlds: what it says must be what a real one says. */
import { Effect, Layer } from "effect"
import { expect, it } from "vitest"
import { Tables } from "../../src/flow/Tables.ts"
import * as SinkSuite from "../../src/testing/SinkSuite.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"
import * as Database from "../../src/testing/simulation/Database.ts"
import * as TablesServer from "../../src/testing/simulation/TablesServer.ts"
import * as TablesSuite from "../../src/testing/TablesSuite.ts"
import * as SqlPlace from "./SqlPlace.ts"
import * as Subject from "./Subject.ts"
import { tested } from "./tested.ts"

/** What SQLite does otherwise than servers do, and no job sees: a job neither asks nor counts on any of it. */
const otherwise = [
  // Questions of a user, in the words of his database; `weir query` does not reach a simulated world.
  "a question is answered as text, and cut at its bound of rows",
  "a question answers values of every type as text",
  "a question cannot write, in one statement or in several",
  "a question that takes too long is cut off between rows",
  // It asks for a sum, whose type SQLite does not declare.
  "more rows than a statement takes are written by several",
  // Columns hold values of any type, and a world has no table from before.
  "a table that cannot hold the rows is refused, and told apart column by column",
  "what the hint of a mismatch says mends the table",
  "views are made with the table, and made anew at each start",
  // Names of any length; those of tables that differ in case only are one.
  "a name that the database would cut off or cannot write is refused, and why is said",
  "tables whose names differ in case only are two"
]
const applicable = <C extends { readonly name: string }>(cases: ReadonlyArray<C>): ReadonlyArray<C> =>
  cases.filter(({ name }) => !otherwise.includes(name))

const makeDatabase = await Database.load()
const layer = Layer.unwrapEffect(Effect.sync(() => TablesServer.layerAt(makeDatabase())))
/** A database of its own for each case. */
const place = Effect.map(
  Effect.flatten(Effect.sync(() => Effect.provide(Tables, TablesServer.layerAt(makeDatabase())))),
  SqlPlace.of
)

tested(
  Subject.make("the database of simulated worlds", layer, {
    tables: applicable(TablesSuite.cases()),
    sinks: applicable(SinkSuite.cases()),
    checkpoints: StoreSuite.cases({ place, tables: true, damage: true })
  })
)

it("differs from servers in cases that there are", () => {
  const names = [...TablesSuite.cases(), ...SinkSuite.cases()].map(({ name }) => name)
  expect(otherwise.filter((name) => !names.includes(name))).toEqual([])
})
