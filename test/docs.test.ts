/** The pages say what is there: their code is the code, their tables are the tables, their job runs. */
import { execFile } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Either } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { generator, type OrderRecord, type OrdersValues, orders } from "../fixtures/orders.ts"
import { commands } from "../src/cli/Commands.ts"
import { settings } from "../src/cli/Configuration.ts"
import * as Drawing from "../src/cli/Drawing.ts"
import * as ProjectTemplate from "../src/cli/ProjectTemplate.ts"
import type { Job } from "../src/flow/Job.ts"
import type { Parameters } from "../src/flow/Parameter.ts"
import { newFolder, root, weir } from "./cli/program.ts"

const pages = [
  "README.md",
  "docs/first-job.md",
  "docs/guide.md",
  "docs/testing-your-job.md",
  "docs/comparison.md",
  "docs/operators.md",
  "docs/guarantees.md",
  "docs/dependencies.md",
  "docs/kafka.md",
  "docs/operating.md",
  "docs/production.md",
  "docs/metrics.md",
  "actors/README.md"
]
const textOf = (file: string): string => readFileSync(join(root, file), "utf8")

/** The code blocks of a language, as they stand. */
const blocksOf = (page: string, language: string): ReadonlyArray<string> =>
  [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, name]) => name === language).map(([, , block]) => block!)

const indented = (block: string, by: number): string => block.replaceAll(/^(?=.)/gm, " ".repeat(by))

/** The cells of the rows of the table below a heading; the text of a code span in each first cell. */
const rowsBelow = (page: string, heading: string): ReadonlyArray<ReadonlyArray<string>> =>
  page
    .split(`\n## ${heading}\n`)[1]!
    .split("\n## ")[0]!
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim())
    )

const spanOf = (cell: string): string => /^`([^`]*)`/.exec(cell)?.[1] ?? cell

describe("the pages", () => {
  it("quote the job of orders as it is", () => {
    const [quoted] = blocksOf(textOf("README.md"), "ts")
    expect(quoted!.split("\n").length).toBeLessThan(30)
    expect(textOf("actors/orders.ts")).toContain(indented(quoted!, 4))
  })

  it("list every command that there is, and no other", () => {
    const known = commands.map(({ name }) => name)
    const listed = rowsBelow(textOf("README.md"), "Commands").map(([cell]) => {
      const words = spanOf(cell!)
      return known
        .filter((name) => words === name || words.startsWith(`${name} `))
        .sort((a, b) => b.length - a.length)[0]
    })
    expect(listed).toEqual(known)
  })

  it("name no flag that its command does not have", () => {
    const refused = rowsBelow(textOf("README.md"), "Commands").flatMap(([cell, meaning], row) =>
      [...`${cell} ${meaning}`.matchAll(/--([a-z-]+)/g)]
        .map(([, flag]) => flag!)
        .filter((flag) => {
          const names = Object.values(commands[row]!.parts).map((part) => part.kind === "flag" && part.name)
          return !names.includes(flag)
        })
    )
    expect(refused).toEqual([])
  })

  it("list every option of the configuration with its variable, default and name", () => {
    const listed = rowsBelow(textOf("README.md"), "Configuration").map((cells) =>
      [0, 1, 3].map((column) => spanOf(cells[column]!))
    )
    expect(listed).toEqual(
      Object.entries(settings).map(([name, { fallback, variable }]) => [variable, fallback ?? "none", name])
    )
  })

  it("draw each job of actors/ as `weir explain` does", async () => {
    const page = textOf("actors/README.md")
    const names = readdirSync(join(root, "actors")).flatMap((name) => /^([\w-]+)\.ts$/.exec(name)?.[1] ?? [])
    const jobs = await Promise.all(
      names.map(async (name) => ((await import(`../actors/${name}.ts`)) as { default?: Job }).default)
    )
    const missing = jobs
      .filter((job) => job?.isJob === true)
      .filter((job) => !page.includes(`\n## ${job!.name}\n`) || !blocksOf(page, "text").includes(drawingOf(job!)))
    expect(missing.map((job) => job!.name)).toEqual([])
  })

  it("link to files and headings that are there", () => {
    const broken = pages.flatMap((page) =>
      [...textOf(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
        .filter(([, path, anchor]) => {
          const target = path === "" ? page : join(dirname(page), path!)
          return (
            !existsSync(join(root, target)) || (anchor !== undefined && !anchorsOf(textOf(target)).includes(anchor))
          )
        })
        .map(([link]) => `${page}: ${link}`)
    )
    expect(broken).toEqual([])
  })

  it("name tests that are there, by their words", () => {
    const named = pages.flatMap((page) => [...onOneLine(page).matchAll(/`((?:src|test)\/[\w/.-]+)`(?:: “([^”]+)”)?/g)])
    expect(named.length).toBeGreaterThan(15)
    expect(named.filter(([, path, words]) => !isSaid(path!, words ?? "")).map(([text]) => text)).toEqual([])
  })
})

