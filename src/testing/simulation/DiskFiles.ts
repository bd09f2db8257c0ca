/**
 * The files of a simulated machine's disk, as a `FileSystem`. For a process of the world operations take the world's
 * time and may fail: one is done at one moment, unless the process died before, and its answer takes a while.
 */
import { FileSystem, Path, Error as PlatformError } from "@effect/platform"
import { Effect, Layer, Option, type Scope } from "effect"
import * as Disk from "./Disk.ts"
import type { Machine } from "./Machine.ts"
import type { Process } from "./Process.ts"

/** The files as a process of the machine has them. */
export const layer = (machine: Machine, process: Process): Layer.Layer<FileSystem.FileSystem | Path.Path> =>
  layerOf(machine.disk, mannerOf(machine, process))

/** The files for someone beside the world: all is done at once, and nothing fails by chance. */
export const layerBeside = (disk: Disk.Disk): Layer.Layer<FileSystem.FileSystem | Path.Path> =>
  layerOf(disk, {
    taken: (bytes) => bytes,
    perform: (_, execute) => Effect.suspend(() => attempted(execute))
  })

// How operations are done

/** What an operation does to the disk: nothing, take away or rename, need room, or wait for it. */
type Kind = "look" | "change" | "grow" | "sync"

interface Manner {
  /** Bytes of a write that are written at once: at least one, or all. */
  readonly taken: (bytes: number) => number
  readonly perform: <A>(
    operation: { readonly kind: Kind; readonly what: string },
    execute: () => A
  ) => Effect.Effect<A, Disk.Refused>
}

/** An operation takes so long, in milliseconds; a slow one longer. */
const millis = { least: 0.01, most: 0.2, sync: 4, slowest: 3_000 }
const odds = { slow: 0.004, full: 0.002, error: 0.002, short: 0.1, kill: 0.004, powerLoss: 0.003, both: 0.5 }
/** Power fails so long after an operation, in milliseconds; or after one at which its process was killed. */
const powerLossMillisMax = { after: 20, afterKill: 4_000 }

const mannerOf = (machine: Machine, process: Process): Manner => {
  const { striker, world } = machine
  const chance = world.chance(`disk of ${process.name}`)
  const time = (kind: Kind): number => {
    const usual = millis.least + chance.next() ** 3 * (kind === "sync" ? millis.sync : millis.most)
    return striker.strikes("slow disk", odds.slow) ? usual + chance.next() ** 2 * millis.slowest : usual
  }
  const refusal = (kind: Kind, what: string): Disk.Refused | null => {
    if (kind === "grow" && !machine.isFull() && striker.strikes("full disk", odds.full)) machine.fill()
    if (striker.strikes("disk error", odds.error)) {
      world.tell("disk", `${process.name} ${what}: fails`, "disk error")
      return new Disk.Refused("EIO", what)
    }
    // A full disk has room for some of what comes.
    return kind === "grow" && machine.isFull() && chance.below(2) === 0 ? new Disk.Refused("ENOSPC", what) : null
  }
  /** What was changed is not synced yet, and what was synced not answered: something may strike just then. */
  const strike = (): void => {
    if (striker.strikes("power loss", odds.powerLoss))
      world.after(chance.next() ** 3 * powerLossMillisMax.after, machine.losePower)
    else if (striker.strikes("kill", odds.kill)) {
      machine.kill(process)
      if (striker.strikes("power loss", odds.both))
        world.after(chance.next() * powerLossMillisMax.afterKill, machine.losePower)
    }
  }
  /** The process goes on behind a boundary: at once, when it wakes up, or never. */
  const passes = (what: string, changes: boolean, then: () => void): void =>
    process.enter(() => {
      if (process.reaches(what.replace(ownName, "/…:"), changes)) process.enter(then)
    })
  return {
    taken: (bytes) => (machine.isFull() || chance.next() < odds.short ? 1 + chance.below(bytes) : bytes),
    perform: ({ kind, what }, execute) =>
      Effect.async((resume) => {
        const done = (): void => {
          const refused = refusal(kind, what)
          const result = refused === null ? attempted(execute) : Effect.fail(refused)
          if (kind === "look") resume(result)
          else {
            strike()
            passes(`${what}: done`, false, () =>
              world.after(millis.least, () => passes(`${what}: answered`, false, () => resume(result)))
            )
          }
        }
        if (kind === "look") world.after(time(kind), () => process.enter(done))
        else passes(`${what}: to be done`, true, () => world.after(time(kind), () => process.enter(done)))
      })
  }
}

