/**
 * Sessions of a database server, over a few connections.
 *
 * A connection that is lost is never used again, and nothing is sent on another one for it: what was under way has an
 * unknown outcome.
 */
import type { Answer, Statement } from "../../flow/Tables.ts"
import * as Limits from "../../model/Limits.ts"
import type { AnswerBound } from "./AnswerBound.ts"
import type { Bounds } from "./Ask.ts"
import * as ConnectionPool from "./ConnectionPool.ts"
import type { Failure, Outcome, Row, SqlSession, StatementFailure } from "./SqlSession.ts"

/** What a driver makes of one connection. Each rejects with what the driver says. */
export interface ServerConnection extends ConnectionPool.PooledConnection {
  readonly run: (statement: Statement) => Promise<Ran>
  /** Before the statements of a transaction: from here on the server bounds how long it waits for the next one. */
  readonly begin: (statements: ReadonlyArray<Statement>) => Promise<unknown>
  /** Behind them. */
  readonly commit: () => Promise<unknown>
  readonly rollback: () => Promise<unknown>
  /** In a transaction that may only read, and is taken back. */
  readonly ask: (sql: string, bounds: Bounds) => Promise<Answer>
}

export interface ConnectOptions {
  /** Milliseconds of any clock. */
  readonly now: () => number
  /** Each statement is answered in time, or its connection is given up. */
  readonly bound: AnswerBound
}

export interface Ran {
  readonly rows: ReadonlyArray<Row>
  /** Rows that it found or wrote. */
  readonly count: number
}

/** A failure of a driver, as the code and the reason of a failed statement. */
export type ReasonOf = (cause: unknown) => Pick<StatementFailure, "code" | "reason">

/** Nothing is sent before the first statement. */
export const make = (connect: () => Promise<ServerConnection>, reasonOf: ReasonOf): SqlSession => {
  const pool = ConnectionPool.make(connect, Limits.tablesConnectionsMax)
  const attempt: Attempt = async (running, body) => {
    try {
      return { value: await pool.use(body) }
    } catch (cause) {
      return { failure: { kind: "statement", sql: running(), ...reasonOf(cause), broken: false } }
    }
  }
  return {
    query: (statement) =>
      attempt(
        () => statement.sql,
        async (connection) => (await connection.run(statement)).rows
      ),
    transaction: (statements) => transaction(attempt, statements),
    ask: (sql, bounds) =>
      attempt(
        () => sql,
        (connection) => connection.ask(sql, bounds)
      ),
    close: pool.close
  }
}

type Attempt = <A>(running: () => string, body: (connection: ServerConnection) => Promise<A>) => Promise<Outcome<A>>

const transaction = async (
  attempt: Attempt,
  statements: ReadonlyArray<Statement>
): Promise<Outcome<ReadonlyArray<number>, Failure>> => {
  let running = "begin"
  const outcome = await attempt(
    () => running,
    async (connection): Promise<Outcome<ReadonlyArray<number>, Failure>> => {
      await connection.begin(statements)
      return orTakenBack(connection, async () => {
        const counts: Array<number> = []
        for (const [statement, one] of statements.entries()) {
          running = one.sql
          const { count } = await connection.run(one)
          if (one.rowsExpected !== undefined && one.rowsExpected !== count) {
            await connection.rollback()
            return { failure: { kind: "rows", statement, expected: one.rowsExpected, found: count } }
          }
          counts.push(count)
        }
        running = "commit"
        await connection.commit()
        return { value: counts }
      })
    }
  )
  return "failure" in outcome ? outcome : outcome.value
}

/** Takes the transaction back where the body rejects and the connection still lives: of a lost one the server does. */
export const orTakenBack = async <A>(
  connection: Pick<ServerConnection, "isLost" | "rollback" | "close">,
  body: () => Promise<A>
): Promise<A> => {
  try {
    return await body()
  } catch (cause) {
    if (!connection.isLost()) await connection.rollback().catch(() => connection.close())
    throw cause
  }
}
