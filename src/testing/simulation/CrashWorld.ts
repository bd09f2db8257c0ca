/**
 * One world in which a job dies where it was appointed. All its input is there from the beginning, and nothing else
 * goes wrong: each process that dies is followed by another at once, until one has read and written everything.
 */
import { Exit } from "effect"
import * as Invariants from "./Invariants.ts"
import * as Keeper from "./Keeper.ts"
import type * as Process from "./Process.ts"
import * as Recording from "./Recording.ts"
import * as Scenario from "./Scenario.ts"
import * as Stage from "./Stage.ts"
import type * as World from "./World.ts"

/** Where processes die. */
export interface Appointment {
  /**
   * Boundaries, each counted from 1 in its process: the first process dies at the first, its successor at the second,
   * and so on. What comes after them lives.
   */
  readonly at: ReadonlyArray<number>
  /**
   * What befalls them. `kill`, the default: nothing of the process happens any more. `power loss`: with it the disk
   * loses of what was not synced. `pause`: the first stands still at the first boundary, and wakes up when its
   * successor, which does not die either, is at the second or has ended.
   */
  readonly by?: Manner
}

export type Manner = "kill" | "power loss" | "pause"

/** A place where a process may die. */
export interface Boundary {
  readonly what: string
  /** May what is behind it change something outside? */
  readonly changes: boolean
}

export type CrashWorldOptions = Omit<Scenario.ScenarioOptions, "faults">

export interface Outcome {
  readonly seed: number
  /** What went wrong, line by line; empty: all was as it should be. */
  readonly failures: ReadonlyArray<string>
  /** The boundaries that each process reached, in order. */
  readonly lives: ReadonlyArray<ReadonlyArray<Boundary>>
  /** Boundaries of the appointment that were reached. */
  readonly struck: number
  readonly epochs: number
  /** Epochs that were computed again from their intents. */
  readonly replays: number
  /** Processes that ended because a successor had overtaken them. */
  readonly overtaken: number
  readonly virtualMillis: number
  readonly story: ReadonlyArray<World.Entry>
}

/** A successor starts after so many milliseconds at most: while what the dead one has sent may be on its way still. */
const restartMillisMax = 3
/** Milliseconds of the world's time that all of it may take: an hour. */
const patienceMillis = 3_600_000
/** More processes than this never come to an end. */
const livesMax = 30

export const run = (options: CrashWorldOptions, { at, by = "kill" }: Appointment): Outcome => {
  const { invariants = [], jobs, records, seed } = options
  const stage = Stage.make({ ...options, faults: [] })
  const { machine, world } = stage
  const began = world.now()
  // The same for all that begins with the same death: what comes after it is where it was found.
  const chance = world.chance(`crash ${at[0]} ${by === "power loss" ? "without power" : ""}`)
  const recording = Recording.make()
  const watch = Invariants.watch(stage, { invariants, jobs, looks: [], recording })
  const keeper = Keeper.make({ stage, jobs, name: "process", recording })
  const lives: Array<Array<Boundary>> = []
  const up = new Set<Process.Process>()
  let sleeper: Process.Process | null = null
  let failure: string | null = null
  let struck = 0
  let overtaken = 0
  let isDone = false

  const wake = (): void => {
    if (sleeper === null) return
    world.tell(sleeper.name, "wakes up")
    up.add(sleeper)
    sleeper.resume()
    sleeper = null
  }
  const strike = (process: Process.Process, where: string): Process.Verdict => {
    world.tell(process.name, `${by === "pause" ? "stands still" : "dies"} at ${where}`, by)
    up.delete(process)
    if (by === "pause") sleeper = process
    if (by === "power loss") machine.disk.losePower(() => chance.below(2) === 0)
    world.after(chance.next() * restartMillisMax, start)
    return by === "pause" ? "stands still" : "dies"
  }
  const start = (): void => {
    const place = at[lives.length]
    const isBeside = by === "pause" && lives.length > 0
    const reached: Array<Boundary> = []
    lives.push(reached)
    const fate = (what: string, changes: boolean): Process.Verdict => {
      reached.push({ what, changes })
      if (reached.length !== place) return "lives"
      struck++
      if (!isBeside) return strike(process, `boundary ${place}, ${what}`)
      wake()
      return "lives"
    }
    const process = keeper.finish((exit) => {
      up.delete(process)
      if (Exit.isSuccess(exit)) isDone = true
      else if (Keeper.mends(exit.cause)) overtaken++
      else failure = `${process.name}: ${Keeper.said(exit.cause)}`
      if (failure !== null || up.size > 0) return
      if (sleeper !== null) wake()
      else if (!isDone) start()
    }, fate)
    up.add(process)
  }

  Stage.produce(stage, records)
  start()
  const isOver = (): boolean =>
    failure !== null || watch.broken() !== null || lives.length > livesMax || (isDone && up.size === 0)
  const how = world.run(isOver, patienceMillis)
  const failures = (): ReadonlyArray<string> => {
    const broken = watch.broken()
    if (broken !== null) return [broken]
    if (failure !== null) return [`the job failed for good: ${failure}`]
    if (how === "quiet") return ["the job stands still: nothing is left to happen"]
    if (how === "too long" || lives.length > livesMax) return ["the job does not come to its end"]
    return [...watch.unseen(), ...Scenario.mistakes(stage, options, recording)]
  }
  const outcome: Outcome = {
    seed,
    failures: failures(),
    lives,
    struck,
    epochs: jobs.reduce((sum, { job }) => sum + recording.intents(job.name).length, 0),
    replays: keeper.reports.filter(({ replayed }) => replayed).length,
    overtaken,
    virtualMillis: world.now() - began,
    story: world.story()
  }
  stage.close()
  return outcome
}
