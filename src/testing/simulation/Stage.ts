/**
 * Where everything of a simulated world stands: its servers, what they keep, and the network to them. Processes come
 * and go; what is kept here stays.
 */
import { Clock, Effect, Layer } from "effect"
import type { CheckpointStore } from "../../checkpoint/CheckpointStore.ts"
import * as SqlCheckpointStore from "../../checkpoint/SqlCheckpointStore.ts"
import type { Tables } from "../../flow/Tables.ts"
import { type ProducedRecord, Topics } from "../../flow/Topics.ts"
import * as TopicsMemory from "../TopicsMemory.ts"
import type { Database } from "./Database.ts"
import * as Faults from "./Faults.ts"
import * as Network from "./Network.ts"
import type { Process } from "./Process.ts"
import * as TablesServer from "./TablesServer.ts"
import * as TopicsServer from "./TopicsServer.ts"
import * as World from "./World.ts"

/** A record, and where it is put. */
export interface Coming extends ProducedRecord {
  readonly topic: string
  readonly partition: number
}

export interface Stage {
  readonly world: World.World
  readonly striker: Faults.Striker
  readonly database: Database
  /** The servers, which a fault may take away. */
  readonly servers: ReadonlyArray<Network.Server>
  /** Topics and tables as a process reaches them. */
  readonly layers: (process: Process) => Layer.Layer<Tables | Topics>
  /** A checkpoint store in the tables. */
  readonly checkpoints: Layer.Layer<CheckpointStore, unknown, Tables>
  /** What someone beside the network does with the topics, at once. */
  readonly onTopics: <A>(effect: Effect.Effect<A, unknown, Topics>) => A
  /** What the broker keeps. */
  readonly store: TopicsMemory.Store
  readonly close: () => void
}

export interface StageOptions {
  readonly seed: number
  readonly faults: Faults.Faults
  /** Partitions by topic: those of the input. */
  readonly topics: Readonly<Record<string, number>>
  /** A stage whose input this one has, record for record. Absent: its topics are empty. */
  readonly inputOf?: Stage
  readonly makeDatabase: () => Database
  /** When its world begins, in milliseconds since 1970. Absent: 2100. */
  readonly began?: number | undefined
  /** Called whenever a reader of the tables or of the topics could see something new, with what was done. */
  readonly onKept?: (done: () => string) => void
}

export const make = (options: StageOptions): Stage => {
  const { began, faults, makeDatabase, onKept = () => {}, seed, topics } = options
  const world = World.make(seed, began)
  const striker = Faults.striker(world, faults)
  const connected = { network: Network.make(world, striker), striker }
  const clock = clockOf(world)
  const database = makeDatabase()
  const tables = {
    database,
    server: Network.server(world, "database"),
    onKept
  }
  const broker = { store: TopicsMemory.makeStore(), server: Network.server(world, "broker"), clock, onKept }
  const onTopics = <A>(effect: Effect.Effect<A, unknown, Topics>): A =>
    Effect.runSync(effect.pipe(Effect.provide(TopicsMemory.layer(broker.store)), Effect.withClock(clock)))
  for (const [topic, partitions] of Object.entries(topics)) {
    const found = options.inputOf?.store.topics.get(topic)
    if (found !== undefined) broker.store.topics.set(topic, found)
    else onTopics(Effect.flatMap(Topics, (service) => service.create(topic, { partitions })))
  }
  return {
    world,
    striker,
    database,
    servers: [tables.server, broker.server],
    layers: (process) =>
      Layer.merge(
        TablesServer.layer(process, tables, connected),
        TopicsServer.layer(world, process, broker, connected)
      ),
    checkpoints: SqlCheckpointStore.layer,
    store: broker.store,
    onTopics,
    close: database.close
  }
}

export const produce = (stage: Stage, records: ReadonlyArray<Coming>): void =>
  stage.onTopics(
    Effect.forEach(
      records,
      ({ partition, topic, ...record }) =>
        Effect.flatMap(Topics, (topics) => topics.produce(topic, partition, [record])),
      { discard: true }
    )
  )

const clockOf = (world: World.World): Clock.Clock => {
  const millis = (): number => Math.floor(world.now())
  return { ...Clock.make(), unsafeCurrentTimeMillis: millis, currentTimeMillis: Effect.sync(millis) }
}
