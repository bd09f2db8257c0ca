/**
 * `npm run seeds -- --seeds 10000`: the jobs of `jobs.ts` in that many worlds, on all cores, as a table. Ends with 1
 * where a job did not write what it was to write, with the story of that world and how it is seen again.
 */
import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { Cause, Effect, Exit, Option } from "effect"
import { Faults, Simulate } from "../../src/testing/index.ts"
import { jobOf, jobs } from "./jobs.ts"

/** Worlds of one job, in a row. */
interface Share {
  readonly job: string
  readonly seed: number
  readonly seeds: number
}

/** What became of a share: how far it came, and the story of the world in which it did not. */
interface Done {
  readonly share: Share
  readonly summary: Simulate.Summary | null
  readonly failed: { readonly seed: number; readonly story: string } | null
}

/** Of so many worlds, each kind of fault must have struck in one. */
const struckSeeds = 100
/** Worlds that a process tries before it asks for more. */
const shareSeeds = 10

const tried = async (share: Share): Promise<Done> => {
  const { input, job, partitions, set } = jobOf(share.job)
  let summary: Simulate.Summary | null = null
  const onWorld = (sofar: Simulate.Summary): void => {
    summary = sofar
  }
  const { seed, seeds } = share
  const exit = await Effect.runPromiseExit(Simulate.job(job, { input, partitions, set, seed, seeds, onWorld }))
  return { share, summary, failed: Exit.isSuccess(exit) ? null : failureOf(exit.cause, share, summary) }
}

const failureOf = (
  cause: Cause.Cause<Simulate.SimulationFailed>,
  share: Share,
  summary: Simulate.Summary | null
): Done["failed"] =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => ({ seed: share.seed + (summary?.seeds ?? 0), story: Cause.pretty(cause) }),
    onSome: ({ message, seed }) => ({ seed, story: message })
  })

/** A process that tries the shares it is sent. */
const serve = (): void => {
  process.on("message", async (share: Share) => process.send!(await tried(share)))
  process.send!(null)
}

/** Every job gets as many worlds as any other, of seeds that no other has. */
const sharesOf = (names: ReadonlyArray<string>, seeds: number, first: number): Array<Share> => {
  const each = Math.ceil(seeds / names.length)
  const shares: Array<Share> = []
  for (let at = 0; at < each; at += shareSeeds)
    for (const [i, job] of names.entries())
      shares.push({ job, seed: first + i * each + at, seeds: Math.min(shareSeeds, each - at) })
  return shares
}

const added = (one: Simulate.Summary | undefined, other: Simulate.Summary): Simulate.Summary =>
  one === undefined ? other : Simulate.together(one, other)

const hours = (millis: number): string => `${(millis / 3_600_000).toFixed(1)} h`

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      job: { type: "string", multiple: true },
      processes: { type: "string", default: String(availableParallelism()) }
    }
  })
  const names = values.job ?? jobs.map(({ name }) => name)
  names.forEach(jobOf)
  const waiting = sharesOf(names, Number(values.seeds), Number(values.seed))
  const all = waiting.reduce((sum, share) => sum + share.seeds, 0)
  const found = new Map<string, Simulate.Summary>()
  const failures: Array<string> = []
  const began = performance.now()
  let done = 0
  const take = ({ failed, share, summary }: Done): void => {
    if (summary !== null) found.set(share.job, added(found.get(share.job), summary))
    done += summary?.seeds ?? 0
    if (failed !== null) {
      done++
      failures.push(`${share.job}, seed ${failed.seed}`)
      process.stdout.write(
        `${failed.story}\n\nnpm run seeds -- --job '${share.job}' --seed ${failed.seed} --seeds 1\n\n`
      )
      const next = failed.seed + 1
      const left = share.seed + share.seeds - next
      if (left > 0) waiting.unshift({ job: share.job, seed: next, seeds: left })
    }
    if (process.stdout.isTTY) process.stdout.write(`\r${done} of ${all} worlds, ${failures.length} failed `)
  }
  await Promise.all(
    Array.from(
      { length: Number(values.processes) },
      () =>
        new Promise<void>((resolve, reject) => {
          const child = fork(process.argv[1]!, [], { env: { ...process.env, WEIR_SEEDS: "served" } })
          child.on("message", (answer: Done | null) => {
            if (answer !== null) take(answer)
            const share = waiting.shift()
            if (share === undefined) child.disconnect()
            else child.send(share)
          })
          child.once("exit", (code) =>
            code === 0 ? resolve() : reject(new Error(`a process of worlds ended with ${code}`))
          )
        })
    )
  )
  const seconds = (performance.now() - began) / 1000
  const width = Math.max(...names.map((name) => name.length), 5)
  const line = (name: string, { epochs, lives, replays, seeds, virtualMillis }: Simulate.Summary): string =>
    `${name.padEnd(width)}  ${[seeds, lives, epochs, replays].map((count) => String(count).padStart(8)).join("")}  ${hours(virtualMillis).padStart(9)}\n`
  process.stdout.write(`\n${"job".padEnd(width)}     seeds   lives  epochs replays    virtual\n`)
  for (const [name, summary] of found) process.stdout.write(line(name, summary))
  const total = [...found.values()].reduce((sum: Simulate.Summary | undefined, one) => added(sum, one), undefined)
  if (total === undefined) return 1
  process.stdout.write(line("all", total))
  for (const kind of Faults.all)
    process.stdout.write(`${kind.padEnd(width)}  ${String(total.struck[kind]).padStart(8)}\n`)
  process.stdout.write(
    `${(done / seconds).toFixed(1)} seeds/s on ${values.processes} processes: ${hours(total.virtualMillis)} of the worlds' time in ${seconds.toFixed(0)} s, ${Math.round(total.virtualMillis / 1000 / seconds)} times as fast as life\n`
  )
  for (const failure of failures) process.stdout.write(`FAILED: ${failure}\n`)
  // A kind of fault that never struck was not tried.
  const untried = done < struckSeeds ? [] : Faults.all.filter((kind) => total.struck[kind] === 0)
  for (const kind of untried) process.stdout.write(`NEVER STRUCK: ${kind}\n`)
  return failures.length + untried.length === 0 ? 0 : 1
}

if (process.env.WEIR_SEEDS === "served") serve()
else process.exitCode = await main()
