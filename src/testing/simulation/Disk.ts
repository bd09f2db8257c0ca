/**
 * The disk of a simulated machine: folders and files in memory, and beside each what of it is durable.
 *
 * It promises what POSIX promises, and no more. What was written to a file is durable once that file was synced; that a
 * name was made, changed or removed is durable once its folder was synced. When the power fails, each change that was
 * not synced is there afterwards or not: a later one without an earlier one, a write torn at any byte or with some of
 * its sectors missing, a name whose file is still empty. Changes of one name come in their order, and a file that was
 * renamed within its folder has at least one of both names: no file system in use does worse (Pillai and others, All
 * File Systems Are Not Created Equal, OSDI 2014).
 */
import type { Chance } from "./Chance.ts"

/** Why an operation is refused, as POSIX names it; the last one is what runtimes say of a folder that is not removed. */
export type Code =
  | "EBADF"
  | "EEXIST"
  | "EINVAL"
  | "EIO"
  | "EISDIR"
  | "ENOENT"
  | "ENOSPC"
  | "ENOTDIR"
  | "ENOTEMPTY"
  | "EPERM"
  | "ERR_FS_EISDIR"

/** Thrown by operations that are refused; nothing has changed then. */
export class Refused extends Error {
  readonly code: Code
  constructor(code: Code, path: string) {
    super(`${code}: ${path}`)
    this.code = code
  }
}

export type Flag = "r" | "r+" | "w" | "wx" | "w+" | "wx+" | "a" | "ax" | "a+" | "ax+"

export interface Stat {
  readonly kind: "file" | "folder"
  /** Bytes; of a folder 0. */
  readonly size: number
  /** Names of a file. */
  readonly links: number
}

/** An open file or folder. It stays usable when its names are gone. */
export interface Handle {
  readonly stat: () => Stat
  /** Bytes from `position` on, into `buffer`; answers how many: fewer only at the end. */
  readonly read: (position: number, buffer: Uint8Array) => number
  /** Writes at `position`, or at the end if it was opened for that; behind the end, zeros fill what is between. */
  readonly write: (position: number, bytes: Uint8Array) => void
  readonly truncate: (size: number) => void
  /** Makes what was written to the file durable, or the names of the folder. */
  readonly sync: () => void
}

/** What a power loss found not synced, and what it took. */
export interface Loss {
  readonly writes: number
  readonly writesLost: number
  readonly writesTorn: number
  readonly names: number
  readonly namesLost: number
}

/** Paths are absolute, or begin at the root. Every operation may throw `Refused`. */
export interface Disk {
  readonly open: (path: string, flag: Flag) => Handle
  readonly stat: (path: string) => Stat
  /** Names in a folder, in no order. */
  readonly names: (path: string) => ReadonlyArray<string>
  /** `parents`: those that are missing are made too, and it is no error if the folder is there. */
  readonly makeFolder: (path: string, parents: boolean) => void
  readonly link: (from: string, to: string) => void
  readonly rename: (from: string, to: string) => void
  /** `whole`: a folder as well, with all that is in it. */
  readonly remove: (path: string, whole: boolean) => void
  /**
   * The machine stops and starts again: what is there then is all that there is. `tears` decides of each write that
   * survives whether only a part of it does. Handles from before must not be used again.
   */
  readonly losePower: (tears: () => boolean) => Loss
  /** Another disk with the same files, none of which waits for a sync. */
  readonly copy: () => Disk
}

interface Bytes {
  buffer: Uint8Array
  size: number
}
type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly size: number }
interface File {
  readonly kind: "file"
  readonly content: Bytes
  /** What is durable; `unsynced` is what was done since, in order. */
  readonly durable: Bytes
  readonly unsynced: Array<Change>
  links: number
}
interface Naming {
  readonly name: string
  /** `null`: the name is removed. */
  readonly node: Node | null
  /** Survives only if this one does. */
  readonly needs: Naming | null
}
interface Folder {
  readonly kind: "folder"
  readonly names: Map<string, Node>
  readonly durable: Map<string, Node>
  readonly unsynced: Array<Naming>
}
type Node = File | Folder

