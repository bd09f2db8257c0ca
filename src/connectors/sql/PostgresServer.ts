/**
 * Connections to a PostgreSQL server.
 *
 * A process that stops in the middle of a transaction loses it to the server's own time bound, so that its locks are
 * free for whoever comes after it. That bound is for a server that waits for a statement, not for the values of one that
 * it has: so a transaction begins when the server knows its statements, and each goes with its values at once.
 */
import postgres from "postgres"
import type { Answer, Statement } from "../../flow/Tables.ts"
import * as Limits from "../../model/Limits.ts"
import * as Ask from "./Ask.ts"
import * as PostgresArray from "./PostgresArray.ts"
import * as PostgresParameter from "./PostgresParameter.ts"
import * as PostgresValue from "./PostgresValue.ts"
import * as ServerSession from "./ServerSession.ts"
import type { SqlSession } from "./SqlSession.ts"

export const open = (url: string, options: ServerSession.ConnectOptions): SqlSession =>
  ServerSession.make(() => connect(url, options), reasonOf)

// Connections

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

const connect = async (
  url: string,
  { bound, now }: ServerSession.ConnectOptions
): Promise<ServerSession.ServerConnection> => {
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
      return await bound(answer())
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
  const run: ServerSession.ServerConnection["run"] = async ({ parameters, sql }) => {
    const rows = await watched(() => statement(sql, parameters))
    return { rows: [...rows], count: rows.count ?? 0 }
  }
  const known = new Set<string>()
  const prepare = async ({ parameters, sql }: Statement): Promise<void> => {
    if (parameters.length === 0 || known.has(sql)) return
    try {
      await watched(() => statement(sql, parameters).describe())
      known.add(sql)
    } catch (cause) {
      // It may need what a statement before it makes.
      if (lost) throw cause
    }
  }
  const texts: Ask.TextRows = async (sql) => {
    const found = await watched(() => statement(sql, []).raw())
    const rows = found as unknown as ReadonlyArray<ReadonlyArray<Uint8Array | null>>
    return {
      columns: (found.columns ?? []).map(({ name }) => name),
      rows: rows.map((row) => row.map((value) => (value === null ? null : decoder.decode(value))))
    }
  }
  const say = (sql: string) => run({ sql, parameters: [] })
  const connection = {
    isLost: () => lost,
    close,
    run,
    begin: async (statements: ReadonlyArray<Statement>) => {
      for (const one of statements) await prepare(one)
      await say("begin")
    },
    commit: () => say("commit"),
    rollback: () => say("rollback")
  }
  return { ...connection, ask: (sql, bounds) => ask(connection, texts, sql, { ...bounds, now }) }
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

// Questions

const mayReadAll = `select exists (
  select from pg_roles where rolname = 'pg_read_all_data' and pg_has_role(oid, 'member')) as it`

/** As a role that may only read where the user has it, so that an administrator's question is no more than a question. */
const ask = async (
  connection: Omit<ServerSession.ServerConnection, "ask">,
  texts: Ask.TextRows,
  sql: string,
  { now, ...bounds }: Ask.Bounds & { readonly now: () => number }
): Promise<Answer> => {
  const say = (sql: string) => connection.run({ sql, parameters: [] })
  await say("begin read only")
  return ServerSession.orTakenBack(connection, async () => {
    // Between rows the bound is looked at; this is for a statement that does not come to its first.
    await say(`set local statement_timeout = ${bounds.millisMax + 1_000}`)
    const [reader] = (await say(mayReadAll)).rows
    if (reader?.it === true) await say("set local role pg_read_all_data")
    const answer = await Ask.ask(texts, sql, bounds, now)
    await connection.rollback()
    return answer
  })
}

// What fails

/** The class of SQLSTATE of all failures of a connection. */
const connectionFailure = "08006"

const reasonOf: ServerSession.ReasonOf = (cause) => {
  if (cause instanceof postgres.PostgresError) {
    const parts = [cause.message, cause.detail].filter((part) => part !== undefined && part !== "")
    return { code: cause.code, reason: parts.join(": ") }
  }
  return { code: connectionFailure, reason: cause instanceof Error ? cause.message : String(cause) }
}
