/**
 * Connections to a MariaDB or MySQL server.
 *
 * A process that stops in the middle of a transaction loses it to the server's own time bound. Statements that define
 * tables are durable at once, whatever becomes of their transaction.
 */
// As a whole: not every runtime finds by name what its getters give.
import mysql, { type Connection, type FieldPacket, type TypeCastField } from "mysql2"
import type { Answer, SqlValue } from "../../flow/Tables.ts"
import * as Limits from "../../model/Limits.ts"
import type { Bounds } from "./Ask.ts"
import * as MysqlValue from "./MysqlValue.ts"
import * as ServerSession from "./ServerSession.ts"
import type { SqlSession } from "./SqlSession.ts"

export const open = (url: string, options: ServerSession.ConnectOptions): SqlSession =>
  ServerSession.make(() => connect(url, options), reasonOf)

// Connections

const seconds = (millis: number): number => Math.ceil(millis / 1000)

/** What a session says, and how long the server lets it wait and be waited for. */
const settings = [
  "set time_zone = '+00:00'",
  "set sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,ERROR_FOR_DIVISION_BY_ZERO'",
  "set session transaction isolation level read committed",
  `set innodb_lock_wait_timeout = ${seconds(Limits.lockMillisMax)}`,
  `set lock_wait_timeout = ${seconds(Limits.lockMillisMax)}`
]

/** What MariaDB bounds by itself. */
const settingsOfMariadb = [
  `set idle_transaction_timeout = ${seconds(Limits.idleTransactionMillisMax)}`,
  `set max_statement_time = ${seconds(Limits.statementMillisMax)}`
]

/** MySQL knows no bound for transactions alone: around one, it is that of all connections that wait. */
const waitOfMysql = `set wait_timeout = ${seconds(Limits.idleTransactionMillisMax)}`
const waitAsBefore = "set wait_timeout = default"

/** Statements that the server keeps ready for one connection. */
const preparedMax = 64

const connect = async (
  url: string,
  { bound, now }: ServerSession.ConnectOptions
): Promise<ServerSession.ServerConnection> => {
  let lost = false
  const driver = mysql.createConnection({
    uri: url,
    connectTimeout: Limits.connectMillisMax,
    charset: "UTF8MB4_BIN",
    timezone: "Z",
    dateStrings: true,
    jsonStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    rowsAsArray: true,
    maxPreparedStatements: preparedMax,
    flags: ["-LOCAL_FILES"],
    multipleStatements: false
  })
  const lose = (): void => {
    lost = true
  }
  driver.on("error", lose)
  driver.on("end", lose)
  const promised = driver.promise()
  const close = async (): Promise<void> => {
    lost = true
    driver.destroy()
  }
  /** Whatever is not the server's word about a statement is the end of the connection. */
  const watched = async <A>(answer: () => Promise<A>): Promise<A> => {
    if (lost) throw new Error("the connection was lost")
    try {
      return await bound(answer())
    } catch (cause) {
      if ((cause as { readonly fatal?: boolean }).fatal === true || !isServerError(cause)) lost = true
      throw cause
    }
  }
  const run: ServerSession.ServerConnection["run"] = ({ parameters, sql }) =>
    watched(async () =>
      ranOf(
        await (parameters.length === 0
          ? promised.query({ sql, typeCast })
          : promised.execute(sql, parameters.map(parameterOf) as never))
      )
    )
  const say = async (...statements: ReadonlyArray<string>): Promise<void> => {
    for (const sql of statements) await run({ sql, parameters: [] })
  }
  try {
    await promised.connect()
    await say(...settings)
    const [found] = (await run({ sql: "select version() as version", parameters: [] })).rows
    const isMariadb = /mariadb/i.test(String(found!.version))
    if (isMariadb) await say(...settingsOfMariadb)
    const before = isMariadb ? [] : [waitOfMysql]
    const behind = isMariadb ? [] : [waitAsBefore]
    return {
      isLost: () => lost,
      close,
      run,
      begin: () => say(...before, "start transaction"),
      commit: () => say("commit", ...behind),
      rollback: () => say("rollback", ...behind),
      // Whatever the question leaves behind in its session goes with it.
      ask: (sql, bounds) => bound(ask(driver, say, sql, { ...bounds, isMariadb, now })).finally(() => void close())
    }
  } catch (cause) {
    await close()
    throw cause
  }
}

