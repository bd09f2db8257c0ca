/**
 * The servers that tests need, each when it is first asked for: the one that a variable names, else one in a container
 * where an engine of Docker answers, else one that is started here. What is started is gone with the tests.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as docker from "./docker.ts"
import * as kafka from "./kafka.ts"
import * as mariadb from "./mariadb.ts"
import * as postgres from "./postgres.ts"
import { Missing, type Running, type Service } from "./Service.ts"

/** By the name under which tests ask for them. */
export const all = { postgres: postgres.service, mariadb: mariadb.service, kafka: kafka.service } satisfies Readonly<
  Record<string, Service>
>

export type ServiceName = keyof typeof all

/** The address of a service, or why there is none. */
export type Found = { readonly address: string } | { readonly missing: string }

export interface Services {
  readonly ask: (name: ServiceName) => Promise<Found>
  /** What was asked for and could not be had. */
  readonly missing: () => Promise<
    ReadonlyArray<{ readonly name: string; readonly variable: string; readonly reason: string }>
  >
  readonly stop: () => Promise<void>
}

export const make = (): Services => {
  let made: string | null = null
  /** Made with the first server: most runs start none. */
  const folder = (): string => {
    if (made === null) {
      made = mkdtempSync(join(tmpdir(), "weir-services-"))
      // A server that runs as another user has to reach the part that is its own.
      chmodSync(made, 0o711)
    }
    return made
  }
  const asked = new Map<ServiceName, Promise<Found>>()
  const running: Array<Running> = []
  const start = async (name: ServiceName): Promise<Found> => {
    const { container, start, variable } = all[name]
    const given = process.env[variable]
    if (given !== undefined && given !== "") return { address: given }
    const own = join(folder(), name)
    mkdirSync(own)
    const reasons: Array<string> = []
    for (const way of [...((await docker.isThere()) ? [() => docker.start(container, own)] : []), () => start(own)]) {
      try {
        const started = await way()
        running.push(started)
        return { address: started.address }
      } catch (cause) {
        if (!(cause instanceof Missing)) throw cause
        reasons.push(cause.message)
      }
    }
    return { missing: reasons.join("; ") }
  }
  return {
    ask: (name) => {
      const found = asked.get(name) ?? start(name)
      asked.set(name, found)
      return found
    },
    missing: async () => {
      const found = await Promise.all([...asked].map(async ([name, found]) => ({ ...all[name], ...(await found) })))
      return found.flatMap((one) =>
        "missing" in one ? [{ name: one.name, variable: one.variable, reason: String(one.missing) }] : []
      )
    },
    stop: async () => {
      await Promise.allSettled(asked.values())
      await Promise.all(running.map((one) => one.stop()))
      if (made !== null) rmSync(made, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