/** All files together. */
const bytesMax = 1 << 28
/** Changes of a file or a folder that wait for a sync: the disk writes the oldest by itself when more come. */
const unsyncedMax = 256
const sectorBytes = 512

export const make = (chance: Chance): Disk => of(newFolder(), 0, chance)

// Private

const of = (root: Folder, usedBefore: number, chance: Chance): Disk => {
  let used = usedBefore

  const grow = (bytes: number, path: string): void => {
    if (used + bytes > bytesMax) throw new Refused("ENOSPC", path)
    used += bytes
  }
  const find = (path: string): Node | undefined => {
    let node: Node | undefined = root
    for (const name of partsOf(path)) {
      if (node === undefined) return undefined
      if (node.kind === "file") throw new Refused("ENOTDIR", path)
      node = node.names.get(name)
    }
    return node
  }
  const found = (path: string): Node => {
    const node = find(path)
    if (node === undefined) throw new Refused("ENOENT", path)
    return node
  }
  const folderAt = (path: string): Folder => {
    const node = found(path)
    if (node.kind === "file") throw new Refused("ENOTDIR", path)
    return node
  }
  /** The folder of a name, and the name. */
  const placeOf = (path: string): { readonly folder: Folder; readonly name: string } => {
    const parts = partsOf(path)
    const name = parts.pop()
    if (name === undefined) throw new Refused("EINVAL", path)
    return { folder: folderAt(parts.join("/")), name }
  }
  const unlink = (node: Node): void => {
    if (node.kind === "file" && --node.links === 0) used -= node.content.size
  }
  const removeFrom = (folder: Folder, name: string, node: Node): void => {
    if (node.kind === "folder") for (const [below, one] of [...node.names]) removeFrom(node, below, one)
    unlink(node)
    named(folder, name, null)
  }
  const handle = (node: Node, flag: Flag, path: string): Handle => {
    const file = (mayNot: boolean): File => {
      if (mayNot) throw new Refused("EBADF", path)
      if (node.kind === "folder") throw new Refused("EISDIR", path)
      return node
    }
    return {
      stat: () => statOf(node),
      read: (position, buffer) => {
        const { content } = file(flag !== "r" && !flag.endsWith("+"))
        const from = content.buffer.subarray(position, Math.min(content.size, position + buffer.length))
        buffer.set(from)
        return from.length
      },
      write: (position, bytes) => {
        const written = file(flag === "r")
        const at = flag.startsWith("a") ? written.content.size : position
        grow(Math.max(0, at + bytes.length - written.content.size), path)
        changed(written, { at, bytes: new Uint8Array(bytes) })
      },
      truncate: (size) => {
        if (node.kind === "folder" || flag === "r") throw new Refused("EINVAL", path)
        grow(size - node.content.size, path)
        changed(node, { size })
      },
      sync: () => sync(node)
    }
  }

  return {
    open: (path, flag) => {
      const node = find(path)
      if (node === undefined) {
        if (flag.startsWith("r")) throw new Refused("ENOENT", path)
        const { folder, name } = placeOf(path)
        const made = newFile()
        named(folder, name, made)
        return handle(made, flag, path)
      }
      if (flag.includes("x")) throw new Refused("EEXIST", path)
      if (flag !== "r" && node.kind === "folder") throw new Refused("EISDIR", path)
      if (flag.startsWith("w")) handle(node, flag, path).truncate(0)
      return handle(node, flag, path)
    },
    stat: (path) => statOf(found(path)),
    names: (path) => {
      const names = [...folderAt(path).names.keys()]
      const first = chance.below(Math.max(1, names.length))
      return [...names.slice(first), ...names.slice(0, first)]
    },
    makeFolder: (path, parents) => {
      const parts = partsOf(path)
      for (let length = parents ? 1 : parts.length; length <= parts.length; length++) {
        const there = find(parts.slice(0, length).join("/"))
        if (there !== undefined && (!parents || there.kind === "file")) {
          throw new Refused(there.kind === "file" && length < parts.length ? "ENOTDIR" : "EEXIST", path)
        }
        if (there !== undefined) continue
        const { folder, name } = placeOf(parts.slice(0, length).join("/"))
        named(folder, name, newFolder())
      }
    },
    link: (from, to) => {
      const node = found(from)
      const { folder, name } = placeOf(to)
      if (folder.names.has(name)) throw new Refused("EEXIST", to)
      if (node.kind === "folder") throw new Refused("EPERM", from)
      node.links++
      named(folder, name, node)
    },
    rename: (from, to) => {
      const source = placeOf(from)
      const target = placeOf(to)
      const node = found(from)
      const replaced = target.folder.names.get(target.name)
      if (node.kind === "folder" && isWithin(target.folder, node)) throw new Refused("EINVAL", to)
      if (replaced?.kind === "folder" && isWithin(source.folder, replaced)) throw new Refused("ENOTEMPTY", to)
      if (replaced === node) return
      if (replaced !== undefined) {
        if (node.kind === "folder" && replaced.kind === "file") throw new Refused("ENOTDIR", to)
        if (node.kind === "file" && replaced.kind === "folder") throw new Refused("EISDIR", to)
        if (replaced.kind === "folder" && replaced.names.size > 0) throw new Refused("ENOTEMPTY", to)
        unlink(replaced)
      }
      const put = named(target.folder, target.name, node)
      named(source.folder, source.name, null, target.folder === source.folder ? put : null)
    },
    remove: (path, whole) => {
      const node = found(path)
      if (node.kind === "folder" && !whole) throw new Refused("ERR_FS_EISDIR", path)
      const { folder, name } = placeOf(path)
      removeFrom(folder, name, node)
    },
    losePower: (tears) => {
      const loss = { writes: 0, writesLost: 0, writesTorn: 0, names: 0, namesLost: 0 }
      loseNames(root, chance, loss)
      const nodes = [...new Set(nodesOf(root))]
      for (const node of nodes) if (node.kind === "file") loseWrites(node, { chance, tears }, loss)
      for (const node of nodes) if (node.kind === "file") node.links = 0
      for (const node of nodesOf(root)) if (node.kind === "file") node.links++
      used = nodes.reduce((sum, node) => sum + (node.kind === "file" ? node.content.size : 0), 0)
      return loss
    },
    copy: () => of(copyOf(root, new Map()) as Folder, used, chance)
  }
}

