/**
 * Puts rows in the order of their key, the same in every process: so two transactions never wait for each other's
 * rows, and an epoch that is computed again writes the same.
 *
 * Each key column is replaced by the ranks of its values; a stable counting sort by ranks, last column first, then
 * orders the rows without comparing two of them.
 */

export interface RowOrder {
  /** Indexes of the rows in the order of their key; rows of equal key in the order in which they came. */
  readonly indexes: Int32Array
  /** Have these two rows the same key? */
  readonly same: (left: number, right: number) => boolean
}

/** Orders `count` rows by columns of key values. */
export const make = (count: number, keyColumns: ReadonlyArray<ReadonlyArray<unknown>>): RowOrder => {
  let indexes = new Int32Array(count)
  for (let i = 0; i < count; i++) indexes[i] = i
  const ranked = keyColumns.map(rank)
  for (let c = ranked.length - 1; c >= 0; c--) indexes = countingSort(indexes, ranked[c]!)
  const same = (left: number, right: number): boolean => {
    for (let c = 0; c < ranked.length; c++) {
      const { ranks } = ranked[c]!
      if (ranks[left] !== ranks[right]) return false
    }
    return true
  }
  return { indexes, same }
}

interface Ranked {
  readonly ranks: Int32Array
  readonly distinct: number
}

const rank = (values: ReadonlyArray<unknown>): Ranked => {
  const ranks = new Int32Array(values.length)
  const seen = new Map<unknown, number>()
  const distinct: Array<unknown> = []
  // Neighbours are often equal, and comparing is cheaper than looking up.
  let last: unknown
  let lastPlace = -1
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (lastPlace < 0 || value !== last) {
      const place = seen.get(value)
      if (place === undefined) {
        lastPlace = distinct.length
        seen.set(value, lastPlace)
        distinct.push(value)
      } else lastPlace = place
      last = value
    }
    ranks[i] = lastPlace
  }
  const rankOf = new Int32Array(distinct.length)
  const places = Array.from(distinct, (_, place) => place)
  places.sort((left, right) => compare(distinct[left], distinct[right]))
  for (let place = 0; place < places.length; place++) rankOf[places[place]!] = place
  for (let i = 0; i < ranks.length; i++) ranks[i] = rankOf[ranks[i]!]!
  return { ranks, distinct: distinct.length }
}

/** A total order over values of one type, NaN last; of several types by the type's name. */
const compare = (left: unknown, right: unknown): number => {
  const type = typeof left
  if (type !== typeof right) return type < typeof right ? -1 : 1
  if ((left as string) < (right as string)) return -1
  if ((left as string) > (right as string)) return 1
  return Number(Number.isNaN(left)) - Number(Number.isNaN(right))
}

const countingSort = (indexes: Int32Array, { distinct, ranks }: Ranked): Int32Array<ArrayBuffer> => {
  const starts = new Int32Array(distinct + 1)
  for (let i = 0; i < ranks.length; i++) starts[ranks[i]! + 1]!++
  for (let r = 1; r <= distinct; r++) starts[r]! += starts[r - 1]!
  const sorted = new Int32Array(indexes.length)
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i]!
    sorted[starts[ranks[index]!]!++] = index
  }
  return sorted
}
