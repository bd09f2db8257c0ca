/**
 * One ledger on a disk: a file of lines that only grows, each a JSON with a checksum before it. What is not whole at its
 * end was never handed out, and is cut off.
 *
 *     ledger            {"key":"…","identity":"…"}, then {"owner":1}, then a line for each file that the owner took
 *     covered/<job>     how many files are done with for this job
 *     held/<n>          somebody reads who is not known by a job's name yet; of this process, if it lives
 *
 * Who opens it is a new owner. A process that was paused, and wakes up after another has opened it, takes nothing: what
 * it still writes stands behind the other's number, and is passed over.
 */
import type { FileSystem } from "@effect/platform"
import { Effect, Schema } from "effect"
import type { Coverage, FileLedger, LedgerSight, TakenFile } from "../../flow/FileLedgers.ts"
import * as Digest from "../../model/Digest.ts"
import { StorageFailed } from "../../model/Errors.ts"
import { append, cut, makeFolder, names, readText, remove, replace } from "./LedgerDisk.ts"

/** Opens the ledger in a folder of its own, or makes it. Called once for each in a process. */
export const open = (
  fs: FileSystem.FileSystem,
  folder: string,
  key: string
): Effect.Effect<FileLedger, StorageFailed> =>
  Effect.gen(function* () {
    const path = `${folder}/ledger`
    yield* makeFolder(fs, folder)
    for (const part of ["covered", "held"]) yield* makeFolder(fs, `${folder}/${part}`)
    const found = yield* recovered(fs, path, key)
    const { files, identity } = found
    const owner = found.owner + 1
    let length = found.size
    /** Writes behind what is whole, whatever else stands there: what is left of a write that failed, or of an older owner. */
    const write = (bytes: Uint8Array): Effect.Effect<void, StorageFailed> =>
      Effect.gen(function* () {
        if (!(yield* append(fs, path, length, bytes))) {
          const text = (yield* readText(fs, path)) ?? ""
          if ((parsed(text)?.owner ?? owner) > owner) return yield* takenOver(path)
          const own = parsed(text, files.length)
          if (own === null) return yield* broken(path)
          yield* cut(fs, path, own.size)
          length = own.size
          if (!(yield* append(fs, path, length, bytes))) return yield* takenOver(path)
        }
        length += bytes.length
      })
    yield* write(encoder.encode(lineOf({ owner })))
    for (const stale of yield* names(fs, `${folder}/held`)) yield* remove(fs, `${folder}/held/${stale}`)
    const latest = new Map(files.map((file) => [file.path, file]))
    const turn = yield* Effect.makeSemaphore(1)
    let holds = 0
    return {
      identity,
      files,
      last: (path) => latest.get(path),
      inTurn: turn.withPermits(1),
      take: (taken) =>
        Effect.gen(function* () {
          const added = numbered(taken, endOf(files))
          yield* write(encoder.encode(added.map((file) => lineOf({ owner, ...file })).join("")))
          for (const file of added) {
            files.push(file)
            latest.set(file.path, file)
          }
        }).pipe(Effect.uninterruptible),
      cover: (job, covered) => replace(fs, `${folder}/covered`, fileName(job), JSON.stringify({ job, files: covered })),
      hold: Effect.suspend(() => {
        const name = String(holds++)
        const release = remove(fs, `${folder}/held/${name}`)
        return Effect.acquireRelease(Effect.as(replace(fs, `${folder}/held`, name, "held"), { release }), () =>
          Effect.ignore(release)
        )
      }),
      covered: coverage(fs, folder)
    } satisfies FileLedger
  })

/** What is on the disk now, whoever has it open. `null`: there is no ledger. */
export const look = (fs: FileSystem.FileSystem, folder: string): Effect.Effect<LedgerSight | null, StorageFailed> =>
  Effect.gen(function* () {
    const text = yield* readText(fs, `${folder}/ledger`)
    const found = text === null ? null : parsed(text)
    // A file that is taken meanwhile is covered by nobody: what is covered was taken before.
    return found === null ? null : { files: found.files, covered: yield* coverage(fs, folder) }
  })

// Private

const coverage = (fs: FileSystem.FileSystem, folder: string): Effect.Effect<Coverage, StorageFailed> =>
  Effect.gen(function* () {
    if ((yield* names(fs, `${folder}/held`)).length > 0) return { files: 0, by: null }
    const texts = yield* Effect.forEach(yield* names(fs, `${folder}/covered`), (name) =>
      readText(fs, `${folder}/covered/${name}`)
    )
    const all = texts.flatMap((text) => (text === null ? [] : [decodeCovered(text)]))
    const [least] = all.sort((a, b) => a.files - b.files)
    return least === undefined ? { files: 0, by: null } : { files: least.files, by: least.job }
  })