type Losses = { -readonly [K in keyof Loss]: Loss[K] }

const newFile = (): File => ({ kind: "file", content: noBytes(), durable: noBytes(), unsynced: [], links: 1 })
const newFolder = (): Folder => ({ kind: "folder", names: new Map(), durable: new Map(), unsynced: [] })
const noBytes = (): Bytes => ({ buffer: new Uint8Array(0), size: 0 })

const partsOf = (path: string): Array<string> => {
  const parts: Array<string> = []
  for (const part of path.split("/")) {
    if (part === "..") parts.pop()
    else if (part !== "" && part !== ".") parts.push(part)
  }
  return parts
}

const statOf = (node: Node): Stat =>
  node.kind === "file"
    ? { kind: "file", size: node.content.size, links: node.links }
    : { kind: "folder", size: 0, links: 1 }

/** A node and all below it; a file with two names comes twice. */
function* nodesOf(node: Node): Generator<Node> {
  yield node
  if (node.kind === "folder") for (const below of node.names.values()) yield* nodesOf(below)
}

const isWithin = (folder: Folder, above: Folder): boolean => {
  for (const node of nodesOf(above)) if (node === folder) return true
  return false
}

/** `copies`: what is copied already, so that a file with two names stays one. */
const copyOf = (node: Node, copies: Map<Node, Node>): Node => {
  const known = copies.get(node)
  if (known !== undefined) return known
  const copy = node.kind === "file" ? newFile() : newFolder()
  copies.set(node, copy)
  if (node.kind === "file" && copy.kind === "file") {
    copy.links = node.links
    changed(copy, { at: 0, bytes: node.content.buffer.slice(0, node.content.size) })
  } else if (node.kind === "folder" && copy.kind === "folder")
    for (const [name, below] of node.names) named(copy, name, copyOf(below, copies))
  sync(copy)
  return copy
}

