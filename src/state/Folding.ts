/**
 * When a key group is written anew as a base, and in how many steps.
 *
 * Deltas outweigh what they describe sooner or later, and a restart has to read them all. Writing a large key group
 * anew at one barrier would make that epoch slow, so a fold is spread over epochs: entries are written from the last
 * index down, then those that are packed, a share at each barrier, and the deltas that came meanwhile are put behind them. Read in order, these
 * give the state at the barrier at which the fold ends: an entry that changed after it was written is in a delta too.
 *
 * Work per epoch: `creditShare` times the bytes of its deltas, and `1 / paceEpochs` of the whole state, so that no
 * key group comes to `Limits.stateDeltasMax` deltas. Stored bytes stay within about four times those of the state.
 */
import * as Limits from "../model/Limits.ts"
import type { Classes } from "./Classes.ts"
import { Writer } from "./Encoding.ts"
import type { PackedEntries } from "./PackedEntries.ts"
import type { StatePart } from "./StatePart.ts"

/** What folding sees of a key group. */
export interface Foldable<E> {
  readonly keyGroup: number
  readonly entries: ReadonlyArray<E>
  readonly packed: PackedEntries
  /** Bytes of its entries as they were last written. */
  liveBytes: number
  /** Bytes of its base and deltas. */
  storedBytes: number
  /** Deltas since its base. */
  deltas: number
}

interface Fold<E> {
  readonly group: Foldable<E>
  readonly byWeight: boolean
  readonly writer: Writer
  readonly progress: Progress
  /** Deltas since it began. */
  readonly behind: Array<Uint8Array>
}

/** How far a fold has come. */
export interface Progress {
  /** Entries from here up are written; `null`: it has not begun. */
  index: number | null
  /** Chunks of packed entries that are written. */
  chunks: number
}

/** Writes entries, then packed ones, from where it stands until `bytesMax` are written; says whether that was all. */
export type WriteEntries<E> = (group: Foldable<E>, progress: Progress, writer: Writer, bytesMax: number) => boolean

export class Folding<E> {
  readonly #groups: ReadonlyArray<Foldable<E>>
  readonly #write: WriteEntries<E>
  readonly #classes: Classes
  readonly #writer: Writer
  #fold: Fold<E> | null = null

  constructor(groups: ReadonlyArray<Foldable<E>>, write: WriteEntries<E>, classes: Classes) {
    this.#groups = groups
    this.#classes = classes
    this.#writer = new Writer(65_536, classes)
    this.#write = write
  }

  /** Is a fold of this key group under way? */
  isFolding(keyGroup: number): boolean {
    return this.#fold?.group.keyGroup === keyGroup
  }

  /** The parts of an epoch, after its share of folding: a key group whose fold ended has a base in place of its delta. */
  run(deltas: ReadonlyArray<StatePart>): ReadonlyArray<StatePart> {
    if (deltas.length === 0) return deltas
    const bases = new Map<number, StatePart>()
    let deltaBytes = 0
    for (const part of deltas) {
      deltaBytes += part.bytes.length
      if (part.keyGroup === this.#fold?.group.keyGroup) this.#fold.behind.push(part.bytes)
    }
    this.#spend(deltaBytes * creditShare, bases)
    this.#foldFull(bases)
    if (bases.size === 0) return deltas
    return [...deltas.filter((part) => !bases.has(part.keyGroup)), ...bases.values()]
  }

  #spend(credit: number, bases: Map<number, StatePart>): void {
    let liveBytes = 0
    for (const group of this.#groups) liveBytes += group.liveBytes
    let weightBytes = credit
    let paceBytes = paceBytesMin + liveBytes / paceEpochs
    for (;;) {
      this.#fold ??= this.#next(bases)
      const fold = this.#fold
      if (fold === null) return
      const allowed = fold.byWeight ? weightBytes + paceBytes : paceBytes
      if (allowed <= 0) return
      const start = fold.writer.length
      const isWhole = this.#write(fold.group, fold.progress, fold.writer, allowed)
      let spent = fold.writer.length - start
      if (fold.byWeight) {
        const fromWeight = Math.min(spent, weightBytes)
        weightBytes -= fromWeight
        spent -= fromWeight
      }
      paceBytes -= spent
      if (!isWhole) return
      this.#fold = null
      this.#finish(fold, bases)
    }
  }

  /** The last resort: a key group with as many deltas as there may be is folded whole. */
  #foldFull(bases: Map<number, StatePart>): void {
    for (const group of this.#groups) {
      if (group.deltas < Limits.stateDeltasMax) continue
      const fold = this.#fold?.group === group ? this.#fold : this.#begin(group, true, new Writer(1024, this.#classes))
      if (fold === this.#fold) this.#fold = null
      this.#write(group, fold.progress, fold.writer, Number.POSITIVE_INFINITY)
      this.#finish(fold, bases)
    }
  }

  /** The heaviest key group that is due; if none is, the one with the most deltas, if they are many. */
  #next(bases: ReadonlyMap<number, StatePart>): Fold<E> | null {
    let heaviest: Foldable<E> | null = null
    let longest: Foldable<E> | null = null
    for (const group of this.#groups) {
      if (group.deltas === 0 || bases.has(group.keyGroup)) continue
      if (excess(group) >= 0 && (heaviest === null || ratio(group) > ratio(heaviest))) heaviest = group
      if (group.deltas >= pacedDeltasMin && (longest === null || group.deltas > longest.deltas)) longest = group
    }
    const crowded = longest !== null && longest.deltas >= Limits.stateDeltasMax / 2
    const group = crowded ? longest : (heaviest ?? longest)
    if (group === null) return null
    this.#writer.clear()
    return this.#begin(group, group === heaviest, this.#writer)
  }

  #begin(group: Foldable<E>, byWeight: boolean, writer: Writer): Fold<E> {
    return { group, byWeight, writer, progress: { index: null, chunks: 0 }, behind: [] }
  }

  #finish(fold: Fold<E>, bases: Map<number, StatePart>): void {
    for (const delta of fold.behind) fold.writer.raw(delta)
    const bytes = fold.writer.copy()
    fold.group.storedBytes = bytes.length
    fold.group.deltas = 0
    bases.set(fold.group.keyGroup, { keyGroup: fold.group.keyGroup, kind: "base", bytes })
  }
}

/** Bytes folded for each byte of deltas, while key groups are due by weight. */
const creditShare = 1
/** Epochs in which the whole state could be folded beside that. With `pacedDeltasMin`, within the most deltas allowed. */
const paceEpochs = 180
/** Deltas from which a key group is folded even if they weigh little. */
const pacedDeltasMin = 48
/** Bytes folded in any epoch: small states are not worth spreading. */
const paceBytesMin = 4096

/** Stored bytes above twice the live ones: from 0 on, a fold drops about half of what is stored. */
const excess = (group: Foldable<unknown>): number =>
  group.storedBytes - 2 * group.liveBytes - (group.entries.length + group.packed.size === 0 ? 0 : 1024)
const ratio = (group: Foldable<unknown>): number => group.storedBytes / (group.liveBytes + 1)
