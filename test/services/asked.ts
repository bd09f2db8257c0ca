/** What a file of tests asks for: a server, or a database of its own on one. */
import { randomUUID } from "node:crypto"
import { createConnection } from "mysql2/promise"
import postgres from "postgres"
import { inject } from "vitest"
import type { Found, ServiceName } from "./Services.ts"

/** The address of the server; with `WEIR_REQUIRE_SERVICES=1` a missing one fails the file. */
export const ask = async (name: ServiceName): Promise<Found> => {
  const found = (await (await fetch(`${inject("services")}/${name}`)).json()) as Found
  if ("missing" in found && process.env.WEIR_REQUIRE_SERVICES === "1")
    throw new Error(`WEIR_REQUIRE_SERVICES is set, and ${name} is missing: ${found.missing}`)
  return found
}

/** An empty database on the server. */
export interface Database {
  readonly url: string
  readonly drop: () => Promise<void>
}

/** A database for one file of tests; `null` where the server is missing. */
export const database = async (name: "postgres" | "mariadb"): Promise<Database | null> => {
  const found = await ask(name)
  if ("missing" in found) return null
  const database = `weir_test_${randomUUID().slice(0, 8)}`
  const url = new URL(found.address)
  url.pathname = `/${database}`
  const execute = name === "postgres" ? onPostgres(found.address) : onMysql(found.address)
  await execute(`create database ${database}`)
  const drop = name === "postgres" ? `drop database ${database} with (force)` : `drop database ${database}`
  return { url: url.href, drop: () => execute(drop) }
}

const onPostgres = (address: string) => async (sql: string) => {
  const client = postgres(address, { max: 1, onnotice: () => {} })
  await client.unsafe(sql).finally(() => client.end())
}

const onMysql = (address: string) => async (sql: string) => {
  const connection = await createConnection(address)
  await connection.query(sql).finally(() => connection.end())
}