/** What is wrapped in a page is not in the code. */
const onOneLine = (page: string): string => textOf(page).replaceAll(/\s+/g, " ")

/** Are the words in the file, or in a file of the folder? */
const isSaid = (path: string, words: string): boolean => {
  if (!existsSync(join(root, path))) return false
  const files = statSync(join(root, path)).isDirectory()
    ? readdirSync(join(root, path)).flatMap((name) => (name.endsWith(".ts") ? [join(path, name)] : []))
    : [path]
  return words === "" || files.some((file) => textOf(file).includes(words))
}

const drawingOf = (job: Job): string => {
  const { topology } = Either.getOrThrow(job.configure({}))
  return `${Drawing.draw(topology).join("\n")}\n`
}

const anchorsOf = (page: string): ReadonlyArray<string> =>
  [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-")
  )

describe("the first job", { timeout: 120_000 }, () => {
  const page = textOf("docs/first-job.md")
  const source = blocksOf(page, "ts").join("\n")
  let project: string
  let data: string
  const inProject = (words: ReadonlyArray<string>) => weir(words, { folder: project, environment: { WEIR_DATA: data } })

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), "weir-first-job-"))
    data = newFolder()
    for (const [file, text] of ProjectTemplate.files("shop", `file:${root}`)) {
      if (file.endsWith(".ts")) continue
      mkdirSync(dirname(join(project, file)), { recursive: true })
      writeFileSync(join(project, file), text)
    }
    mkdirSync(join(project, "actors"))
    writeFileSync(join(project, "actors/region-prices.ts"), source)
    mkdirSync(join(project, "node_modules"))
    symlinkSync(root, join(project, "node_modules/weir"))
    for (const name of ["effect", "@types"])
      symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name))
  })
  afterAll(() => {
    for (const folder of [project, data]) rmSync(folder, { recursive: true, force: true })
  })

  it("has the types that a project demands", async () => {
    expect(await typeErrors(project)).toBe("")
  })

  it("is refused as the page says when its rows go where they cannot be replaced", async () => {
    const wrong = source.replace(
      /Sql\.upsert\("region_prices", RegionPrices, \{.*?\}\)/,
      'Sql.append("other", RegionPrices)'
    )
    writeFileSync(join(project, "actors/region-prices.ts"), wrong)
    const errors = await typeErrors(project)
    writeFileSync(join(project, "actors/region-prices.ts"), source)
    expect(errors.trimEnd().split("\n").at(-1)!.trim()).toBe(blocksOf(page, "text")[1]!.trim())
  })

  it("is drawn as the page draws it", async () => {
    expect((await inProject(["explain", "region-prices"])).out).toContain(blocksOf(page, "text")[0]!)
  })

  it("writes what a computation by hand gives, from the orders of the page", async () => {
    const words = /weir -- (generate .*?) --data/.exec(page)![1]!.split(" ")
    expect(await weir([...words, "--data", data])).toMatchObject({ code: 0 })
    const run = await inProject(["run", "region-prices", "--available-now", "--final"])
    expect(run).toMatchObject({ code: 0 })
    const { late, rows } = byHand(orders(valuesOf(words)))
    expect(late.length).toBeGreaterThan(0)
    const { out } = await inProject(["query", rowsOf(["region_prices", "region_prices_closed"]), "--format", "csv"])
    const lines = out.trimEnd().split("\n").slice(1)
    expect(lines).toEqual([
      ...rows.map((row) => `region_prices,${row}`),
      ...rows.map((row) => `region_prices_closed,${row}`)
    ])
    const tail = await inProject(["tail", "region-prices.late", "--format", "json"])
    const found = (JSON.parse(tail.out) as ReadonlyArray<{ value: string }>).map(
      ({ value }) => JSON.parse(value).orderid
    )
    expect(found.sort()).toEqual(late.sort())
  })
})