/** A file's name is often its process's own: a boundary is named by the folder. */
const ownName = /\/[^/]*:(?= )/

const attempted = <A>(execute: () => A): Effect.Effect<A, Disk.Refused> => {
  try {
    return Effect.succeed(execute())
  } catch (refused) {
    if (refused instanceof Disk.Refused) return Effect.fail(refused)
    throw refused
  }
}

// The file system

type Failing = Effect.Effect<never, PlatformError.PlatformError>

const layerOf = (disk: Disk.Disk, manner: Manner): Layer.Layer<FileSystem.FileSystem | Path.Path> =>
  Layer.merge(
    Layer.sync(FileSystem.FileSystem, () => serviceOf(disk, manner)),
    Path.layer
  )

const serviceOf = (disk: Disk.Disk, manner: Manner): FileSystem.FileSystem => {
  const at =
    (method: string, kind: Kind) =>
    <A>(path: string, execute: () => A): Effect.Effect<A, PlatformError.PlatformError> =>
      Effect.mapError(manner.perform({ kind, what: `${method} ${path}` }, execute), failing(method, path))
  const open = (path: string, flag: Disk.Flag) =>
    Effect.map(
      at("open", flag.startsWith("r") ? "look" : "grow")(path, () => disk.open(path, flag)),
      (handle) => fileOf(handle, { path, flag, at, manner })
    )
  const readFile = (path: string) =>
    at("readFile", "look")(path, () => {
      const handle = disk.open(path, "r")
      const bytes = new Uint8Array(handle.stat().size)
      handle.read(0, bytes)
      return bytes
    })
  const writeFile = (path: string, bytes: Uint8Array, flag: Disk.Flag = "w") =>
    Effect.flatMap(open(path, flag), (file) => file.writeAll(bytes))
  return FileSystem.make({
    access: (path) => at("access", "look")(path, () => void disk.stat(path)),
    chmod: () => notThere("chmod"),
    chown: () => notThere("chown"),
    copy: () => notThere("copy"),
    copyFile: () => notThere("copyFile"),
    link: (from, to) => at("link", "grow")(from, () => disk.link(from, to)),
    makeDirectory: (path, options) =>
      at("makeDirectory", "grow")(path, () => disk.makeFolder(path, options?.recursive ?? false)),
    makeTempDirectory: () => notThere("makeTempDirectory"),
    makeTempDirectoryScoped: () => notThere("makeTempDirectoryScoped"),
    makeTempFile: () => notThere("makeTempFile"),
    makeTempFileScoped: () => notThere("makeTempFileScoped"),
    open: (path, options): Effect.Effect<FileSystem.File, PlatformError.PlatformError, Scope.Scope> =>
      open(path, options?.flag ?? "r"),
    readDirectory: (path) => at("readDirectory", "look")(path, () => [...disk.names(path)]),
    readFile,
    readLink: () => notThere("readLink"),
    realPath: () => notThere("realPath"),
    remove: (path, options) =>
      Effect.catchIf(
        at("remove", "change")(path, () => disk.remove(path, options?.recursive ?? false)),
        (error) => options?.force === true && error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.void
      ),
    rename: (from, to) => at("rename", "change")(from, () => disk.rename(from, to)),
    stat: (path) => at("stat", "look")(path, () => infoOf(disk.stat(path))),
    symlink: () => notThere("symlink"),
    truncate: (path, size) => at("truncate", "change")(path, () => disk.open(path, "r+").truncate(Number(size ?? 0))),
    utimes: () => notThere("utimes"),
    watch: () => {
      throw new Error(absent("watch"))
    },
    writeFile: (path, bytes, options) => writeFile(path, bytes, options?.flag)
  })
}

