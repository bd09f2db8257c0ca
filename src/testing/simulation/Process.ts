/**
 * A process of a simulated world: fibers with a scheduler, a clock and dice of their own. It can be killed between any
 * two steps of its fibers, and then runs no finalizer, as after `kill -9`; it can be paused and go on much later, as
 * after `SIGSTOP` and `SIGCONT`; and its clock can be set.
 */
import {
  Clock,
  Console,
  Duration,
  Effect,
  type Exit,
  type Fiber,
  GlobalValue,
  HashMap,
  Logger,
  LogLevel,
  Random,
  type Scheduler
} from "effect"
import type { World } from "./World.ts"

export type State = "running" | "paused" | "dead"

/** What becomes of a process at a boundary. */
export type Verdict = "lives" | "dies" | "stands still"

/** Decides at each boundary that a running process reaches, in their order; `changes` as in `Process.reaches`. */
export type Fate = (what: string, changes: boolean) => Verdict

/** The name of the boundary before each step of a fiber; all others are named by who reaches them. */
export const stepBoundary = "a step of a fiber"

export interface Process {
  readonly name: string
  readonly state: () => State
  /** Nothing of it ever happens again. */
  readonly kill: () => void
  readonly pause: () => void
  /** What came to it while it was paused happens now. */
  readonly resume: () => void
  /** Sets its clock, by so many milliseconds. */
  readonly setClock: (millis: number) => void
  /** Runs in the process; `ended` is called there at its end, unless the process dies. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>, ended: (exit: Exit.Exit<A, E>) => void) => Fiber.RuntimeFiber<A, E>
  /** Hands something to the process: it happens when the process runs, or never. */
  readonly enter: (what: () => void) => void
  /**
   * Comes to a boundary, a place where the process may die or stand still, as its fate says; answers whether it lives.
   *
   * The boundaries are those of all that a process does to the world: before a request is sent, when it has been
   * executed, when its reply is there; and the same of an operation on a disk. `changes`: may what it does next change
   * something outside? Absent: it may. To the world a death anywhere between two such boundaries is a death at the
   * later one: what happens inside the process dies with it, and what it has sent arrives all the same. Only time
   * differs: how far a request on its way has come. So each step of a fiber is a boundary as well, to be tried by
   * samples.
   */
  readonly reaches: (what: string, changes?: boolean) => boolean
}

/** A step of a fiber takes up to so many milliseconds of the world's time: whose comes first is chance. */
const stepMillisMax = 0.05
/** Operations of a fiber between two steps, at most: a few, so that fibers meet everywhere, or as many as in life. */
const operationsMax = { short: 256, long: 2_048 }
/** Operations that each step of a fiber has at least: Effect begins several fibers and counts on their first ones. */
const operationsMin = 32

export interface ProcessOptions {
  /** Default: it lives. */
  readonly fate?: Fate
  /** Default: short. */
  readonly steps?: keyof typeof operationsMax
}

export const make = (
  world: World,
  name: string,
  { fate = () => "lives", steps = "short" }: ProcessOptions = {}
): Process => {
  const chance = world.chance(`process ${name}`)
  const held: Array<() => void> = []
  let state: State = "running"
  let skew = 0
  let operations = 1 + chance.below(operationsMax[steps])
  let stepped = world.now()

  const enter = (what: () => void): void => {
    if (state === "running") what()
    else if (state === "paused") held.push(what)
  }
  const kill = (): void => {
    state = "dead"
    held.length = 0
  }
  const pause = (): void => {
    if (state === "running") state = "paused"
  }
  const lives = (): boolean => state !== "dead"
  const reaches = (what: string, changes = true): boolean => {
    const verdict = state === "running" ? fate(what, changes) : "lives"
    if (verdict === "dies") kill()
    else if (verdict === "stands still") pause()
    return lives()
  }
  // Fibers take turns where chance has it, and in the order in which they were woken: Effect counts on that order.
  const scheduler: WorldScheduler = {
    world,
    shouldYield: (fiber) => {
      if (--operations > 0 || fiber.currentOpCount < operationsMin) return false
      operations = 1 + chance.below(operationsMax[steps])
      return 0
    },
    scheduleTask: (task) => {
      stepped = Math.max(stepped, world.now()) + chance.next() * stepMillisMax
      world.after(stepped - world.now(), () => {
        if (reaches(stepBoundary, false)) enter(task)
      })
    }
  }
  const now = (): number => Math.floor(world.now() + skew)
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: now,
    unsafeCurrentTimeNanos: () => BigInt(Math.floor((world.now() + skew) * 1_000_000)),
    currentTimeMillis: Effect.sync(now),
    currentTimeNanos: Effect.sync(() => BigInt(Math.floor((world.now() + skew) * 1_000_000))),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const cancel = world.after(Duration.toMillis(duration), () => enter(() => resume(Effect.void)))
        return Effect.sync(cancel)
      })
  }
  const logger = Logger.make(({ annotations, logLevel, message }) => {
    const job = HashMap.get(annotations, "job")
    const said = Array.isArray(message) ? message.join(" ") : String(message)
    world.tell(name, `${logLevel.label}: ${job._tag === "Some" ? `${String(job.value)}: ` : ""}${said}`)
  })
  const inside = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    effect.pipe(
      Effect.withClock(clock),
      Effect.withRandom(Random.make(`${world.seed} ${name}`)),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.Info),
      printing((lines) => world.tell(name, `prints: ${lines}`))
    )

  return {
    name,
    state: () => state,
    kill,
    pause,
    resume: () => {
      if (state !== "paused") return
      state = "running"
      for (const what of held.splice(0)) enter(what)
    },
    setClock: (millis) => {
      skew += millis
    },
    run: (effect, ended) => {
      const fiber = Effect.runFork(inside(effect), { scheduler, immediate: false })
      fiber.addObserver((exit) => enter(() => ended(exit)))
      return fiber
    },
    enter,
    reaches
  }
}

/**
 * Lets go of the processes of a world that is over. Effect keeps every fiber that nobody waits for until it ends, with
 * all that it holds, and those of a process that was killed never end.
 */
export const forget = (world: World): void => {
  for (const fiber of roots) if (isOfWorld(fiber.currentScheduler, world)) roots.delete(fiber)
}

// Private

interface WorldScheduler extends Scheduler.Scheduler {
  readonly world: World
}

const isOfWorld = (scheduler: Scheduler.Scheduler, world: World): boolean =>
  (scheduler as Partial<WorldScheduler>).world === world

/** What `Fiber.roots` shows. */
const { roots } = GlobalValue.globalValue(Symbol.for("effect/FiberScope/Global"), () => ({
  roots: new Set<Fiber.RuntimeFiber<unknown, unknown>>()
}))

/** What an effect prints is told instead: a person at a terminal sees nothing of a world. */
const printing =
  (tell: (lines: string) => void) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Console.consoleWith((real) => {
      const print = (...said: ReadonlyArray<unknown>) => Effect.sync(() => tell(said.map(String).join(" ")))
      const told = { debug: print, dir: print, error: print, info: print, log: print, table: print, warn: print }
      return Effect.withConsole(effect, { ...real, ...told })
    })
