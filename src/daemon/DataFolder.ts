/**
 * The data folder and its one owner.
 *
 * An owner listens on a local socket of its own and says its instance id there: to be alive is to answer. Process ids
 * say nothing here: they are reused, and mean nothing in another container. What two starters contend for is
 * `lock.<term>`, made by `link`, so that exactly one makes it:
 *
 *     read the highest term ─► ask its owner ─ alive ──► refused, by name
 *            ▲                      └ dead ─► listen, link lock.<term + 1> ─ made, and still the highest ─► owner
 *            └──────────────────────────────────────── lost ◄──┘
 *
 * The newest two terms are kept, and none is removed at the end: a slow starter cannot take a term that was taken
 * before and think it new. `lock` is the same text under a name for people.
 */
import { FileSystem, Path } from "@effect/platform"
import { Clock, Effect, Option, Schema, type Scope } from "effect"
import { FolderNewer, FolderOwned, StorageFailed } from "../model/Errors.ts"
import { type LocalServer, Network, ownerPath } from "./Network.ts"

/** The form of what this version writes into a folder. A folder of a newer one is left alone. */
const folderVersion = 1

/** Milliseconds that an owner may take to say its id. A process that accepts and says nothing is a stopped one. */
const answerMillis = 2_000
/** Starters that lose a term look again this often. */
const claimsMax = 20
/** Connections to an owner that may break before it counts as one that cannot be asked. */
const brokenMax = 5

/** What `lock` holds. */
export class Owner extends Schema.Class<Owner>("Owner")({
  pid: Schema.Number,
  host: Schema.String,
  startedAt: Schema.String,
  port: Schema.NullOr(Schema.Number),
  socket: Schema.String,
  instance: Schema.String,
  term: Schema.Number
}) {}

/** Who wants to own a folder. */
export interface Claimant {
  readonly pid: number
  readonly port: number | null
}

/** A folder that this process owns until its scope closes. */
export interface DataFolder {
  readonly path: string
  readonly owner: Owner
  readonly server: LocalServer
  /** Tells readers of `lock` where the HTTP API listens. */
  readonly tellPort: (port: number) => Effect.Effect<void, StorageFailed>
}

type Needs = FileSystem.FileSystem | Path.Path | Network

/** The owner of a folder that is alive now. A folder that is not there has none. */
export const look = (folder: string): Effect.Effect<Owner | null, FolderOwned | FolderNewer | StorageFailed, Needs> =>
  Effect.gen(function* () {
    const path = (yield* Path.Path).resolve(folder)
    yield* refuseNewer(path)
    const newest = yield* newestOwner(path)
    return newest.owner !== null && (yield* isAlive(path, newest.owner)) ? newest.owner : null
  })

/** Becomes the owner of a folder, which is made if it is not there. */
export const open = (
  folder: string,
  claimant: Claimant
): Effect.Effect<DataFolder, FolderOwned | FolderNewer | StorageFailed, Needs | Scope.Scope> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = (yield* Path.Path).resolve(folder)
    yield* refuseNewer(path)
    yield* onDisk(path, files.makeDirectory(path, { recursive: true, mode: 0o700 }))
    yield* refuseUnwritable(path)
    const instance = crypto.randomUUID()
    const socket = yield* socketName(path, instance)
    const network = yield* Network
    const server = yield* network.listenLocally(socket.startsWith("/") ? socket : `${path}/${socket}`, instance)
    const owner = yield* claim(path, {
      ...claimant,
      host: network.host,
      socket,
      instance,
      startedAt: new Date(yield* Clock.currentTimeMillis).toISOString()
    })
    yield* onDisk(path, writeWhole(`${path}/version`, `${folderVersion}\n`))
    yield* onDisk(path, writeWhole(`${path}/lock`, textOf(owner)))
    yield* tidy(path, owner)
    return {
      path,
      owner,
      server,
      tellPort: (port) =>
        onDisk(path, writeWhole(`${path}/lock`, textOf({ ...owner, port }))).pipe(
          Effect.provideService(FileSystem.FileSystem, files)
        )
    }
  })

const claim = (
  path: string,
  own: Omit<typeof Owner.Type, "term">
): Effect.Effect<Owner, FolderOwned | StorageFailed, Needs> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    for (let attempt = 0; attempt < claimsMax; attempt++) {
      const newest = yield* newestOwner(path)
      if (newest.owner !== null && (yield* isAlive(path, newest.owner)))
        return yield* Effect.fail(owned(path, newest.owner, "is in use by another process"))
      const owner = new Owner({ ...own, term: newest.term + 1 })
      const written = `${path}/lock-${own.instance}`
      yield* onDisk(path, writeWhole(written, textOf(owner)))
      const made = yield* files.link(written, `${path}/lock.${owner.term}`).pipe(
        Effect.as(true),
        Effect.catchIf(
          (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
          () => Effect.succeed(false)
        ),
        Effect.mapError((error) => storageFailed(path, error.message)),
        Effect.ensuring(Effect.ignore(files.remove(written)))
      )
      // A term that was tidied away can be made again by who slept: it counts only if no newer one is there.
      if (made && (yield* newestTerm(path)) === owner.term) return owner
    }
    return yield* Effect.fail(
      storageFailed(path, `the lock changed hands ${claimsMax} times while this process waited for it`)
    )
  })

