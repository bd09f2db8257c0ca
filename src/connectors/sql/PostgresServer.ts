/**
 * Sessions of a PostgreSQL server, over a few connections.
 *
 * A connection that is lost is never used again, and nothing is sent on another one for it: what was under way has an
 * unknown outcome. A process that stops in the middle of a transaction loses it to the server's own time bound, so
 * that its locks are free for whoever comes after it.
 */
import postgres from "postgres"
import type { Answer, Statement } from "../../flow/Tables.ts"
import * as Limits from "../../model/Limits.ts"
import * as Ask from "./Ask.ts"
import * as ConnectionPool from "./ConnectionPool.ts"
import * as PostgresArray from "./PostgresArray.ts"
import * as PostgresParameter from "./PostgresParameter.ts"
import * as PostgresValue from "./PostgresValue.ts"
import type { Failure, Outcome, SqlSession, StatementFailure } from "./SqlSession.ts"

export interface ServerOptions {
  readonly url: string
  /** Milliseconds of any clock. */
  readonly now: () => number
}

/** Nothing is sent before the first statement. */
export const open = ({ now, url }: ServerOptions): SqlSession => {
  const pool = ConnectionPool.make(() => connect(url), Limits.tablesConnectionsMax)
  return {
    query: ({ parameters, sql }) =>
      attempt(
        () => sql,
        () => pool.use(async (connection) => [...(await connection.run({ parameters, sql }))])
      ),
    transaction: (statements) => transaction(pool, statements),
    ask: (sql, bounds) =>
      attempt(
        () => sql,
        () => pool.use((connection) => ask(connection, sql, bounds, now))
      ),
    close: pool.close
  }
}

// Connections

interface Connection extends ConnectionPool.PooledConnection {
  readonly run: (statement: Statement) => Promise<Result>
  readonly texts: Ask.TextRows
}

type Result = postgres.RowList<Array<postgres.Row>>

/** What a session says, and how long the server lets it wait and be waited for. */
const settings = [
  "set timezone = 'UTC'",
  "set datestyle = 'ISO'",
  "set bytea_output = 'hex'",
  "set extra_float_digits = 1",
  `set statement_timeout = ${Limits.statementMillisMax}`,
  `set lock_timeout = ${Limits.lockMillisMax}`,
  `set idle_in_transaction_session_timeout = ${Limits.idleTransactionMillisMax}`
].join("; ")

const connect = async (url: string): Promise<Connection> => {
  let lost = false
  const client = postgres(url, {
    max: 1,
    fetch_types: false,
    idle_timeout: null as never,
    max_lifetime: null,
    connect_timeout: Limits.connectMillisMax / 1000,
    connection: { application_name: "weir" },
    onnotice: () => {},
    onclose: () => {
      lost = true
    },
    types
  })
  const close = async (): Promise<void> => {
    lost = true
    await client.end({ timeout: 0 })
  }
  /** Whatever is not the server's word about a statement is the end of the connection. */
  const watched = async <A>(answer: () => Promise<A>): Promise<A> => {
    // The driver would connect again by itself: what follows would not be in the transaction.
    if (lost) throw new Error("the connection was lost")
    try {
      return await answer()
    } catch (cause) {
      if (!(cause instanceof postgres.PostgresError)) lost = true
      throw cause
    }
  }
  const statement = (sql: string, parameters: Statement["parameters"]) =>
    client.unsafe(
      sql,
      parameters.map((value) => (value === null ? null : client.typed(value as never, 0))),
      { prepare: parameters.length > 0, simple: false } as never
    )
  try {
    await watched(() => client.unsafe(settings))
  } catch (cause) {
    await close()
    throw cause
  }
  return {
    isLost: () => lost,
    close,
    run: ({ parameters, sql }) => watched(() => statement(sql, parameters)),
    texts: async (sql) => {
      const found = await watched(() => statement(sql, []).raw())
      const rows = found as unknown as ReadonlyArray<ReadonlyArray<Uint8Array | null>>
      return {
        columns: (found.columns ?? []).map(({ name }) => name),
        rows: rows.map((row) => row.map((value) => (value === null ? null : decoder.decode(value))))
      }
    }
  }
}

