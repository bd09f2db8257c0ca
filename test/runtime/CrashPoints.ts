/**
 * Durable steps of a life, counted: every change of a file, every transaction, and what stores in memory keep. The life
 * can be made to end before, in the middle of, or after any of them, as a killed process ends: nothing of it has an
 * effect any more.
 */
import type { FileSystem } from "@effect/platform"
import { Deferred, Effect } from "effect"
import type { CheckpointStoreService } from "../../src/checkpoint/CheckpointStore.ts"
import type { TablesService } from "../../src/flow/Tables.ts"
import type { TopicsService } from "../../src/flow/Topics.ts"

const gone = Effect.interruptible(Effect.never)

export interface CrashPoints {
  /** Completed at the crash. */
  readonly crashed: Deferred.Deferred<string>
  /** Names of the steps that were reached, in order. */
  readonly reached: Array<string>
  /** A durable step of something else. */
  readonly step: <A, E, R>(name: string, step: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly fileSystem: (real: FileSystem.FileSystem) => FileSystem.FileSystem
  readonly tables: (real: TablesService) => TablesService
  /** Of topics in memory: those in a log are files. */
  readonly topics: (real: TopicsService) => TopicsService
  /** Of a checkpoint store in memory: the others are files or tables. */
  readonly checkpoints: (real: CheckpointStoreService) => CheckpointStoreService
}

/** Ends the life at the `at`-th step, counted from 1; 0 never does. */
export const make = (at: number): Effect.Effect<CrashPoints> =>
  Effect.gen(function* () {
    const crashed = yield* Deferred.make<string>()
    const reached: Array<string> = []
    let isDown = false
    const point = (name: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (isDown) return gone
        reached.push(name)
        if (reached.length !== at) return Effect.void
        isDown = true
        return Effect.zipRight(Deferred.succeed(crashed, name), gone)
      })
    const around = <A, E, R>(name: string, step: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.zipRight(point(`before ${name}`), Effect.zipLeft(step, point(`after ${name}`)))

    const file = (real: FileSystem.File): FileSystem.File => {
      const watched: Partial<FileSystem.File> = {
        // A write that is torn in the middle is as likely as one that is whole.
        write: (bytes) => Effect.zipRight(torn(real, bytes), around("write", real.write(bytes))),
        writeAll: (bytes) => Effect.zipRight(torn(real, bytes), around("write", real.writeAll(bytes))),
        truncate: (length) => around("truncate", real.truncate(length)),
        sync: around("sync", real.sync)
      }
      // A file's other methods stand on its prototype, where a copy would lose them.
      return new Proxy(real, {
        get: (target, name) => {
          const value = watched[name as keyof FileSystem.File] ?? Reflect.get(target, name)
          return typeof value === "function" ? value.bind(target) : value
        }
      })
    }
    const torn = (real: FileSystem.File, bytes: Uint8Array): Effect.Effect<void> =>
      Effect.suspend(() =>
        reached.length + 1 === at && !isDown
          ? Effect.zipRight(
              Effect.ignore(real.writeAll(bytes.subarray(0, bytes.length >> 1))),
              point("in the middle of write")
            )
          : point("in the middle of write")
      )
    return {
      crashed,
      reached,
      step: around,
      fileSystem: (real) => ({
        ...real,
        open: (path, options) => Effect.map(real.open(path, options), file),
        rename: (from, to) => around("rename", real.rename(from, to)),
        link: (from, to) => around("link", real.link(from, to)),
        remove: (path, options) => around("remove", real.remove(path, options)),
        writeFile: (path, bytes, options) => around("write", real.writeFile(path, bytes, options)),
        writeFileString: (path, text, options) => around("write", real.writeFileString(path, text, options)),
        makeDirectory: (path, options) => around("make folder", real.makeDirectory(path, options))
      }),
      tables: (real) => ({ ...real, transaction: (statements) => around("transaction", real.transaction(statements)) }),
      topics: (real) => ({
        ...real,
        epochWriter: (topic, options) =>
          Effect.map(around("topic's fence", real.epochWriter(topic, options)), (writer) => ({
            ...writer,
            write: (epoch, records) => around("topic's records", writer.write(epoch, records))
          }))
      }),
      checkpoints: (real) => ({
        ...real,
        claim: (job, jobId) => around("claim", real.claim(job, jobId)),
        writeIntent: (claim, intent) => around("intent", real.writeIntent(claim, intent)),
        writeLookup: (claim, rows, inUse) => around("lookup", real.writeLookup(claim, rows, inUse)),
        commit: (claim, epoch) => around("manifest", real.commit(claim, epoch))
      })
    }
  })
