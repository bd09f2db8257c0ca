/**
 * Where everything of a simulated world stands: its servers, what they keep, and the network to them; and the machine on
 * which processes run, with its disk. Processes come and go; what is kept here stays.
 */
import type { FileSystem, Path } from "@effect/platform"
import { Clock, Effect, Layer } from "effect"
import type { CheckpointStore } from "../../checkpoint/CheckpointStore.ts"
import * as FileCheckpointStore from "../../checkpoint/FileCheckpointStore.ts"
import * as SqlCheckpointStore from "../../checkpoint/SqlCheckpointStore.ts"
import * as LedgerFolder from "../../connectors/files/LedgerFolder.ts"
import * as Log from "../../connectors/log/index.ts"
import type { Tables } from "../../flow/Tables.ts"
import { type ProducedRecord, type StoredRecord, Topics, type TopicsError } from "../../flow/Topics.ts"
import * as TopicsMemory from "../TopicsMemory.ts"
import type { Database } from "./Database.ts"
import type { Disk } from "./Disk.ts"
import * as DiskFiles from "./DiskFiles.ts"
import * as Faults from "./Faults.ts"
import * as Input from "./Input.ts"
import * as Machine from "./Machine.ts"
import * as Network from "./Network.ts"
import * as Process from "./Process.ts"
import * as Producer from "./Producer.ts"
import * as TablesServer from "./TablesServer.ts"
import * as TopicsServer from "./TopicsServer.ts"
import * as World from "./World.ts"

/** A record, and where it is put. */
export interface Coming extends ProducedRecord {
  readonly topic: string
  readonly partition: number
}

/** What a job may need: topics, tables, and the files of the machine that its process runs on. */
export type Reachable = Tables | Topics | FileSystem.FileSystem | Path.Path

/** Files by path, from the root or from the folder that processes run in, which is the root. */
export type Files = Readonly<Record<string, string | Uint8Array>>

/** Where a job keeps what it keeps. Tables are in the database, in every layout. */
export interface Layout {
  readonly checkpoints: "tables" | "files"
  /** At a broker, or in the log of the one process that owns it. */
  readonly topics: "broker" | "log"
}

/** The layout of a seed's world. */
export const layoutOf = (seed: number): Layout => {
  const chance = World.make(seed).chance("layout")
  return {
    checkpoints: chance.below(2) === 0 ? "tables" : "files",
    topics: chance.below(2) === 0 ? "broker" : "log"
  }
}

/** A layout, for the story. */
export const told = ({ checkpoints, topics }: Layout): string =>
  `checkpoints are in ${checkpoints === "files" ? "files on the disk" : "tables"}, topics ${topics === "log" ? "in a log on the disk" : "at a broker"}`

export interface Stage {
  readonly world: World.World
  readonly striker: Faults.Striker
  readonly database: Database
  /** The servers, which a fault may take away. */
  readonly servers: ReadonlyArray<Network.Server>
  readonly machine: Machine.Machine
  /** Topics, tables and files as a process reaches them. */
  readonly layers: (process: Process.Process) => Layer.Layer<Reachable, TopicsError>
  readonly checkpoints: Layer.Layer<CheckpointStore, unknown, Tables | FileSystem.FileSystem>
  /** Brings the input through the process that owns the log; `null`: topics are at a broker, and it comes there. */
  readonly producer: Producer.Producer | null
  /** What someone beside the network does with the topics, at once. Of a log a copy is read, which nobody else sees. */
  readonly onTopics: <A>(effect: Effect.Effect<A, unknown, Topics>) => A
  /** The records of a topic, by partition; `null`: there is no such topic. */
  readonly recordsOf: (topic: string) => ReadonlyArray<ReadonlyArray<StoredRecord>> | null
  /** What the broker keeps; `null`: topics are in a log. */
  readonly broker: TopicsMemory.Store | null
  /** Lets somebody look whenever a reader of the tables or of the topics could see something new; is told what was done. */
  readonly watch: (look: (done: () => string) => void) => void
  /** Nothing happens in its world any more. */
  readonly close: () => void
}

export interface StageOptions {
  readonly seed: number
  readonly faults: Faults.Faults
  /** Partitions by topic: those of the input. */
  readonly topics: Readonly<Record<string, number>>
  /** A stage whose input this one has, record for record. Absent: its topics are empty. */
  readonly inputOf?: Stage
  /** Absent: checkpoints in tables, topics at a broker. */
  readonly layout?: Layout
  readonly makeDatabase: () => Database
  /** Those that were on the disk long before. Absent: none. */
  readonly files?: Files
  /** When its world begins, in milliseconds since 1970. Absent: 2100. */
  readonly began?: number | undefined
}

/** Folders on the disk of the machine. */
const folders = { data: "/data", checkpoints: "/data/checkpoints", topics: "/data/topics" }
/** A full segment of the log has from so many bytes to so many times more, as a power of two. */
const segmentBytes = { least: 512, doublings: 8 }