/** The driver reads doubles that come as text by a sum of its own: it loses their last digit, and the sign of zero. */
const typeCast = (field: TypeCastField, next: () => unknown): unknown => {
  if (field.type !== "DOUBLE" && field.type !== "FLOAT") return next()
  const text = field.string()
  return text === null ? null : Number(text)
}

/** Numbers go as doubles, and whole ones are exact in them; what is larger goes as an integer of 64 bits. */
const parameterOf = (value: SqlValue): unknown => {
  if (typeof value === "bigint") return mysql.TypedParameter.LONGLONG(value)
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length) : value
}

const ranOf = ([found, fields]: readonly [unknown, ReadonlyArray<FieldPacket> | undefined]): ServerSession.Ran => {
  if (!Array.isArray(found) || fields === undefined)
    return { rows: [], count: (found as { readonly affectedRows?: number }).affectedRows ?? 0 }
  const readers = fields.map(MysqlValue.readerOf)
  const rows = (found as ReadonlyArray<ReadonlyArray<unknown>>).map((values) =>
    Object.fromEntries(fields.map(({ name }, i) => [name, values[i] === null ? null : readers[i]!(values[i])] as const))
  )
  return { rows, count: rows.length }
}

// Questions

interface Asking extends Bounds {
  readonly isMariadb: boolean
  readonly now: () => number
}

/** The answer as it comes, up to its bounds: the connection is closed behind it. */
const ask = async (
  driver: Connection,
  say: (...statements: ReadonlyArray<string>) => Promise<void>,
  sql: string,
  { isMariadb, now, ...bounds }: Asking
): Promise<Answer> => {
  const millisMax = bounds.millisMax + 1_000
  const timed = isMariadb ? `max_statement_time = ${millisMax / 1000}` : `max_execution_time = ${millisMax}`
  await say(`set ${timed}`, "start transaction read only")
  const deadline = now() + bounds.millisMax
  return new Promise((resolve, reject) => {
    let fields: ReadonlyArray<FieldPacket> = []
    const rows: Array<ReadonlyArray<string | null>> = []
    const answer = (truncated: boolean): void =>
      resolve({ columns: fields.map(({ name }) => name), rows: rows.slice(0, bounds.rowsMax), truncated })
    const asked = driver.query({ sql, rowsAsArray: true, typeCast: (field) => field.buffer() })
    asked.on("fields", (found: ReadonlyArray<FieldPacket> | undefined) => {
      fields = found ?? []
    })
    asked.on("result", (row: unknown) => {
      if (!Array.isArray(row)) return
      rows.push(row.map((value: Uint8Array | null, i) => MysqlValue.textOf(value, fields[i]!)))
      if (rows.length > bounds.rowsMax || now() >= deadline) {
        driver.destroy()
        answer(true)
      }
    })
    asked.on("error", reject)
    asked.on("end", () => answer(false))
  })
}

// What fails

interface ServerError {
  readonly errno: number
  readonly sqlMessage: string
}

const isServerError = (cause: unknown): cause is ServerError =>
  cause instanceof Error && "sqlState" in cause && "errno" in cause

/** The server's own number is the code: its SQLSTATE tells little. */
const reasonOf: ServerSession.ReasonOf = (cause) =>
  isServerError(cause)
    ? { code: String(cause.errno), reason: cause.sqlMessage }
    : { code: "connection", reason: cause instanceof Error ? cause.message : String(cause) }
