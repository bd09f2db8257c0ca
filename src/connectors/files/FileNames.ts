/**
 * The names of files that a sink makes: `<job>-<sink>-<lineage>-<first epoch>-<last epoch>.parquet`. A name says whose rows
 * are in it and of which epochs, so that nothing has to be asked before a file is made again, merged or removed.
 */
import * as Digest from "../../model/Digest.ts"

/** The epochs of a file. */
export interface EpochRange {
  readonly lineage: number
  readonly first: number
  readonly last: number
}

export interface FileName extends EpochRange {
  /** Job and sink, as they stand in the name. */
  readonly owner: string
  /** Without its dot. */
  readonly end: string
}

/** The beginning of the names of a sink's files. */
export const ownerOf = (job: string, sink: string): string => {
  const digest = Digest.make()
  digest.bytes(utf8.encode(job))
  digest.bytes(utf8.encode(sink))
  return `${safe(job)}-${digest.result().slice(0, 8)}`
}

/** The name of a folder for a job or a sink: no two have one. */
export const folderNameOf = (name: string): string => {
  const encoded = utf8.encode(name)
  if (encoded.length <= lengthMax && plain.test(name)) return name
  const digest = Digest.make()
  digest.bytes(encoded)
  return `${safe(name)}-${digest.result()}`
}

export const format = ({ end, first, last, lineage, owner }: FileName): string =>
  `${owner}-${lineage}-${first}-${last}.${end}`

/** `null`: no sink gave it. */
export const parse = (name: string): FileName | null => {
  const found = /^(.+-[0-9a-f]{8})-(\d{1,10})-(\d{1,15})-(\d{1,15})\.([a-z.]+)$/.exec(name)
  if (found === null) return null
  const [, owner, lineage, first, last, end] = found
  return { owner: owner!, lineage: Number(lineage), first: Number(first), last: Number(last), end: end! }
}

/** Does a file that is not the other hold all its epochs? Then its rows are in both. */
export const covers = (one: FileName, other: FileName): boolean =>
  one.owner === other.owner &&
  one.first <= other.first &&
  one.last >= other.last &&
  (one.first < other.first || one.last > other.last)

/** Those whose rows no other of them has too: of a folder where files are being merged, what a reader is to read. */
export const uncovered = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const parsed = names.map(parse)
  return names.filter((_, i) => {
    const own = parsed[i]
    return own == null || !parsed.some((other) => other !== null && covers(other, own))
  })
}

// Private

const utf8 = new TextEncoder()
const lengthMax = 60
/** A beginning with a dot or a line below hides a file from many readers. */
const plain = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

const safe = (name: string): string =>
  name
    .replaceAll(/[^A-Za-z0-9-]+/g, "_")
    .slice(0, lengthMax)
    .replace(/^(?:[_-]+|$)/, "x")
