/**
 * Keeps jobs running in one process of a simulated world, as an init system does: starts another when none is left, and
 * takes one that no longer answers for dead; unless it owns a log, which no other process can open while it may live.
 * What strikes processes strikes here.
 */
import { Cause, Effect, Exit, Layer, Option } from "effect"
import { CheckpointStore } from "../../checkpoint/CheckpointStore.ts"
import { isExplained, type RestartBudgetSpent } from "../../model/Errors.ts"
import type { EpochProgress, JobEvent } from "../../observe/Progress.ts"
import * as Runner from "../../runtime/Runner.ts"
import type { Striker } from "./Faults.ts"
import type { SimulatedJob } from "./Jobs.ts"
import * as Process from "./Process.ts"
import type { Producer } from "./Producer.ts"
import * as Recording from "./Recording.ts"
import type { Stage } from "./Stage.ts"

export interface KeeperOptions {
  readonly stage: Stage
  /** They live and die together. One that reads what another writes stands behind it. */
  readonly jobs: ReadonlyArray<SimulatedJob>
  /** What its processes are called, before their number. */
  readonly name: string
  readonly recording: Recording.Recording
}

export interface Keeper {
  /** Keeps the jobs running, and lets faults strike them. */
  readonly begin: () => void
  /** Kills what runs, and starts nothing more. */
  readonly end: () => void
  /** Starts a process whose jobs read what is there, one after the other, and ends; or it ends as its fate says. */
  readonly finish: (ended: (exit: Exit.Exit<void, unknown>) => void, fate?: Process.Fate) => Process.Process
  /** Why it cannot go on: a failure that no new start will mend. */
  readonly failure: () => string | null
  readonly lives: () => number
  /** Of epochs that became durable. */
  readonly reports: ReadonlyArray<EpochProgress>
}

/** Milliseconds, at most. */
const restartMillisMax = 2_000
const pauseMillisMax = 20_000
const clockStepMillisMax = 10_000
const serverAwayMillisMax = 5_000
/** Between two occasions on which something may strike. */
const occasionMillisMax = 2_000
const odds = { kill: 0.3, pause: 0.2, "clock step": 0.1, "server restart": 0.1 } as const

