/**
 * The machine of a simulated world: its processes share a disk and the power. What strikes a process at an operation of
 * the disk strikes here, as its keeper does it.
 */
import * as Disk from "./Disk.ts"
import type { Striker } from "./Faults.ts"
import type { Process } from "./Process.ts"
import type { World } from "./World.ts"

/** Who keeps processes of the machine running. */
export interface Host {
  /** Kills a process if it is one of the host's, and starts another. */
  readonly kill: (process: Process) => void
  /** Kills all of them, and starts others. */
  readonly losePower: () => void
}

export interface Machine {
  readonly world: World
  readonly striker: Striker
  readonly disk: Disk.Disk
  readonly host: (host: Host) => void
  readonly kill: (process: Process) => void
  /** Every process dies, and the disk loses some of what was not synced. */
  readonly losePower: () => void
  /** For a while writes fail, and nothing new can be made. */
  readonly fill: () => void
  readonly isFull: () => boolean
}

const fullMillisMax = 4_000
const tornOdds = 0.5

export const make = (world: World, striker: Striker): Machine => {
  const chance = world.chance("machine")
  const disk = Disk.make(world.chance("disk"))
  const hosts: Array<Host> = []
  let isFull = false
  return {
    world,
    striker,
    disk,
    host: (host) => void hosts.push(host),
    kill: (process) => {
      for (const host of hosts) host.kill(process)
    },
    losePower: () => {
      const loss = disk.losePower(() => striker.strikes("torn write", tornOdds))
      const { names, namesLost, writes, writesLost, writesTorn } = loss
      world.tell(
        "machine",
        `loses its power: of ${writes} writes not synced ${writesLost} are lost and ${writesTorn} torn, of ${names} names ${namesLost} are lost`,
        "power loss"
      )
      for (const host of hosts) host.losePower()
    },
    fill: () => {
      const millis = chance.next() * fullMillisMax
      isFull = true
      world.after(millis, () => {
        isFull = false
        world.tell("disk", "has room again")
      })
      world.tell("disk", `is full for ${Math.round(millis)} ms`, "full disk")
    },
    isFull: () => isFull
  }
}
