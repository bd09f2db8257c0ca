/** The databases that suites of tables run on: the embedded one, and those of servers that are there. */
import { Layer } from "effect"
import { afterAll } from "vitest"
import { layerMemory, layerMysql, layerPostgres } from "../../src/connectors/sql/index.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import { database } from "./asked.ts"

export interface Tested {
  readonly name: string
  /** Is its server there? */
  readonly isThere: boolean
  readonly layer: Layer.Layer<Tables, unknown>
  /** Of a server's database. */
  readonly url?: string
}

/** Asked for at the head of a file of tests; each server's database is of that file alone, and dropped after it. */
export const databases = async (): Promise<ReadonlyArray<Tested>> => {
  const servers = [
    { name: "Postgres", service: "postgres", layer: layerPostgres },
    { name: "MariaDB", service: "mariadb", layer: layerMysql }
  ] as const
  const found = await Promise.all(
    servers.map(async ({ layer, name, service }): Promise<Tested> => {
      const own = await database(service)
      afterAll(() => own?.drop())
      if (own === null) return { name, isThere: false, layer: Layer.die(`no ${name}`) }
      return { name, isThere: true, layer: layer({ url: own.url }), url: own.url }
    })
  )
  return [{ name: "the embedded database", isThere: true, layer: layerMemory }, ...found]
}