interface Recovered {
  readonly identity: string
  readonly files: Array<TakenFile>
  /** Of whom the last line that says so is; 0: nobody. */
  readonly owner: number
  /** Bytes that are whole. */
  readonly size: number
}

const recovered = (fs: FileSystem.FileSystem, path: string, key: string): Effect.Effect<Recovered, StorageFailed> =>
  Effect.gen(function* () {
    const text = yield* readText(fs, path)
    if (text !== null) {
      const found = parsed(text)
      return found ?? (yield* broken(path))
    }
    const identity = globalThis.crypto.randomUUID()
    const head = lineOf({ key, identity })
    yield* replace(fs, path.slice(0, path.lastIndexOf("/")), "ledger", head)
    return { identity, files: [], owner: 0, size: encoder.encode(head).length }
  })

/** What of a ledger is whole, up to so many files; `null`: not even its head. */
const parsed = (text: string, filesMax = Number.POSITIVE_INFINITY): Recovered | null => {
  const [first, ...lines] = text.split("\n")
  const head = decodeHead(checked(first!))
  if (head === null || lines.length === 0) return null
  const files: Array<TakenFile> = []
  let owner = 0
  let size = bytesOf(first!)
  // Behind the last line end is what was not written as a whole.
  for (const line of lines.slice(0, -1)) {
    const value = checked(line)
    const file = decodeFile(value)
    const opened = decodeOwner(value)
    if (file === null && opened === null) break
    if (file === null) owner = Math.max(owner, opened!.owner)
    else if (file.owner === owner) {
      if (files.length === filesMax || file.first !== endOf(files)) break
      const { owner: _, ...taken } = file
      files.push(taken)
    }
    size += bytesOf(line)
  }
  return { identity: head.identity, files, owner, size }
}

/** Of a line, with its end. */
const bytesOf = (line: string): number => encoder.encode(line).length + 1

const numbered = (taken: ReadonlyArray<Omit<TakenFile, "first">>, from: number): ReadonlyArray<TakenFile> => {
  let first = from
  return taken.map((file) => {
    const one = { ...file, first }
    first += file.rows
    return one
  })
}

const endOf = (files: ReadonlyArray<TakenFile>): number => {
  const last = files[files.length - 1]
  return last === undefined ? 0 : last.first + last.rows
}

const encoder = new TextEncoder()
const checksumOf = (text: string): string => {
  const digest = Digest.make()
  digest.bytes(encoder.encode(text))
  return digest.result()
}

const lineOf = (value: object): string => {
  const text = JSON.stringify(value)
  return `${checksumOf(text)} ${text}\n`
}

/** The value of a line; `null`: it is not what was written. */
const checked = (line: string): unknown => {
  const text = line.slice(17)
  return line.slice(0, 17) === `${checksumOf(text)} ` ? JSON.parse(text) : null
}

const Head = Schema.Struct({ key: Schema.String, identity: Schema.String })
const Owner = Schema.Struct({ owner: Schema.Number })
const File = Schema.Struct({
  owner: Schema.Number,
  path: Schema.String,
  size: Schema.Number,
  modified: Schema.Number,
  inode: Schema.Number,
  first: Schema.Number,
  rows: Schema.Number
})
const orNull =
  <A>(is: (value: unknown) => value is A) =>
  (value: unknown): A | null =>
    is(value) ? value : null
const decodeHead = orNull(Schema.is(Head))
const decodeOwner = orNull(Schema.is(Owner))
const decodeFile = orNull(Schema.is(File))
const decodeCovered = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Struct({ job: Schema.String, files: Schema.Number }))
)

const broken = (path: string) =>
  new StorageFailed({
    path,
    message: `${path} does not begin as a ledger of files`,
    hint: "Restore it, with the data folder that it is in. Without it nobody knows which rows the checkpoints speak of: take it away, and begin anew with `weir reset <job>`."
  })

const takenOver = (path: string) =>
  new StorageFailed({
    path,
    message: `Another process has taken ${path} over`,
    hint: "A data folder has one owner: stop one of the two, or give each a folder of its own (`WEIR_DATA`)."
  })

/** A job's name as the name of a file, whatever it is. */
const fileName = (job: string): string => encodeURIComponent(job).replaceAll(".", "%2E")