/** Does the owner answer with its id? */
const isAlive = (folder: string, owner: Owner): Effect.Effect<boolean, FolderOwned, Network> =>
  Effect.gen(function* () {
    const network = yield* Network
    const asked = network.ask(socketOf(folder, owner), {
      method: "GET",
      path: ownerPath,
      silentAfterMillis: answerMillis
    })
    for (let attempt = 1; ; attempt++) {
      const answer = yield* asked
      if (answer._tag === "Answer") return answer.body === owner.instance
      if (answer._tag === "Silent")
        return yield* Effect.fail(
          owned(folder, owner, "is in use by a process that does not answer (stopped or stuck)")
        )
      if (answer._tag === "Absent") {
        if (!owner.socket.startsWith("/") || owner.host === network.host) return false
        return yield* Effect.fail(
          owned(folder, owner, "may be in use on another machine, which cannot be asked from here")
        )
      }
      // A connection that breaks is an owner that ends just now: the next question finds nobody.
      if (attempt === brokenMax)
        return yield* Effect.fail(owned(folder, owner, `is in use by a process that cannot be asked (${answer.why})`))
      yield* Effect.sleep(20 * attempt)
    }
  })

/** Where an owner listens. Inside the folder it is named relatively: another container sees the folder elsewhere. */
export const socketOf = (folder: string, owner: Owner): string =>
  owner.socket.startsWith("/") ? owner.socket : `${folder}/${owner.socket}`

const owned = (folder: string, owner: Owner, what: string) =>
  new FolderOwned({
    folder,
    owner: owner.instance,
    message: `The data folder ${folder} ${what}: process ${owner.pid} on ${owner.host}, started at ${owner.startedAt}${owner.port === null ? "" : `, port ${owner.port}`}`,
    hint: "Stop that process first, or give this one a folder of its own with --data or WEIR_DATA."
  })

/** A socket's path must be short; where the folder's is not, the socket lies beside other temporary files. */
const socketName = (folder: string, instance: string) =>
  Effect.map(Network, (network) => {
    const name = `socket-${instance.slice(0, 8)}`
    const bytes = new TextEncoder().encode(`${folder}/${name}`).length
    return bytes <= network.socketPathBytesMax ? name : `${network.temporaryFolder}/weir-${instance}`
  })

const terms = (path: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const names = yield* files.readDirectory(path).pipe(
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.succeed<ReadonlyArray<string>>([])
      ),
      Effect.mapError((error) => storageFailed(path, error.message))
    )
    return names.flatMap((name) => (/^lock\.\d{1,15}$/.test(name) ? [Number(name.slice(5))] : [])).sort((a, b) => b - a)
  })

const newestTerm = (path: string) => Effect.map(terms(path), (all) => all[0] ?? 0)

const newestOwner = (path: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const term = yield* newestTerm(path)
    if (term === 0) return { term, owner: null }
    const text = yield* onDisk(path, files.readFileString(`${path}/lock.${term}`))
    const owner = Option.getOrNull(Schema.decodeUnknownOption(Schema.parseJson(Owner))(text))
    return { term, owner }
  })

/** Removes what owners before the last one left: their terms, and sockets on which nobody listens. */
const tidy = (path: string, owner: Owner) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    for (const term of (yield* terms(path)).filter((term) => term < owner.term - 1))
      yield* Effect.ignore(files.remove(`${path}/lock.${term}`))
    const network = yield* Network
    const names = yield* Effect.orElseSucceed(files.readDirectory(path), () => [])
    for (const name of names.filter((name) => name.startsWith("socket-"))) {
      const socket = `${path}/${name}`
      if (name === owner.socket) continue
      const answer = yield* network.ask(socket, { method: "GET", path: ownerPath, silentAfterMillis: answerMillis })
      if (answer._tag === "Absent") yield* Effect.ignore(files.remove(socket))
    }
  })

const refuseNewer = (path: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* files.readFileString(`${path}/version`).pipe(
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.succeed(String(folderVersion))
      ),
      Effect.mapError((error) => storageFailed(path, error.message))
    )
    if (!/^\d+$/.test(text.trim()) || Number(text) > folderVersion)
      return yield* Effect.fail(
        new FolderNewer({
          folder: path,
          message: `The data folder ${path} has version '${text.trim().slice(0, 20)}'; this Weir knows version ${folderVersion}. Nothing in it was changed`,
          hint: "Use the newer Weir that made it, or give this one a folder of its own with --data or WEIR_DATA."
        })
      )
  })

// A folder that cannot be written is told by its own name, not by the first file that failed in it.
const refuseUnwritable = (path: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const probe = `${path}/lock-${crypto.randomUUID()}`
    yield* onDisk(path, files.writeFileString(probe, ""))
    yield* Effect.ignore(files.remove(probe))
  })

const writeWhole = (path: string, text: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const written = `${path}~`
    yield* files.writeFileString(written, text)
    yield* files.rename(written, path)
  })

const textOf = (owner: typeof Owner.Encoded): string => `${JSON.stringify({ ...owner }, null, 2)}\n`

const onDisk = <A, R>(path: string, effect: Effect.Effect<A, { readonly message: string }, R>) =>
  Effect.mapError(effect, (error) => storageFailed(path, error.message))

const storageFailed = (path: string, why: string) =>
  new StorageFailed({
    path,
    message: `The data folder ${path} cannot be used: ${why}`,
    hint: "Make it a folder on a disk with free space that this user may read and write, or choose another one with --data or WEIR_DATA."
  })
