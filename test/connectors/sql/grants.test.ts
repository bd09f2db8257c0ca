/** The grants of `deploy/`, given to a user of their own: the job of orders needs all of them, and nothing more. */
import { randomUUID } from "node:crypto"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { createConnection } from "mysql2/promise"
import postgres from "postgres"
import { afterAll, describe, expect, it } from "vitest"
import { inProcess } from "../../cli/in-process.ts"
import { newFolder, root } from "../../cli/program.ts"
import { ask } from "../../services/asked.ts"
import { isThorough } from "../../Thorough.ts"

const password = "it's a \\ password"
const readerPassword = "another"

/** 200 orders of one minute: five shops, whole numbers of cents. */
const orders = Array.from({ length: 200 }, (_, i) => ({ shop: i % 5, cents: 100 + 7 * i, count: 1 + (i % 3) }))
const lines = orders.map(({ cents, count, shop }, i) =>
  JSON.stringify({
    orderid: i,
    region: "TW",
    shopid: shop,
    itemid: 1,
    price: cents / 100,
    count,
    timestamp: 1_537_514_400 + (i % 50)
  })
)
const expected = [0, 1, 2, 3, 4].map((shop) => {
  const own = orders.filter((order) => order.shop === shop)
  return [shop, own.reduce((sum, { cents }) => sum + cents, 0), own.reduce((sum, { count }) => sum + count, 0)].join(
    ","
  )
})
const asked = "select shopid, gross_income * 100, total_items from shop_item_income order by shopid"

interface Person {
  readonly run: (sql: string) => Promise<unknown>
}

interface Granted {
  readonly url: string
  readonly reader: Person
  readonly administrator: Person
  /** Takes a right back. */
  readonly remove: () => Promise<void>
}

/** A file of grants for other names, so that files of tests do not meet. */
const grantsOf = (server: string, name: string): string =>
  readFileSync(join(root, `deploy/${server}/grants.sql`), "utf8").replaceAll(/\bweir(?=_reader\b|\b(?!_))/g, name)

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const onPostgres = async (address: string, name: string): Promise<Granted> => {
  const person = (url: URL): Person => ({
    run: async (sql) => {
      const client = postgres(url.href, { max: 1, onnotice: () => {} })
      return await client.unsafe(sql).finally(() => client.end())
    }
  })
  const server = person(new URL(address))
  await server.run(`create database ${name}`)
  const url = (user: string, secret: string): URL => {
    const made = new URL(address)
    made.pathname = `/${name}`
    made.username = user
    made.password = encodeURIComponent(secret)
    return made
  }
  const own = new URL(address)
  own.pathname = `/${name}`
  const administrator = person(own)
  await administrator.run(
    grantsOf("postgres", name)
      .replaceAll(":'weir_password'", quoted(password))
      .replaceAll(":'reader_password'", quoted(readerPassword))
      .replaceAll(':"DBNAME"', name)
  )
  return {
    url: url(name, password).href,
    reader: person(url(`${name}_reader`, readerPassword)),
    administrator,
    remove: async () => {
      await server.run(`drop database ${name} with (force)`)
      await server.run(`drop role ${name}, ${name}_reader`)
    }
  }
}

const onMariadb = async (address: string, name: string, without = ""): Promise<Granted> => {
  const person = (url: URL): Person => ({
    run: async (sql) => {
      const connection = await createConnection({ uri: url.href, multipleStatements: true })
      return await connection.query(sql).finally(() => connection.end())
    }
  })
  const url = (user: string, secret: string): URL => {
    const made = new URL(address)
    made.pathname = `/${name}`
    made.username = user
    made.password = encodeURIComponent(secret)
    return made
  }
  const administrator = person(new URL(address))
  const passwords = `set @weir_password = '${password.replaceAll(/['\\]/g, "\\$&")}', @reader_password = '${readerPassword}';`
  const grants = grantsOf("mariadb", name)
  await administrator.run(
    passwords +
      (without === "" ? grants : grants.replace(new RegExp(`(grant .*?)(?:\\b${without}, |, ${without}(?= on))`), "$1"))
  )
  return {
    url: url(name, password).href,
    reader: person(url(`${name}_reader`, readerPassword)),
    administrator,
    remove: async () => {
      await administrator.run(`drop database ${name}; drop user ${name}, ${name}_reader`)
    }
  }
}

const makers = { postgres: onPostgres, mariadb: onMariadb }
const newName = (): string => `weir_test_${randomUUID().slice(0, 8)}`

/** All that a person does with a job's tables; stops at the first word that fails. */
const use = async (url: string) => {
  const data = newFolder()
  const say = (words: ReadonlyArray<string>, input = "") =>
    inProcess(words, { environment: { WEIR_DATA: data, DATABASE_URL: url }, input })
  try {
    for (const [words, input] of [
      [["produce", "orders"], lines.slice(0, 100).join("\n")],
      [["run", "orders", "--available-now"]],
      [["produce", "orders"], lines.slice(100).join("\n")],
      [["run", "orders", "--available-now"]],
      [["savepoint", "orders", "kept"]],
      [["query", "select 1 from agg_order_minute"]]
    ] as ReadonlyArray<[ReadonlyArray<string>, string?]>) {
      const ended = await say(words, input)
      if (ended.code !== 0) return { failed: `${words.join(" ")}: ${ended.err}`, rows: [] }
    }
    const { out } = await say(["query", "--format", "csv", asked])
    const reset = await say(["reset", "orders", "--tables", "--yes"])
    return {
      failed: reset.code === 0 ? null : reset.err,
      rows: out
        .trim()
        .split("\n")
        .slice(1)
        .map((row) => row.replaceAll(/\.0+(?=,)/g, ""))
    }
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
}

for (const server of ["postgres", "mariadb"] as const) {
  const found = await ask(server)
  describe.skipIf("missing" in found)(`A user with the grants for ${server}`, { timeout: 60_000 }, () => {
    const address = "address" in found ? found.address : ""
    const removals: Array<() => Promise<void>> = []
    afterAll(async () => {
      for (const remove of removals) await remove()
    })
    const grant = async (without?: string) => {
      const granted = await makers[server](address, newName(), without)
      removals.push(granted.remove)
      return granted
    }

    it("runs orders, saves and resets it, and may not make anything elsewhere", async () => {
      const { administrator, reader, url } = await grant()
      expect(await use(url)).toEqual({ failed: null, rows: expected })
      const data = newFolder()
      const elsewhere = new URL(url)
      if (server === "mariadb") elsewhere.pathname = "/mysql"
      else elsewhere.search = "?options=-csearch_path%3Dpublic"
      const refused = await inProcess(["run", "orders", "--available-now"], {
        environment: { WEIR_DATA: data, DATABASE_URL: elsewhere.href }
      })
      rmSync(data, { recursive: true, force: true })
      expect(refused.code, refused.err).toBeGreaterThan(0)
      expect(refused.err).toMatch(/denied|permission/i)
      await expect(reader.run("select * from shop_item_income")).resolves.toBeDefined()
      for (const sql of ["delete from shop_item_income", "create table own (a int)", "drop table shop_item_income"])
        await expect(reader.run(sql), sql).rejects.toThrow(/denied|permission|read-only|must be owner/)
      await expect(administrator.run("select 1")).resolves.toBeDefined()
    })

    it
      .skipIf(server !== "mariadb" || !isThorough)
      .each(["select", "insert", "update", "delete", "create", "drop", "create view"])(
      "and each of them is needed: %s",
      async (right) => {
        const { url } = await grant(right)
        const { failed } = await use(url)
        expect(failed).toMatch(/denied|permission/i)
      }
    )
  })
}