const decoder = new TextDecoder()

const asText = (text: string): string => text
/** By object id of the type. */
const scalars: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === "t",
  21: Number,
  23: Number,
  ...PostgresValue.parsers
}
const parserOf = (type: number): ((text: string) => unknown) => {
  const element = PostgresParameter.elementOf[type]
  return element === undefined ? (scalars[type] ?? asText) : PostgresArray.parser(scalars[element] ?? asText)
}

/** The driver asks by the type of a parameter, as the server has found it, and of a column. */
const types = Object.fromEntries(
  PostgresParameter.types.map((type) => [
    String(type),
    {
      to: type,
      from: [type],
      serialize: (value: unknown) =>
        PostgresParameter.text(type, value as Exclude<Statement["parameters"][number], null>),
      parse: parserOf(type)
    }
  ])
) as unknown as Record<string, postgres.PostgresType>

// Transactions

const transaction = async (
  pool: ConnectionPool.ConnectionPool<Connection>,
  statements: ReadonlyArray<Statement>
): Promise<Outcome<ReadonlyArray<number>, Failure>> => {
  let running = "begin"
  const outcome = await attempt(
    () => running,
    () =>
      pool.use((connection) =>
        within(connection, "begin", async (): Promise<Outcome<ReadonlyArray<number>, Failure>> => {
          const counts: Array<number> = []
          for (const [statement, one] of statements.entries()) {
            running = one.sql
            const found = (await connection.run(one)).count ?? 0
            if (one.rowsExpected !== undefined && one.rowsExpected !== found) {
              await connection.run(rollback)
              return { failure: { kind: "rows", statement, expected: one.rowsExpected, found } }
            }
            counts.push(found)
          }
          running = "commit"
          await connection.run(commit)
          return { value: counts }
        })
      )
  )
  return "failure" in outcome ? outcome : outcome.value
}

const commit: Statement = { sql: "commit", parameters: [] }
const rollback: Statement = { sql: "rollback", parameters: [] }

/** A transaction that the body ends; taken back where the body rejects and the connection still lives. */
const within = async <A>(connection: Connection, begin: string, body: () => Promise<A>): Promise<A> => {
  await connection.run({ sql: begin, parameters: [] })
  try {
    return await body()
  } catch (cause) {
    // A connection on which this fails is lost: the server takes the transaction back.
    if (!connection.isLost()) await connection.run(rollback).catch(() => connection.close())
    throw cause
  }
}

// Questions

const mayReadAll = `select exists (
  select from pg_roles where rolname = 'pg_read_all_data' and pg_has_role(oid, 'member')) as it`

/** As a role that may only read where the user has it, so that an administrator's question is no more than a question. */
const ask = (connection: Connection, sql: string, bounds: Ask.Bounds, now: () => number): Promise<Answer> =>
  within(connection, "begin read only", async () => {
    // Between rows the bound is looked at; this is for a statement that does not come to its first.
    await connection.run({ sql: `set local statement_timeout = ${bounds.millisMax + 1_000}`, parameters: [] })
    const [reader] = await connection.run({ sql: mayReadAll, parameters: [] })
    if (reader?.it === true) await connection.run({ sql: "set local role pg_read_all_data", parameters: [] })
    const answer = await Ask.ask(connection.texts, sql, bounds, now)
    await connection.run(rollback)
    return answer
  })

// What fails

const attempt = async <A>(running: () => string, body: () => Promise<A>): Promise<Outcome<A>> => {
  try {
    return { value: await body() }
  } catch (cause) {
    return { failure: failureOf(running(), cause) }
  }
}

/** The class of SQLSTATE of all failures of a connection. */
const connectionFailure = "08006"

const failureOf = (sql: string, cause: unknown): StatementFailure => {
  if (cause instanceof postgres.PostgresError) {
    const reason = [cause.message, cause.detail].filter((part) => part !== undefined && part !== "").join(": ")
    return { kind: "statement", sql, code: cause.code, reason, broken: false }
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  return { kind: "statement", sql, code: connectionFailure, reason, broken: false }
}
