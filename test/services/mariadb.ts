/** MariaDB, as the system has it installed. */
import { existsSync, writeFileSync } from "node:fs"
import { userInfo } from "node:os"
import { createConnection } from "mysql2/promise"
import { freePort, isRoot, Missing, programOf, type Running, run, type Service, serve } from "./Service.ts"

const user = "weir"
/** Of a server that only this machine reaches, and only while tests run. */
const password = "weir password"

export interface MariadbOptions {
  /** Where it listens; absent: where nothing does. */
  readonly port?: number
  /** The signal that stops it; absent: TERM. */
  readonly signal?: string
  /** Settings of the server; absent: it is fast, and what it confirmed in the last second is gone when it is killed. */
  readonly settings?: ReadonlyArray<string>
}

/** Starts a server that keeps its data in `folder`: the data of an earlier one, if it is there. */
export const start = async (folder: string, options: MariadbOptions = {}): Promise<Running> => {
  const install = programOf(["mariadb-install-db"])
  const server = programOf(["mariadbd"])
  if (install === undefined || server === undefined)
    throw new Missing("no mariadbd was found: install MariaDB (Debian: apt-get install mariadb-server)")
  const data = `${folder}/data`
  const as = `--user=${isRoot ? "root" : userInfo().username}`
  const isNew = !existsSync(data)
  const grants = `${folder}/grants.sql`
  if (isNew) await create({ install, data, as, grants })
  const port = options.port ?? (await freePort())
  const address = addressAt(user, port)
  const running = await serve({
    command: server,
    parameters: [
      "--no-defaults",
      as,
      `--datadir=${data}`,
      `--socket=${folder}/socket`,
      `--pid-file=${folder}/pid`,
      `--port=${port}`,
      "--bind-address=127.0.0.1",
      "--skip-name-resolve",
      "--max-connections=200",
      ...(options.settings ?? ["--innodb-flush-log-at-trx-commit=0"]),
      ...(isNew ? [`--init-file=${grants}`] : [])
    ],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    log: `${folder}/log`,
    answers: () => answers(address)
  })
  return { address, stop: running.stop }
}

const addressAt = (as: string, port: number): string =>
  `mysql://${as}:${encodeURIComponent(password)}@127.0.0.1:${port}/weir`

const answers = async (address: string): Promise<void> => {
  const connection = await createConnection({ uri: address, connectTimeout: 5_000 })
  await connection.end()
}

export const service: Service = {
  name: "MariaDB",
  variable: "MYSQL_URL",
  container: {
    service: "mariadb",
    port: 3306,
    environment: () => ({ MARIADB_ROOT_PASSWORD: password, MARIADB_DATABASE: "weir" }),
    parameters: ["--max-connections=200", "--innodb-flush-log-at-trx-commit=0"],
    address: (port) => addressAt("root", port),
    answers
  },
  start: (folder) => start(folder)
}

// Private

interface Creation {
  readonly install: string
  readonly data: string
  readonly as: string
  readonly grants: string
}

const create = async ({ as, data, grants, install }: Creation): Promise<void> => {
  await run(install, [
    "--no-defaults",
    `--datadir=${data}`,
    as,
    "--auth-root-authentication-method=normal",
    "--skip-test-db"
  ])
  writeFileSync(
    grants,
    [
      "create database weir",
      `create user ${user}@'%' identified by '${password}'`,
      `grant all on *.* to ${user}@'%' with grant option`
    ]
      .join(";\n")
      .concat(";\n")
  )
}