export const make = ({ jobs, name, recording, stage }: KeeperOptions): Keeper => {
  const { machine, producer, servers, striker, world } = stage
  const chance = world.chance(`keeper ${name}`)
  const up = new Set<Process.Process>()
  /** Those that stand still: whoever owns a log still has it. */
  const still = new Set<Process.Process>()
  /** The jobs that each process has claimed: its next claim of one is no longer the first. */
  const claimed = new WeakMap<Process.Process, Set<string>>()
  const reports: Array<EpochProgress> = []
  let lives = 0
  let ended = false
  let failure: string | null = null

  const heard = (process: Process.Process, event: JobEvent): void => {
    if (event._tag === "Progress") {
      reports.push(event.progress)
      const { epoch, inputRows, replayed, sinks } = event.progress
      const rows = sinks.reduce((sum, sink) => sum + sink.rows, 0)
      if (inputRows > 0 || rows > 0)
        world.tell(
          process.name,
          `epoch ${epoch} of ${event.progress.job} is durable${replayed ? ", again" : ""}: ${inputRows} records, ${rows} rows`
        )
    } else world.tell(process.name, `${event.status.job} is ${event.status.state}`)
  }
  const start = (
    options: Runner.RunOptions & { readonly concurrency: "unbounded" | 1 },
    over: (exit: Exit.Exit<void, unknown>) => void,
    fate?: Process.Fate
  ): Process.Process => {
    const process = Process.make(world, `${name} ${++lives}`, fate === undefined ? {} : { fate })
    world.tell(process.name, "starts")
    const live = ({ job, set }: SimulatedJob) =>
      Effect.gen(function* () {
        const running = yield* Runner.start(job, { ...options, set }, (event) =>
          Effect.sync(() => heard(process, event))
        )
        yield* running.ended
      })
    const all = Effect.forEach(jobs, live, { concurrency: options.concurrency, discard: true })
    const own = new Set<string>()
    claimed.set(process, own)
    const main = (producer === null ? all : withInput(producer, all, options.final === true)).pipe(
      Effect.scoped,
      Effect.provide(noting(own).pipe(Layer.provide(Recording.layer(stage.checkpoints, recording)))),
      Effect.provide(stage.layers(process))
    )
    process.run(main as Effect.Effect<void, unknown>, (exit) => {
      world.tell(process.name, `ends: ${Exit.isSuccess(exit) ? "all is done" : said(exit.cause)}`)
      over(exit)
    })
    return process
  }

  const again = (): void => {
    world.after(chance.next() * restartMillisMax, () => {
      if (!ended && failure === null && up.size === 0 && (producer === null || still.size === 0)) keep()
    })
  }
  const keep = (): void => {
    const process = start({ concurrency: "unbounded" }, (exit) => {
      up.delete(process)
      if (Exit.isFailure(exit) && !mends(exit.cause) && !isDisk(exit.cause, striker)) failure = said(exit.cause)
      if (up.size === 0) again()
    })
    up.add(process)
  }
  const lost = (process: Process.Process): void => {
    up.delete(process)
    again()
  }
  const kill = (process: Process.Process): void => {
    world.tell(process.name, "is killed", "kill")
    process.kill()
    lost(process)
  }
  const killAll = (processes: Set<Process.Process>): void => {
    for (const process of processes) process.kill()
    processes.clear()
  }
  machine.host({
    kill: (process) => {
      if (up.has(process)) kill(process)
    },
    losePower: () => {
      killAll(up)
      killAll(still)
      again()
    }
  })
  const strikeProcess = (process: Process.Process): void => {
    if (striker.strikes("kill", odds.kill)) kill(process)
    else if (striker.strikes("pause", odds.pause)) {
      world.tell(process.name, "stands still", "pause")
      process.pause()
      still.add(process)
      lost(process)
      world.after(chance.next() * pauseMillisMax, () => {
        if (process.state() === "dead") return
        world.tell(process.name, "wakes up")
        still.delete(process)
        up.add(process)
        process.resume()
      })
    } else if (striker.strikes("clock step", odds["clock step"])) {
      const millis = Math.round((chance.next() * 2 - 1) * clockStepMillisMax)
      world.tell(process.name, `its clock is set by ${millis} ms`, "clock step")
      process.setClock(millis)
    }
  }
  const strike = (): void => {
    if (ended) return
    const victims = [...up]
    const victim = victims[chance.below(Math.max(1, victims.length))]
    if (victim !== undefined) strikeProcess(victim)
    const server = servers[chance.below(servers.length)]!
    if (striker.strikes("server restart", odds["server restart"])) server.restart(chance.next() * serverAwayMillisMax)
    world.after(chance.next() * occasionMillisMax, strike)
  }

  return {
    begin: () => {
      keep()
      world.after(chance.next() * occasionMillisMax, strike)
    },
    end: () => {
      ended = true
      killAll(up)
      if (producer !== null) killAll(still)
      // Who stands still before its first claim would take the job when it wakes up: a start, and nothing starts now.
      for (const process of still) {
        if (claimed.get(process)!.size === jobs.length) continue
        process.kill()
        still.delete(process)
      }
    },
    finish: (over, fate) => start({ availableNow: true, final: true, concurrency: 1 }, over, fate),
    failure: () => failure,
    lives: () => lives,
    reports
  }
}

/** Notes which jobs a process has, as far as it knows: of one that it is claiming it does not. */
const noting = (own: Set<string>) =>
  Layer.effect(
    CheckpointStore,
    Effect.map(CheckpointStore, (real) => ({
      ...real,
      claim: (job, jobId) =>
        Effect.suspend(() => {
          own.delete(job)
          return Effect.tap(real.claim(job, jobId), () => Effect.sync(() => own.add(job)))
        })
    }))
  )

/** Beside the jobs their input is brought; or, where nothing more will come, before them. */
const withInput = <R>(producer: Producer, jobs: Effect.Effect<void, unknown, R>, isLast: boolean) =>
  Effect.zipRight(
    producer.create,
    isLast ? Effect.zipRight(producer.flush, jobs) : Effect.raceFirst(jobs, producer.run)
  )

/** A person has made room on a disk that was full, or mended it. */
const isDisk = (cause: Cause.Cause<unknown>, { counts }: Striker): boolean => {
  const failed = Cause.failureOption(cause)
  const isStruck = counts()["full disk"] + counts()["disk error"] > 0
  return isStruck && Option.isSome(failed) && isExplained(failed.value) && failed.value._tag === "StorageFailed"
}

/** May another start of the same code mend it? A fenced process has a successor. */
export const mends = (cause: Cause.Cause<unknown>): boolean => {
  const failed = Cause.failureOption(cause)
  if (Option.isNone(failed) || !isExplained(failed.value)) return false
  // Who restarts processes does so however often a job has tried by itself.
  const last = failed.value._tag === "RestartBudgetSpent" ? (failed.value as RestartBudgetSpent).cause : failed.value
  return isExplained(last) && (last.retry || last._tag === "Fenced")
}

/** Why a process ended, in a line. */
export const said = (cause: Cause.Cause<unknown>): string => {
  const failed = Cause.failureOption(cause)
  if (Option.isNone(failed)) return Cause.pretty(cause)
  const { _tag, message } = failed.value as { readonly _tag?: string; readonly message?: string }
  return `${_tag ?? "failure"}: ${message ?? String(failed.value)}`
}
