/** A case of the suites of tables: how it says what it expects, and the tables that it makes. */
import { Effect, type Scope } from "effect"
import { type Column, type SqlType, type Statement, Tables, type TablesService } from "../flow/Tables.ts"
import type * as Conformance from "./Case.ts"

/** A case that makes tables of its own names: many may share a database. */
export type Case = Conformance.Case<Tables>

// Saying what was expected

/** Fails with both sides unless they are equal in every bit: NaN equals NaN, 0 is not -0. */
export const expectEqual = (what: string, actual: unknown, expected: unknown): Effect.Effect<void, Error> =>
  isEqual(actual, expected)
    ? Effect.void
    : Effect.fail(new Error(`${what}: expected ${show(expected)}, found ${show(actual)}`))

export const expect = (what: string, condition: boolean): Effect.Effect<void, Error> =>
  condition ? Effect.void : Effect.fail(new Error(what))

/** The error of an effect that must fail with this tag. */
export const expectFailure = <A, R>(
  what: string,
  tag: string,
  effect: Effect.Effect<A, unknown, R>
): Effect.Effect<any, Error, R> =>
  Effect.flatMap(Effect.either(effect), (result) => {
    if (result._tag === "Right") return Effect.fail(new Error(`${what}: expected ${tag}, but it succeeded`))
    const error = result.left as { readonly _tag?: string; readonly message?: string }
    return error._tag === tag
      ? Effect.succeed(error)
      : Effect.fail(new Error(`${what}: expected ${tag}, found ${error._tag ?? ""} ${error.message ?? String(error)}`))
  })

const isEqual = (left: unknown, right: unknown): boolean => {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    return Object.is(left, right)
  }
  const names = Object.keys(left)
  return (
    Array.isArray(left) === Array.isArray(right) &&
    left instanceof Uint8Array === right instanceof Uint8Array &&
    names.length === Object.keys(right).length &&
    names.every((name) => isEqual((left as Record<string, unknown>)[name], (right as Record<string, unknown>)[name]))
  )
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "bigint") return `${part}n`
    return typeof part === "number" && (!Number.isFinite(part) || Object.is(part, -0))
      ? `number ${Object.is(part, -0) ? "-0" : part}`
      : part
  })

// Tables of a case

export const int64: SqlType = { kind: "int64" }
export const text: SqlType = { kind: "text" }
export const columnOf = (name: string, type: SqlType, nullable = false): Column => ({ name, type, nullable })

export const pair = [columnOf("id", int64), columnOf("name", text, true)]

export const remade = (
  tables: TablesService,
  table: string,
  columns: ReadonlyArray<Column>,
  key: ReadonlyArray<string>
) =>
  tables.transaction([
    { sql: `drop table if exists ${tables.dialect.quote(table)}`, parameters: [] },
    tables.dialect.createTable(table, columns, key)
  ])

export const readAll = (tables: TablesService, table: string, order: string) =>
  tables.query({
    sql: `select * from ${tables.dialect.quote(table)} order by ${tables.dialect.quote(order)}`,
    parameters: []
  })

export const insertPair = (tables: TablesService, table: string, id: bigint, name: string): Statement => ({
  sql: `insert into ${tables.dialect.quote(table)} values (${tables.dialect.parameter(1)}, ${tables.dialect.parameter(2)})`,
  parameters: [id, name]
})

export const onPair = (
  table: string,
  body: (tables: TablesService) => Effect.Effect<void, unknown, Scope.Scope>
): Effect.Effect<void, unknown, Tables | Scope.Scope> =>
  Effect.flatMap(Tables, (tables) => Effect.zipRight(remade(tables, table, pair, ["id"]), body(tables)))