const absent = (method: string): string => `a simulated disk has no '${method}'`
const notThere = (method: string): Failing => Effect.dieMessage(absent(method))

interface Opened {
  readonly path: string
  readonly flag: Disk.Flag
  readonly at: (
    method: string,
    kind: Kind
  ) => <A>(path: string, execute: () => A) => Effect.Effect<A, PlatformError.PlatformError>
  readonly manner: Manner
}

/** An open file, with a place of its own for reads and for writes that are not at its end. */
const fileOf = (handle: Disk.Handle, { at, flag, manner, path }: Opened): FileSystem.File => {
  const turn = Effect.unsafeMakeSemaphore(1).withPermits(1)
  const appends = flag.startsWith("a")
  let position = 0
  const read = (buffer: Uint8Array) =>
    at("read", "look")(path, () => {
      const bytes = handle.read(position, buffer)
      position += bytes
      return bytes
    })
  const write = (buffer: Uint8Array) =>
    at("write", "grow")(path, () => {
      const bytes = buffer.length === 0 ? 0 : manner.taken(buffer.length)
      handle.write(position, buffer.subarray(0, bytes))
      if (!appends) position += bytes
      return bytes
    })
  const writeAll = (buffer: Uint8Array): Effect.Effect<void, PlatformError.PlatformError> =>
    Effect.flatMap(write(buffer), (bytes) => (bytes < buffer.length ? writeAll(buffer.subarray(bytes)) : Effect.void))
  return {
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    fd: FileSystem.FileDescriptor(0),
    stat: at("stat", "look")(path, () => infoOf(handle.stat())),
    sync: at("sync", "sync")(path, handle.sync),
    seek: (offset, from) =>
      turn(
        Effect.sync(() => {
          position = Number(offset) + (from === "current" ? position : 0)
        })
      ),
    read: (buffer) => turn(Effect.map(read(buffer), FileSystem.Size)),
    readAlloc: (size) =>
      turn(
        Effect.suspend(() => {
          const buffer = new Uint8Array(Number(size))
          return Effect.map(read(buffer), (bytes) =>
            bytes === 0 ? Option.none() : Option.some(buffer.subarray(0, bytes))
          )
        })
      ),
    truncate: (length) =>
      turn(
        at("truncate", "change")(path, () => {
          const size = Number(length ?? 0)
          handle.truncate(size)
          if (!appends) position = Math.min(position, size)
        })
      ),
    write: (buffer) => turn(Effect.map(write(buffer), FileSystem.Size)),
    writeAll: (buffer) => turn(writeAll(buffer))
  }
}

const infoOf = ({ kind, links, size }: Disk.Stat): FileSystem.File.Info => ({
  type: kind === "file" ? "File" : "Directory",
  mtime: Option.none(),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 0,
  rdev: Option.none(),
  ino: Option.none(),
  mode: 0o600,
  nlink: Option.some(links),
  uid: Option.none(),
  gid: Option.none(),
  size: FileSystem.Size(size),
  blksize: Option.none(),
  blocks: Option.none()
})

const reasons: Partial<Record<Disk.Code, PlatformError.SystemErrorReason>> = {
  EEXIST: "AlreadyExists",
  EISDIR: "BadResource",
  ENOENT: "NotFound",
  ENOTDIR: "BadResource"
}

const failing =
  (method: string, path: string) =>
  ({ code }: Disk.Refused): PlatformError.PlatformError =>
    new PlatformError.SystemError({
      module: "FileSystem",
      method,
      reason: reasons[code] ?? "Unknown",
      description: code,
      pathOrDescriptor: path
    })
