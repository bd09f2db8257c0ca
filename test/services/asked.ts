/** What a file of tests asks for: a server, or a database of its own on one. */
import { inject } from "vitest"
import * as Database from "./Database.ts"
import type { Found, ServiceName } from "./Services.ts"

/** The address of the server; with `WEIR_REQUIRE_SERVICES=1` a missing one fails the file. */
export const ask = async (name: ServiceName): Promise<Found> => {
  const found = (await (await fetch(`${inject("services")}/${name}`)).json()) as Found
  if ("missing" in found && process.env.WEIR_REQUIRE_SERVICES === "1")
    throw new Error(`WEIR_REQUIRE_SERVICES is set, and ${name} is missing: ${found.missing}`)
  return found
}

/** A database for one file of tests; `null` where the server is missing. */
export const database = async (name: "postgres" | "mariadb"): Promise<Database.Database | null> => {
  const found = await ask(name)
  return "missing" in found ? null : Database.make(found.address)
}
