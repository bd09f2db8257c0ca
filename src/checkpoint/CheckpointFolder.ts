/**
 * Files that are written once: sealed by a checksum, synced, and made visible under their name in one step, which only
 * the first of two writers takes.
 *
 * A file is written beside its name, synced, then linked to it: a link never replaces what is there, in one process or
 * in two on one file system. The folder is synced after. So a name is there wholly or not at all, after a power cut
 * too. The file system must have hard links.
 */
import type { FileSystem } from "@effect/platform"
import { Effect, Random } from "effect"
import { crc32 } from "../model/Crc32.ts"
import { StorageFailed } from "../model/Errors.ts"

/** Before the body: these four letters, the body's length and its checksum, 32 bits each, big-endian. */
const headBytes = 12
const letters = [0x57, 0x45, 0x49, 0x52]
const temporary = ".writing-"

/** The files of a folder, written by `write` and not by others. */
export interface CheckpointFolder {
  readonly path: string
  /** Creates a file, durable when it ends; answers false, and changes nothing, if the name is taken. */
  readonly write: (name: string, body: Uint8Array) => Effect.Effect<boolean, StorageFailed>
  /** The body as it was written; `changed` if it is not, `missing` if there is no such file. */
  readonly read: (name: string) => Effect.Effect<Uint8Array | "changed" | "missing", StorageFailed>
  /** Names of whole files, in no order. */
  readonly names: Effect.Effect<ReadonlyArray<string>, StorageFailed>
  /** Removes files; those that are gone already do not matter. */
  readonly remove: (names: ReadonlyArray<string>) => Effect.Effect<void, StorageFailed>
  /** Removes what writers of stale names left half done. One that still lives then fails, and nothing becomes visible. */
  readonly clear: (isStale: (name: string) => boolean) => Effect.Effect<void, StorageFailed>
  /** Makes durable which files are here: who wrote one may have died before it did so. */
  readonly settle: Effect.Effect<void, StorageFailed>
  /** Makes durable that this folder is here, and those above it. */
  readonly settleAbove: Effect.Effect<void, StorageFailed>
}

/** The folder at `path`; it is made at the first write. */
export const make = (files: FileSystem.FileSystem, path: string): CheckpointFolder => {
  const failing = storageFailing(path)
  const all = files.readDirectory(path).pipe(Effect.catchIf(isMissing, () => Effect.succeed([])))
  const remove = (names: ReadonlyArray<string>) =>
    Effect.forEach(names, (name) => files.remove(`${path}/${name}`, { force: true }), { discard: true })
  return {
    path,
    write: (name, body) => failing(write(files, path, { name, body })),
    read: (name) =>
      failing(
        files.readFile(`${path}/${name}`).pipe(
          Effect.map((bytes) => unseal(bytes) ?? ("changed" as const)),
          Effect.catchIf(isMissing, () => Effect.succeed("missing" as const))
        )
      ),
    names: failing(Effect.map(all, (names) => names.filter((name) => !name.startsWith(temporary)))),
    remove: (names) => failing(remove(names)),
    clear: (isStale) =>
      failing(
        Effect.flatMap(all, (names) =>
          remove(
            names.filter((name) => {
              const wanted = besideWhich(name)
              return wanted !== undefined && isStale(wanted)
            })
          )
        )
      ),
    settle: failing(Effect.catchIf(sync(files, path), isMissing, () => Effect.void)),
    settleAbove: failing(syncAbove(files, path))
  }
}

const write = (
  files: FileSystem.FileSystem,
  path: string,
  file: { readonly name: string; readonly body: Uint8Array }
) =>
  Effect.gen(function* () {
    const beside = `${path}/${temporary}${yield* Random.nextIntBetween(0, 2 ** 48)}-${file.name}`
    const target = `${path}/${file.name}`
    yield* makeFolder(files, path)
    yield* Effect.scoped(
      Effect.flatMap(files.open(beside, { flag: "wx" }), (opened) =>
        Effect.zipRight(opened.writeAll(seal(file.body)), opened.sync)
      )
    )
    const linked = yield* files.link(beside, target).pipe(
      Effect.as(true),
      Effect.catchIf(isThere, () => Effect.succeed(false)),
      Effect.ensuring(Effect.ignore(files.remove(beside, { force: true })))
    )
    if (linked) yield* sync(files, path)
    return linked
  })

/** The name that a half-done file is to have; `undefined` for any other. */
const besideWhich = (name: string): string | undefined =>
  name.startsWith(temporary) ? name.slice(name.indexOf("-", temporary.length) + 1) : undefined

const makeFolder = (files: FileSystem.FileSystem, path: string) =>
  Effect.gen(function* () {
    if (yield* files.exists(path)) return
    yield* files.makeDirectory(path, { recursive: true })
    yield* syncAbove(files, path)
  })

/** The names of new folders are in their parents: the job's, the root's, and that of the root. */
const syncAbove = (files: FileSystem.FileSystem, path: string) =>
  Effect.gen(function* () {
    for (let folder = path, i = 0; i < 3; i++) {
      folder = parentOf(folder)
      yield* sync(files, folder)
    }
  })

const parentOf = (folder: string): string => {
  const end = folder.lastIndexOf("/")
  return end < 0 ? "." : folder.slice(0, Math.max(end, 1))
}

/** Makes the names of a folder durable. */
const sync = (files: FileSystem.FileSystem, path: string) =>
  Effect.scoped(Effect.flatMap(files.open(path, { flag: "r" }), (folder) => folder.sync))

const seal = (body: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(headBytes + body.length)
  const view = new DataView(bytes.buffer)
  bytes.set(letters)
  view.setUint32(4, body.length)
  view.setUint32(8, crc32(body))
  bytes.set(body, headBytes)
  return bytes
}

const unseal = (bytes: Uint8Array): Uint8Array | null => {
  if (bytes.length < headBytes || letters.some((letter, i) => bytes[i] !== letter)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(4) !== bytes.length - headBytes) return null
  if (view.getUint32(8) !== crc32(bytes, headBytes)) return null
  // A plain array: some platforms read into a subclass whose `slice` does not copy.
  return new Uint8Array(bytes.buffer, bytes.byteOffset + headBytes, bytes.length - headBytes)
}

const reasonOf = (error: unknown): string => (error as { readonly reason?: string }).reason ?? ""
const isMissing = (error: unknown): boolean => reasonOf(error) === "NotFound"
const isThere = (error: unknown): boolean => reasonOf(error) === "AlreadyExists"

/** What a disk refuses, as an error that names the folder. */
const storageFailing =
  (path: string) =>
  <A, E extends { readonly message: string }, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, StorageFailed, R> =>
    Effect.mapError(
      effect,
      (error) =>
        new StorageFailed({
          path,
          message: `the checkpoints in ${path} cannot be read or written: ${error.message}`,
          hint: "check that the disk has room, can be written and has hard links"
        })
    )
