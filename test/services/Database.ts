/** A database of one's own on a server. */
import { randomUUID } from "node:crypto"
import { createConnection } from "mysql2/promise"
import postgres from "postgres"

export interface Database {
  readonly url: string
  readonly drop: () => Promise<void>
}

/** An empty database on the server of this address. */
export const make = async (server: string): Promise<Database> => {
  const isPostgres = server.startsWith("postgres")
  const database = `weir_test_${randomUUID().slice(0, 8)}`
  const url = new URL(server)
  url.pathname = `/${database}`
  const execute = isPostgres ? onPostgres(server) : onMysql(server)
  await execute(`create database ${database}`)
  const drop = isPostgres ? `drop database ${database} with (force)` : `drop database ${database}`
  return { url: url.href, drop: () => execute(drop) }
}

const onPostgres = (server: string) => async (sql: string) => {
  const client = postgres(server, { max: 1, onnotice: () => {} })
  await client.unsafe(sql).finally(() => client.end())
}

const onMysql = (server: string) => async (sql: string) => {
  const connection = await createConnection(server)
  await connection.query(sql).finally(() => connection.end())
}
