/**
 * The world of one sink of files: a simulated disk, epochs that are the same however often they are computed, and a keeper of
 * manifests and intents, all of which outlive the lives of the sink. Before each step of a life something may happen.
 */
import { FileSystem, type Path } from "@effect/platform"
import { Cause, Effect, Exit, Layer, type Scope } from "effect"
import type { Prepared, Sink } from "../../../src/flow/Sink.ts"
import type { Batch } from "../../../src/model/Message.ts"
import { barrier, batch } from "../../../src/testing/SinkCase.ts"
import * as Chance from "../../../src/testing/simulation/Chance.ts"
import * as Disk from "../../../src/testing/simulation/Disk.ts"
import * as DiskFiles from "../../../src/testing/simulation/DiskFiles.ts"

type Needs = FileSystem.FileSystem | Path.Path

/** The epochs of an input: rows by epoch, from 1. The last one is final. */
export type Epochs = ReadonlyArray<ReadonlyArray<unknown>>

export interface SinkWorld {
  /** The files beside the sink: reading them is no step. */
  readonly beside: Layer.Layer<Needs>
  readonly kept: Kept
}

/** What is durable beside the files. */
interface Kept {
  lineage: number
  generation: number
  epoch: number
  position: string | null
  intents: ReadonlyArray<number>
}

/** Called before each step of a life, with what it is: what it does happens there. */
export type Before = (step: string) => Effect.Effect<void, never, never>

export interface DiskWorld extends SinkWorld {
  readonly disk: Disk.Disk
}

/** A world over files that are there already. */
export const on = (beside: Layer.Layer<Needs>): SinkWorld => ({
  beside,
  kept: { lineage: 1, generation: 0, epoch: 0, position: null, intents: [] }
})

/** The job begins anew, as one that recomputes does at each run. */
export const beginAnew = ({ kept }: SinkWorld): void => {
  kept.lineage++
  kept.epoch = 0
  kept.position = null
  kept.intents = []
}

export const make = (seed = 1): DiskWorld => {
  const disk = Disk.make(Chance.fromSeed(seed))
  disk.makeFolder("/data", true)
  disk.open("/", "r").sync()
  return { ...on(DiskFiles.layerBeside(disk)), disk }
}

/** Ends a life as `kill -9` does. */
export const crash = Effect.die("crash")

export const isCrash = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && [...Cause.defects(exit.cause)].includes("crash")

export const closedAt = (epoch: number): number => epoch * 60_000

/** One life, to the end of the input or of itself: a claim, what has to be computed again, and the rest. */
export const live = (
  world: SinkWorld,
  sink: Sink<never, unknown, Needs, unknown>,
  epochs: Epochs,
  before: Before = () => Effect.void
): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.gen(function* () {
    const { kept } = world
    kept.generation++
    const { epoch: manifestEpoch, generation, lineage } = kept
    const outcomes: Array<string> = []
    const isOwner = (): boolean => kept.generation === generation && kept.lineage === lineage
    const writer = yield* sink.open({
      job: "job",
      sink: sink.name,
      lineage,
      generation,
      manifestEpoch,
      intentEpochs: kept.intents,
      position: kept.position
    })
    if (writer._tag !== "OwnWriter") return yield* Effect.dieMessage("it commits by itself")
    for (let epoch = manifestEpoch + 1; epoch <= epochs.length; epoch++) {
      yield* before("intent")
      if (!isOwner()) return yield* Effect.fail("overtaken")
      if (!kept.intents.includes(epoch)) kept.intents = [...kept.intents, epoch]
      const batches: ReadonlyArray<Batch> = [batch(epochs[epoch - 1]!, 0, epoch * 1_000)]
      const prepared = yield* writer.prepare({
        barrier: { ...barrier(epoch), closedAt: closedAt(epoch), final: epoch === epochs.length },
        batches
      })
      outcomes.push(yield* writer.commit(prepared))
      const position = yield* writer.position
      yield* before("manifest")
      if (!isOwner()) return yield* Effect.fail("overtaken")
      kept.epoch = epoch
      kept.position = position
      kept.intents = kept.intents.filter((other) => other > epoch)
    }
    yield* before("end")
    return outcomes
  }).pipe(Effect.scoped, Effect.provide(stepping(world.beside, before)))

/** What a sink makes of the rows of its first epoch, before it commits them. */
export const prepare = (
  { beside, kept }: SinkWorld,
  sink: Sink<never, unknown, Needs, unknown>,
  rows: ReadonlyArray<unknown>
): Effect.Effect<Prepared, unknown> =>
  Effect.gen(function* () {
    const { epoch: manifestEpoch, lineage, position } = kept
    const generation = ++kept.generation
    const opening = { job: "job", sink: sink.name, lineage, generation, manifestEpoch, intentEpochs: [], position }
    const writer = yield* sink.open(opening)
    return yield* writer.prepare({ barrier: barrier(manifestEpoch + 1), batches: [batch(rows)] })
  }).pipe(Effect.scoped, Effect.provide(beside))

/** The rows that a reader finds: file by file, each with its lines; hidden folders are not looked into. */
export const read = (
  { beside }: SinkWorld,
  folder: string
): Effect.Effect<ReadonlyArray<{ readonly path: string; readonly bytes: Uint8Array }>> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const found: Array<{ readonly path: string; readonly bytes: Uint8Array }> = []
    const walk = (at: string): Effect.Effect<void, unknown> =>
      Effect.gen(function* () {
        for (const name of (yield* files.readDirectory(at)).sort()) {
          const path = `${at}/${name}`
          if (name.startsWith(".")) continue
          if ((yield* files.stat(path)).type === "Directory") yield* walk(path)
          else found.push({ path: path.slice(folder.length + 1), bytes: yield* files.readFile(path) })
        }
      })
    if (yield* files.exists(folder)) yield* walk(folder)
    return found
  }).pipe(Effect.provide(beside), Effect.orDie)

// Private

/** Files each of whose changes is a step. */
const stepping = (layer: Layer.Layer<Needs>, before: Before): Layer.Layer<Needs> =>
  Layer.merge(
    layer,
    Layer.effect(
      FileSystem.FileSystem,
      Effect.map(FileSystem.FileSystem, (files) => steps(files, before))
    ).pipe(Layer.provide(layer))
  )

const steps = (files: FileSystem.FileSystem, before: Before): FileSystem.FileSystem => {
  const step = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.zipRight(before(name), effect)
  return {
    ...files,
    makeDirectory: (path, options) => step(`make folder ${path}`, files.makeDirectory(path, options)),
    symlink: (from, to) => step(`link ${to}`, files.symlink(from, to)),
    rename: (from, to) => step(`rename ${from} ${to}`, files.rename(from, to)),
    remove: (path, options) => step(`remove ${path}`, files.remove(path, options)),
    open: (path, options): Effect.Effect<FileSystem.File, never, Scope.Scope> =>
      Effect.map(step(`open ${path}`, files.open(path, options)), (file) => ({
        ...file,
        sync: step(`sync ${path}`, file.sync),
        writeAll: (bytes: Uint8Array) => step(`write ${path}`, file.writeAll(bytes))
      })) as never
  }
}
