/** A server of one file of tests alone, which it may take away and give back, at the same address and with its data. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import * as kafka from "./kafka.ts"
import * as mariadb from "./mariadb.ts"
import * as postgres from "./postgres.ts"
import type { Running } from "./Service.ts"

export interface Server {
  readonly address: string
  /** Ends it at once, as a crash does: nothing is drained or synced. */
  readonly takeAway: () => Promise<void>
  /** Starts it again, with what it had confirmed. */
  readonly giveBack: () => Promise<void>
}

type Start = (folder: string, port: number | undefined) => Promise<Running>

/** Durable against its own death, if not against the machine's: what a crash of the server may lose is its mistake. */
const starts = {
  postgres: (folder, port) =>
    postgres.start(folder, ["fsync=off"], { signal: "QUIT", ...(port === undefined ? {} : { port }) }),
  mariadb: (folder, port) =>
    mariadb.start(folder, {
      signal: "KILL",
      settings: ["--innodb-flush-log-at-trx-commit=2"],
      ...(port === undefined ? {} : { port })
    })
} satisfies Readonly<Record<string, Start>>

/** Starts a database server that keeps its data below `folder`. Rejects with `Missing` where it cannot be had. */
export const database = async (name: keyof typeof starts, folder: string): Promise<Server> => {
  const own = join(folder, name)
  mkdirSync(own)
  let running = await starts[name](own, undefined)
  const { address } = running
  return {
    address,
    takeAway: () => running.stop(),
    giveBack: async () => {
      running = await starts[name](own, Number(new URL(address).port))
    }
  }
}

export interface Broker extends Server {
  /** The address of its listener that asks for user and password, over TLS. */
  readonly guarded: string
  /** The file of the certificate by which that listener is known. */
  readonly authority: string
}

/** The same for a broker; `options` say where it listens. */
export const broker = async (
  folder: string,
  options: Pick<kafka.BrokerOptions, "ports" | "proxied"> = {}
): Promise<Broker> => {
  const own = join(folder, "kafka")
  mkdirSync(own)
  let running = await kafka.start(own, { ...options, signal: "KILL" })
  const { address, guarded, guardedPort, port } = running
  return {
    address,
    guarded,
    authority: join(own, "authority.pem"),
    takeAway: () => running.stop(),
    giveBack: async () => {
      running = await kafka.start(own, { ...options, signal: "KILL", ports: { port, guardedPort } })
    }
  }
}
