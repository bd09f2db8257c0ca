/** Topics of a simulated world: a broker behind its network, in memory. */
import { type Clock, Effect, Layer } from "effect"
import type { SourceReader } from "../../flow/Source.ts"
import { type EpochWriter, Topics, type TopicsService } from "../../flow/Topics.ts"
import { SourceUnavailable } from "../../model/Errors.ts"
import * as TopicsMemory from "../TopicsMemory.ts"
import type { Striker } from "./Faults.ts"
import type { Network, Server } from "./Network.ts"
import type { Process } from "./Process.ts"
import type { World } from "./World.ts"

export interface TopicsServer {
  readonly store: TopicsMemory.Store
  readonly server: Server
  readonly clock: Clock.Clock
  /** Called after an epoch's records were written, at that very moment, with what was done: what any reader could see now. */
  readonly onKept: (done: () => string) => void
}

const stallOdds = 0.03
const stallMillisMax = 5_000

export const layer = (
  world: World,
  process: Process,
  { clock, onKept, server, store }: TopicsServer,
  { network, striker }: { readonly network: Network; readonly striker: Striker }
): Layer.Layer<Topics> => {
  const chance = world.chance(`topics of ${process.name}`)
  /** What the broker does is done at once when it is asked; how it is told, and whether, is the network's affair. */
  const ask = <A, E>(what: string, changes: boolean, effect: Effect.Effect<A, E>, details = ""): Effect.Effect<A, E> =>
    network.call(process, server, {
      what,
      details: () => details,
      changes,
      execute: () => Effect.runSyncExit(Effect.withClock(effect, clock)),
      lost: () => unavailable(what) as E
    })
  const reader = (topic: string, real: SourceReader): SourceReader => {
    let stalled = false
    return {
      ...real,
      partitions: ask(`looks at ${topic}`, false, real.partitions),
      read: (partition, offset, recordsMax) => {
        const some = 1 + chance.below(recordsMax)
        stalled = striker.strikes("stalled topic", stallOdds)
        return stalled
          ? Effect.succeed(null)
          : ask(`reads ${topic}`, false, real.read(partition, offset, some), `partition ${partition} from ${offset}`)
      },
      changed: Effect.suspend(() => (stalled ? Effect.sleep(chance.next() * stallMillisMax) : real.changed)),
      markBefore: (partition, offset) => ask(`looks at ${topic}`, false, real.markBefore(partition, offset))
    }
  }
  const writer = (topic: string, real: EpochWriter): EpochWriter => ({
    ...real,
    write: (epoch, records) => {
      const kept = Effect.sync(() => onKept(() => `${process.name} writes epoch ${epoch} to ${topic}`))
      return ask(
        `writes an epoch to ${topic}`,
        true,
        Effect.zipLeft(real.write(epoch, records), kept),
        `epoch ${epoch}`
      )
    },
    position: ask(`looks at ${topic}`, false, real.position)
  })
  const service = (real: TopicsService): TopicsService => ({
    ...real,
    list: ask("lists topics", false, real.list),
    describe: (topic) => ask(`describes ${topic}`, false, real.describe(topic)),
    create: (topic, options) => ask(`creates ${topic}`, true, real.create(topic, options)),
    reader: (topic) =>
      Effect.map(ask(`opens ${topic}`, false, Effect.scoped(real.reader(topic))), (found) => reader(topic, found)),
    produce: (topic, partition, records) =>
      ask(`produces to ${topic}/${partition}`, true, real.produce(topic, partition, records)),
    fetch: (topic, partition, offset, count) =>
      ask(`fetches ${topic}/${partition}`, false, real.fetch(topic, partition, offset, count)),
    epochWriter: (topic, options) =>
      Effect.map(ask(`opens the fence of ${topic}`, true, Effect.scoped(real.epochWriter(topic, options))), (found) =>
        writer(topic, found)
      )
  })
  return Layer.effect(Topics, Effect.map(Topics, service)).pipe(Layer.provide(TopicsMemory.layer(store)))
}

const unavailable = (what: string): SourceUnavailable =>
  new SourceUnavailable({
    source: "simulated",
    message: `The broker did not answer: ${what}`,
    hint: "A job tries again by itself."
  })
