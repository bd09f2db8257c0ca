/** Runs many mutants, two at a time, and says in a table who noticed what. */
import { fileURLToPath } from "node:url"
import * as Mutant from "./Mutant.ts"
import type { Catcher, Mutation } from "./Mutation.ts"

export interface Result {
  readonly mutation: Mutation
  readonly verdict: Mutant.Verdict
  readonly millis: number
}

/** Mutants at a time. */
const atOnce = 2

/** In the order of `mutations`; `told` hears of each when it is known. */
export const run = async (
  mutations: ReadonlyArray<Mutation>,
  told: (result: Result) => void = () => {}
): Promise<ReadonlyArray<Result>> => {
  const results = await inTurns(mutations, async (mutation) => {
    const begun = performance.now()
    const verdict = await Mutant.run(mutation)
    const result = { mutation, verdict, millis: performance.now() - begun }
    told(result)
    return result
  })
  return results
}

/** The jobs that noticed something, without a mutation, in as many worlds: those in which something is wrong even so. */
export const controls = async (
  results: ReadonlyArray<Result>
): Promise<ReadonlyArray<{ readonly job: string; readonly why: string }>> => {
  const worlds = new Map<string, number>()
  for (const { mutation, verdict } of results)
    if (mutation.caught.by === "simulation")
      worlds.set(mutation.caught.job, Math.max(worlds.get(mutation.caught.job) ?? 0, verdict.seeds ?? 0))
  const all = await inTurns([...worlds], async ([job, count]) => {
    const { by, why } = await Mutant.simulated(job, null, count)
    return by === null ? [] : [{ job, why }]
  })
  return all.flat()
}

const inTurns = async <A, B>(all: ReadonlyArray<A>, f: (one: A) => Promise<B>): Promise<ReadonlyArray<B>> => {
  const done: Array<B> = []
  let next = 0
  const turn = async (): Promise<void> => {
    while (next < all.length) {
      const at = next++
      done[at] = await f(all[at]!)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, turn))
  return done
}

// The table

export const page = fileURLToPath(new URL("../../docs/guarantees.md", import.meta.url))
const [begin, end] = ["<!-- mutations: npm run mutations -- --write -->", "<!-- end of mutations -->"]

/** The page with these results in its table; rows of other mutations in `mutations` stay as they are. */
export const written = (text: string, mutations: ReadonlyArray<Mutation>, results: ReadonlyArray<Result>): string => {
  const [before, rest] = text.split(begin)
  const [rows, after] = rest?.split(end) ?? []
  if (before === undefined || rows === undefined || after === undefined)
    throw new Error(`the page has no place for the table: ${begin}`)
  const known = new Map(rows.split("\n").map((row) => [nameIn(row), row]))
  for (const result of results) known.set(result.mutation.name, rowOf(result))
  const all = mutations.flatMap(({ name }) => known.get(name) ?? [])
  return `${before}${begin}\n\n${[...head, ...all].join("\n")}\n\n${end}${after}`
}

const head = ["| rule | broken so that | noticed by | worlds |", "|---|---|---|---|"]

export const rowOf = ({ mutation: { caught, name, rule }, verdict }: Result): string =>
  `| ${rule} | ${name} | ${escaped(noticed(caught, verdict))} | ${verdict.seeds ?? ""} |`

const noticed = (caught: Catcher, { why }: Mutant.Verdict): string => {
  switch (caught.by) {
    case "simulation":
      return `worlds of “${caught.job}”`
    case "test":
      return `\`test/${caught.file}\`, “${titleOf(why)}”`
    case "types":
      return `the compiler, by \`test/${caught.file}\``
    case "nobody":
      return `nothing: ${why}`
  }
}

/** The rows of the table of the page. */
export const rowsOf = (text: string): ReadonlyArray<string> =>
  text
    .split(begin)[1]!
    .split(end)[0]!
    .split("\n")
    .filter((row) => row.startsWith("| "))
    .slice(1)

export const nameIn = (row: string): string => row.split(" | ")[1] ?? ""

/** A test by its own name, without those of the groups that it is in. */
const titleOf = (text: string): string => text.split(" > ").at(-1)!
const escaped = (text: string): string => text.replaceAll("|", "\\|")