export const make = (options: StageOptions): Stage => {
  const { began, faults, files = {}, inputOf, layout = layoutDefault, makeDatabase, seed, topics } = options
  const world = World.make(seed, began)
  const striker = Faults.striker(world, faults)
  const connected = { network: Network.make(world, striker), striker }
  const clock = clockOf(world)
  const database = makeDatabase()
  const machine = Machine.make(world, striker)
  prepare(machine.disk, files)
  const looks: Array<(done: () => string) => void> = []
  const onKept = (done: () => string): void => {
    for (const look of looks) look(done)
  }
  const tables = { database, server: Network.server(world, "database"), onKept }
  const broker = { store: TopicsMemory.makeStore(), server: Network.server(world, "broker"), clock, onKept }
  const isLog = layout.topics === "log"
  const chance = world.chance("log")
  const segmentBytesMax = segmentBytes.least * 2 ** chance.below(segmentBytes.doublings)
  const log = Log.layer({ folder: folders.topics, segmentBytesMax })
  const onTopics = <A>(effect: Effect.Effect<A, unknown, Topics>): A =>
    Effect.runSync(
      effect.pipe(
        Effect.provide(
          isLog ? Layer.provide(log, DiskFiles.layerBeside(machine.disk.copy())) : TopicsMemory.layer(broker.store)
        ),
        Effect.withClock(clock)
      )
    )
  for (const [topic, partitions] of isLog ? [] : Object.entries(topics)) {
    onTopics(Effect.flatMap(Topics, (service) => service.create(topic, { partitions })))
    for (const [partition, records] of (inputOf?.recordsOf(topic) ?? []).entries())
      broker.store.topics.get(topic)!.partitions[partition]!.push(...records)
  }
  return {
    world,
    striker,
    database,
    machine,
    servers: isLog ? [tables.server] : [tables.server, broker.server],
    layers: (process) => {
      const files = DiskFiles.layer(machine, process)
      return Layer.mergeAll(
        files,
        Layer.provide(LedgerFolder.layer({ folder: LedgerFolder.inData(folders.data) }), files),
        TablesServer.layer(process, tables, connected),
        isLog ? Layer.provide(log, files) : TopicsServer.layer(world, process, broker, connected)
      )
    },
    checkpoints:
      layout.checkpoints === "files" ? FileCheckpointStore.layer(folders.checkpoints) : SqlCheckpointStore.layer,
    producer: isLog ? Producer.make(topics, chance) : null,
    onTopics,
    recordsOf: (topic) => (isLog ? onTopics(fetchAll(topic)) : (broker.store.topics.get(topic)?.partitions ?? null)),
    broker: isLog ? null : broker.store,
    watch: (look) => void looks.push(look),
    close: () => {
      Process.forget(world)
      database.close()
    }
  }
}

/** Records come: to the broker at once, to a log when the process that owns it has them. */
export const produce = (stage: Stage, records: ReadonlyArray<Coming>): void => {
  if (stage.producer !== null) stage.producer.come(records)
  else
    stage.onTopics(
      Effect.forEach(
        records,
        ({ partition, topic, ...record }) =>
          Effect.flatMap(Topics, (topics) => topics.produce(topic, partition, [record])),
        { discard: true }
      )
    )
}

/** Lines on input that did not stay as it came. */
export const unkept = ({ onTopics, producer }: Stage): ReadonlyArray<string> =>
  producer === null ? [] : onTopics(producer.differences)

// Private

export const layoutDefault: Layout = { checkpoints: "tables", topics: "broker" }

/** The folder of all data was there long before, and so were these files. */
const prepare = (disk: Disk, files: Files): void => {
  disk.makeFolder(folders.data, true)
  disk.open("/", "r").sync()
  for (const [path, content] of Object.entries(files)) {
    const names = path.split("/").slice(0, -1)
    for (let depth = 1; depth <= names.length; depth++) {
      const folder = `/${names.slice(0, depth).join("/")}`
      disk.makeFolder(folder, true)
      disk.open(`${folder}/..`, "r").sync()
    }
    const handle = disk.open(path, "w")
    handle.write(0, Input.bytesOf(content))
    handle.sync()
    disk.open(`/${names.join("/")}`, "r").sync()
  }
}

/** A topic as a log holds it; `null`: it holds none of this name, which may be that of a folder. */
const fetchAll = (topic: string) =>
  Effect.gen(function* () {
    const service = yield* Topics
    const { partitions } = yield* service.describe(topic)
    return yield* Effect.forEach(partitions, ({ latest, oldest, partition }) =>
      service.fetch(topic, partition, oldest, latest - oldest)
    )
  }).pipe(Effect.catchTags({ UnknownTopic: () => Effect.succeed(null), InvalidTopic: () => Effect.succeed(null) }))

const clockOf = (world: World.World): Clock.Clock => {
  const millis = (): number => Math.floor(world.now())
  return { ...Clock.make(), unsafeCurrentTimeMillis: millis, currentTimeMillis: Effect.sync(millis) }
}