const typeErrors = (folder: string): Promise<string> =>
  new Promise((resolve) =>
    execFile(join(root, "node_modules/.bin/tsc"), ["--noEmit", "--pretty", "false"], { cwd: folder }, (_, out) =>
      resolve(out)
    )
  )

/** The generator's values, as the words of a command say them. */
const valuesOf = (words: ReadonlyArray<string>): Partial<OrdersValues> => {
  const texts = words.flatMap((word, i) => {
    if (word === "--count" || word === "--seed") return [[word.slice(2), words[i + 1]!] as const]
    return word === "--set" ? [words[i + 1]!.split("=") as [string, string]] : []
  })
  const parameters: Parameters = generator.parameters
  return Object.fromEntries(texts.map(([name, text]) => [name, Either.getOrThrow(parameters[name]!.parse(text))]))
}

/** The rows of each table, in the order of tables, windows and regions. */
const rowsOf = (tables: ReadonlyArray<string>): string =>
  tables
    .map(
      (table) => `select '${table}' as of, region, extract(epoch from window_start)::bigint as start, orders,
        min_price, max_price, avg_price from ${table}`
    )
    .join(" union all ")
    .concat(" order by of, start, region")

interface Prices {
  readonly cents: Array<bigint>
}

/** The rows of the job, as CSV, and the ids of its late orders. It knows nothing of the engine. */
const byHand = (blocks: Iterable<{ readonly records: ReadonlyArray<OrderRecord> }>) => {
  const windows = new Map<string, Prices>()
  const highest = new Map<number, number>()
  const late: Array<number> = []
  for (const { records } of blocks)
    for (const { kind, partition, value } of records) {
      if (kind === "malformed") continue
      const order = JSON.parse(new TextDecoder().decode(value))
      const watermark = (highest.get(partition) ?? Number.NEGATIVE_INFINITY) - 5
      highest.set(partition, Math.max(watermark + 5, order.timestamp))
      const second = order.timestamp - (order.timestamp % 5)
      const taken = [second - 5, second].filter((start) => start + 10 + 30 > watermark)
      if (taken.length === 0) late.push(order.orderid)
      for (const start of taken) {
        const key = `${start} ${order.region}`
        if (!windows.has(key)) windows.set(key, { cents: [] })
        windows.get(key)!.cents.push(BigInt(Math.round(order.price * 100)))
      }
    }
  const rows = [...windows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { cents }]) => rowOf(key.split(" "), cents))
  return { late, rows }
}

const rowOf = ([start, region]: ReadonlyArray<string>, cents: ReadonlyArray<bigint>): string => {
  const sum = cents.reduce((total, price) => total + price, 0n)
  const count = BigInt(cents.length)
  const least = cents.reduce((a, b) => (a < b ? a : b))
  const most = cents.reduce((a, b) => (a > b ? a : b))
  return [region, start, count, decimal(least, 2), decimal(most, 2), decimal(toEven(sum * 10_000n, count), 6)].join(",")
}

/** The nearest whole number to a fraction of positive numbers; of two equally near ones the even one. */
const toEven = (dividend: bigint, divisor: bigint): bigint => {
  const floor = dividend / divisor
  const rest = (dividend % divisor) * 2n
  return rest > divisor || (rest === divisor && floor % 2n === 1n) ? floor + 1n : floor
}

const decimal = (value: bigint, scale: number): string => {
  const digits = String(value).padStart(scale + 1, "0")
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
