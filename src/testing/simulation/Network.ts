/**
 * The network of a simulated world: a request takes a while to its server, and its reply back. Either may be lost, and
 * who asked cannot tell which. What a dead process has sent arrives all the same.
 */
import { Effect, type Exit } from "effect"
import type { Striker } from "./Faults.ts"
import type { Process } from "./Process.ts"
import type { World } from "./World.ts"

export interface Server {
  readonly name: string
  readonly isUp: () => boolean
  /** Goes away for so many milliseconds: every request on its way is lost. */
  readonly restart: (millis: number) => void
  /** How often it has been restarted. */
  readonly starts: () => number
}

export const server = (world: World, name: string): Server => {
  let up = true
  let starts = 0
  return {
    name,
    isUp: () => up,
    starts: () => starts,
    restart: (millis) => {
      if (!up) return
      up = false
      starts++
      world.tell(name, `is away for ${Math.round(millis)} ms`, "server restart")
      world.after(millis, () => {
        up = true
        world.tell(name, "is back")
      })
    }
  }
}

/** Asks a server something. */
export interface Request<A, E> {
  /** Which kind of request it is: a boundary is named by it. */
  readonly what: string
  /** What is the request's own, for the story. Absent: nothing. */
  readonly details?: () => string
  /** Does it change anything there? Then the story tells of it. */
  readonly changes: boolean
  /** What the server does, at once, when the request arrives. */
  readonly execute: () => Exit.Exit<A, E>
  /** What the process hears if the request or its reply is lost: then it cannot know whether it was done. */
  readonly lost: () => E
}

export interface Network {
  readonly call: <A, E>(from: Process, to: Server, request: Request<A, E>) => Effect.Effect<A, E>
}

/** One way takes so long, in milliseconds: a little, or sometimes more. */
const wayMillis = { least: 0.05, most: 2, slowest: 4_000 }
/** A broken connection is noticed after so long, at most. */
const noticedMillisMax = 3_000
const odds = { lost: 0.02, slow: 0.01 }

export const make = (world: World, striker: Striker): Network => {
  const chance = world.chance("network")
  const way = (): number => {
    const millis = wayMillis.least + chance.next() * chance.next() * chance.next() * wayMillis.most
    return striker.strikes("slow network", odds.slow)
      ? millis + chance.next() * chance.next() * wayMillis.slowest
      : millis
  }
  return {
    call: (from, to, { changes, details, execute, lost, what }) =>
      Effect.async((resume) => {
        const answer = (millis: number, exit: Effect.Effect<never, never> | Exit.Exit<any, any>): void => {
          world.after(millis, () => from.enter(() => resume(exit)))
        }
        const said = (): string => [`${from.name} ${what}`, details?.() ?? ""].filter((part) => part !== "").join(": ")
        const loses = (where: string, fault?: string): void => {
          world.tell(to.name, `${said()}: ${where}`, fault)
          const exit = Effect.fail(lost()) as Effect.Effect<never, never>
          answer(chance.next() * noticedMillisMax, exit)
        }
        const arrives = (starts: number): void => {
          if (!to.isUp() || to.starts() !== starts) loses("does not arrive, the server is away")
          else if (striker.strikes("request lost", odds.lost)) loses("is lost on its way", "request lost")
          else {
            const exit = execute()
            if (changes) world.tell(to.name, `${said()}${exit._tag === "Failure" ? ": refused" : ""}`)
            from.reaches(`${what}: done`, false)
            if (changes && striker.strikes("reply lost", odds.lost * 2)) loses("is done, its reply lost", "reply lost")
            else replies(starts, exit)
          }
        }
        const replies = (starts: number, exit: Exit.Exit<any, any>): void => {
          world.after(way(), () => {
            if (to.starts() !== starts) loses("the reply does not come, the server went away")
            else from.enter(() => passes(from, `${what}: answered`, false, () => resume(exit)))
          })
        }
        passes(from, `${what}: to be sent`, changes, () => {
          const starts = to.starts()
          world.after(way(), () => arrives(starts))
        })
      })
  }
}

/** Lets a process go on behind a boundary: at once, when it wakes up, or never. */
const passes = (process: Process, what: string, changes: boolean, then: () => void): void => {
  if (process.reaches(what, changes)) process.enter(then)
}
