/** Runs many mutants, two at a time, and says in a table who noticed what. */
import { fileURLToPath } from "node:url"
import * as Mutant from "./Mutant.ts"
import type { Mutation } from "./Mutation.ts"

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

/** The page with the table of these results in its place. */
export const written = (text: string, results: ReadonlyArray<Result>): string => {
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`the page has no place for the table: ${begin}`)
  return `${before}${begin}\n${table(results)}\n${end}${after}`
}

export const table = (results: ReadonlyArray<Result>): string => {
  const rows = results.map(({ mutation: { caught, name, rule }, verdict: { seeds, why } }) => {
    const by = caught.by === "simulation" ? `worlds of “${caught.job}”` : `\`test/${caught.file}\`, “${shortened(why)}”`
    return `| ${rule} | ${name} | ${escaped(by)} | ${seeds ?? ""} |`
  })
  return ["| rule | broken so that | noticed by | worlds |", "|---|---|---|---|", ...rows].join("\n")
}

/** The names of the mutations in the table of the page. */
export const listed = (text: string): ReadonlyArray<string> =>
  text
    .split(begin)[1]!
    .split(end)[0]!
    .split("\n")
    .slice(3)
    .flatMap((line) => line.split(" | ")[1] ?? [])

/** A test by its own name, without those of the groups that it is in. */
const shortened = (text: string): string => text.split(" > ").at(-1)!
const escaped = (text: string): string => text.replaceAll("|", "\\|")
