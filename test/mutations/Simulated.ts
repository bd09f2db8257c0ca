/**
 * A program: runs a job of the catalogue in simulated worlds until the first in which something is wrong, and prints
 * what a `Verdict` says. `node <bundle> <job> <worlds>`
 */
import { Cause, Effect, Exit, Option } from "effect"
import { Simulate } from "../../src/testing/index.ts"
import { jobOf } from "../simulation/jobs.ts"

const [name = "", worlds = "1"] = process.argv.slice(2)
const { job, ...options } = jobOf(name)

/** The first line of what is wrong: the last part but one of the story. */
const firstOf = (message: string): string => message.trim().split("\n\n").at(-2)?.split("\n")[0] ?? message

const say = (verdict: object): void => void process.stdout.write(`${JSON.stringify(verdict)}\n`)

for (let seed = 1; seed <= Number(worlds); seed++) {
  say({ seed })
  const exit = await Effect.runPromiseExit(Simulate.job(job, { ...options, seed, seeds: 1 }))
  if (Exit.isSuccess(exit)) continue
  const failure = Option.getOrNull(Cause.failureOption(exit.cause))
  const why = failure === null ? String(Cause.squash(exit.cause)) : firstOf(failure.message)
  say({ seed, why: why.split("\n")[0] })
  process.exit(0)
}
