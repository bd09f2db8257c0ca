/** PostgreSQL, as the system has it installed. */

import { execFileSync } from "node:child_process"
import { chownSync, existsSync, readdirSync, writeFileSync } from "node:fs"
import postgres from "postgres"
import { freePort, isRoot, Missing, programOf, type Running, run, type Service, serve } from "./Service.ts"

const user = "postgres"
/** Of a server that only this machine reaches, and only while tests run. */
const password = "weir password"

/** Folders in which systems keep its programs, the newest version first. */
const folders = ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"]
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder).map((version) => `${folder}/${version}/bin`))
  .sort((left, right) => right.localeCompare(left, "en", { numeric: true }))

export interface PostgresOptions {
  /** Where it listens; absent: where nothing does. */
  readonly port?: number
  /** The signal that stops it; absent: INT, fast and in order. */
  readonly signal?: string
}

/**
 * Starts a server that keeps its data in `folder`, the data of an earlier one if it is there, with these settings; as
 * tests want it, it is fast and not durable.
 */
export const start = async (
  folder: string,
  settings: ReadonlyArray<string> = ["fsync=off"],
  options: PostgresOptions = {}
): Promise<Running> => {
  const initdb = programOf(["initdb"], folders)
  if (initdb === undefined)
    throw new Missing("no initdb was found: install PostgreSQL (Debian: apt-get install postgresql)")
  const data = `${folder}/data`
  const passwordFile = `${folder}/password`
  writeFileSync(passwordFile, password)
  if (isRoot) own(folder, passwordFile)
  const isNew = !existsSync(data)
  const authentication = ["--auth=scram-sha-256", `--pwfile=${passwordFile}`, `--username=${user}`]
  if (isNew) await run(initdb, ["-D", data, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", ...authentication], user)
  const port = options.port ?? (await freePort())
  const address = addressAt(port)
  const all = [...settings, "max_connections=200", "listen_addresses=127.0.0.1"]
  const server = await serve({
    command: initdb.replace(/initdb$/, "postgres"),
    parameters: ["-D", data, "-p", String(port), "-k", folder, ...all.flatMap((setting) => ["-c", setting])],
    user,
    signal: options.signal ?? "INT",
    log: `${folder}/log`,
    answers: () => answers(address)
  })
  return { address, stop: server.stop }
}

const addressAt = (port: number): string =>
  `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`

const answers = async (address: string): Promise<void> => {
  const sql = postgres(address, { max: 1, connect_timeout: 5 })
  await sql`select 1`.finally(() => sql.end())
}

export const service: Service = {
  name: "Postgres",
  variable: "DATABASE_URL",
  container: {
    service: "postgres",
    port: 5432,
    environment: () => ({ POSTGRES_USER: user, POSTGRES_PASSWORD: password }),
    parameters: ["-c", "fsync=off", "-c", "max_connections=200"],
    address: addressAt,
    answers
  },
  start: (folder) => start(folder)
}

/** Gives the paths to the user that the server runs as. */
const own = (...paths: ReadonlyArray<string>): void => {
  const [userId, groupId] = ["-u", "-g"].map((which) => Number(execFileSync("id", [which, user], { encoding: "utf8" })))
  for (const path of paths) chownSync(path, userId!, groupId!)
}