// Changes, and what becomes of them

const named = (folder: Folder, name: string, node: Node | null, needs: Naming | null = null): Naming => {
  const naming = { name, node, needs }
  applyName(folder.names, naming)
  folder.unsynced.push(naming)
  if (folder.unsynced.length > unsyncedMax) applyName(folder.durable, folder.unsynced.shift()!)
  return naming
}

const changed = (file: File, change: Change): void => {
  apply(file.content, change)
  file.unsynced.push(change)
  if (file.unsynced.length > unsyncedMax) apply(file.durable, file.unsynced.shift()!)
}

const sync = (node: Node): void => {
  if (node.kind === "file") for (const change of node.unsynced.splice(0)) apply(node.durable, change)
  else for (const naming of node.unsynced.splice(0)) applyName(node.durable, naming)
}

const applyName = (names: Map<string, Node>, { name, node }: Naming): void => {
  if (node === null) names.delete(name)
  else names.set(name, node)
}

const apply = (content: Bytes, change: Change): void => {
  if ("bytes" in change) {
    resize(content, Math.max(content.size, change.at + change.bytes.length))
    content.buffer.set(change.bytes, change.at)
  } else resize(content, change.size)
}

/** What is behind the end of the content is zeros, so that it grows by zeros. */
const resize = (content: Bytes, size: number): void => {
  if (size > content.buffer.length) {
    const larger = new Uint8Array(Math.max(size, 2 * content.buffer.length))
    larger.set(content.buffer.subarray(0, content.size))
    content.buffer = larger
  } else if (size < content.size) content.buffer.fill(0, size, content.size)
  content.size = size
}

/** Does a change survive? In a file or folder all do, or none, or some. */
const survival = (chance: Chance): (() => boolean) => {
  const share = [0, 1, 0.5, 0.9][chance.below(4)]!
  return () => chance.next() < share
}

const loseNames = (folder: Folder, chance: Chance, loss: Losses): void => {
  const survives = survival(chance)
  const survivors = new Set<Naming>()
  const stopped = new Set<string>()
  for (const naming of folder.unsynced) {
    loss.names++
    // The names of one folder that are no longer to be waited for were synced before.
    const isPossible = naming.needs === null || survivors.has(naming.needs) || !folder.unsynced.includes(naming.needs)
    if (!stopped.has(naming.name) && isPossible && survives()) {
      survivors.add(naming)
      applyName(folder.durable, naming)
    } else {
      loss.namesLost++
      stopped.add(naming.name)
    }
  }
  folder.unsynced.length = 0
  folder.names.clear()
  for (const [name, node] of folder.durable) folder.names.set(name, node)
  for (const node of folder.names.values()) if (node.kind === "folder") loseNames(node, chance, loss)
}

const loseWrites = (
  file: File,
  { chance, tears }: { readonly chance: Chance; readonly tears: () => boolean },
  loss: Losses
): void => {
  const survives = survival(chance)
  for (const change of file.unsynced) {
    loss.writes++
    if (!survives()) loss.writesLost++
    else if ("bytes" in change && change.bytes.length > 1 && tears()) {
      loss.writesTorn++
      for (const part of torn(change, chance)) apply(file.durable, part)
    } else apply(file.durable, change)
  }
  file.unsynced.length = 0
  resize(file.content, 0)
  resize(file.content, file.durable.size)
  file.content.buffer.set(file.durable.buffer.subarray(0, file.durable.size))
}

/** What is left of a write: its beginning, or its length and some of its sectors. */
const torn = (
  { at, bytes }: { readonly at: number; readonly bytes: Uint8Array },
  chance: Chance
): ReadonlyArray<Change> => {
  if (chance.below(2) === 0) return [{ at, bytes: bytes.subarray(0, 1 + chance.below(bytes.length - 1)) }]
  const parts: Array<Change> = [{ at: at + bytes.length, bytes: new Uint8Array(0) }]
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + sectorBytes - ((at + start) % sectorBytes))
    if (chance.below(2) === 0) parts.push({ at: at + start, bytes: bytes.subarray(start, end) })
    start = end
  }
  return parts
}
