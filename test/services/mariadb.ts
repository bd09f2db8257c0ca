/** MariaDB, as the system has it installed. */
import { writeFileSync } from "node:fs"
import { userInfo } from "node:os"
import { createConnection } from "mysql2/promise"
import { freePort, isRoot, Missing, programOf, run, type Service, serve } from "./Service.ts"

const user = "weir"
/** Of a server that only this machine reaches, and only while tests run. */
const password = "weir password"

export const service: Service = {
  name: "MariaDB",
  variable: "MYSQL_URL",
  start: async (folder) => {
    const install = programOf(["mariadb-install-db"])
    const server = programOf(["mariadbd"])
    if (install === undefined || server === undefined)
      throw new Missing("no mariadbd was found: install MariaDB (Debian: apt-get install mariadb-server)")
    const data = `${folder}/data`
    const as = `--user=${isRoot ? "root" : userInfo().username}`
    await run(install, [
      "--no-defaults",
      `--datadir=${data}`,
      as,
      "--auth-root-authentication-method=normal",
      "--skip-test-db"
    ])
    const grants = `${folder}/grants.sql`
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
    const port = await freePort()
    const address = `mysql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/weir`
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
        "--innodb-flush-log-at-trx-commit=0",
        `--init-file=${grants}`
      ],
      log: `${folder}/log`,
      answers: async () => {
        const connection = await createConnection({ uri: address, connectTimeout: 5_000 })
        await connection.end()
      }
    })
    return { address, stop: running.stop }
  }
}
