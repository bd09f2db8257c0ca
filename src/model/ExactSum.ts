/**
 * Sums of numbers that do not depend on their order: kept exactly, rounded once, when somebody asks.
 *
 * A sum is plain data, and never changed in place: a whole number while that is exact, then an expansion (numbers
 * that do not overlap and whose sum is the exact one, smallest first), and an object where numbers near the end of
 * the doubles' range, infinities or NaN have come.
 */

export type ExactSum = number | Expansion | WideSum
type Expansion = ReadonlyArray<number>

export interface WideSum {
  /** The sum of numbers below `wide`. */
  readonly low: Expansion
  /** The sum of the others, each times `shrink`, so that no partial sum overflows. */
  readonly high: Expansion
  readonly nans: number
  readonly infinities: number
  readonly negativeInfinities: number
}

const wide = 2 ** 900
const shrink = 2 ** -200

export const empty: ExactSum = 0

export const add = (sum: ExactSum, value: number): ExactSum => {
  if (typeof sum === "number") {
    const total = sum + value
    if (Number.isSafeInteger(total) && Number.isSafeInteger(value)) return total
    return add([sum], value)
  }
  if (!isWide(sum)) return Math.abs(value) < wide ? grow(sum, value) : addWide(widened(sum), value, 1)
  return addWide(sum, value, 1)
}

/** Takes back a value that was added. */
export const remove = (sum: ExactSum, value: number): ExactSum =>
  Number.isFinite(value) ? add(sum, -value) : addWide(widened(sum), value, -1)

export const merge = (left: ExactSum, right: ExactSum): ExactSum => {
  if (typeof right === "number") return add(left, right)
  if (typeof left === "number") return add(right, left)
  if (!isWide(left) && !isWide(right)) return right.reduce(grow, left)
  const [one, other] = [widened(left), widened(right)]
  return {
    low: other.low.reduce(grow, one.low),
    high: other.high.reduce(grow, one.high),
    nans: one.nans + other.nans,
    infinities: one.infinities + other.infinities,
    negativeInfinities: one.negativeInfinities + other.negativeInfinities
  }
}

/** The double nearest to the exact sum; ties to even. */
export const round = (sum: ExactSum): number => quotient(sum, 1)

/** The sum over `count`, where not even the sum need fit into a double. */
export const quotient = (sum: ExactSum, count: number): number => {
  if (typeof sum === "number") return sum / count + 0
  if (!isWide(sum)) return rounded(sum) / count + 0
  if (sum.nans > 0 || (sum.infinities > 0 && sum.negativeInfinities > 0)) return Number.NaN
  if (sum.infinities > 0) return Number.POSITIVE_INFINITY
  if (sum.negativeInfinities > 0) return Number.NEGATIVE_INFINITY
  if (sum.high.every((part) => part === 0)) return rounded(sum.low) / count + 0
  const exact = sum.high.reduce(
    (total, part) => total + (unitsOf(part) << 200n),
    sum.low.reduce((total, part) => total + unitsOf(part), 0n)
  )
  return fromUnits(exact / BigInt(count))
}

const isWide = (sum: Expansion | WideSum): sum is WideSum => "nans" in sum

const widened = (sum: ExactSum): WideSum => {
  if (typeof sum !== "number" && isWide(sum)) return sum
  return { low: typeof sum === "number" ? [sum] : sum, high: [], nans: 0, infinities: 0, negativeInfinities: 0 }
}

const addWide = (sum: WideSum, value: number, times: 1 | -1): WideSum => {
  if (Number.isNaN(value)) return { ...sum, nans: sum.nans + times }
  if (value === Number.POSITIVE_INFINITY) return { ...sum, infinities: sum.infinities + times }
  if (value === Number.NEGATIVE_INFINITY) return { ...sum, negativeInfinities: sum.negativeInfinities + times }
  return Math.abs(value) < wide
    ? { ...sum, low: grow(sum.low, value) }
    : { ...sum, high: grow(sum.high, value * shrink) }
}

/** Adds a number to an expansion (Shewchuk 1997): what a sum loses to rounding is kept as a part of its own. */
const grow = (expansion: Expansion, value: number): Expansion => {
  const grown: Array<number> = []
  let sum = value
  for (let i = 0; i < expansion.length; i++) {
    const part = expansion[i]!
    const total = sum + part
    const lost = Math.abs(sum) < Math.abs(part) ? sum - (total - part) : part - (total - sum)
    if (lost !== 0) grown.push(lost)
    sum = total
  }
  grown.push(sum)
  return grown
}

/** The parts from the largest on, until one no longer changes the sum; then a tie is decided by the next. */
const rounded = (expansion: Expansion): number => {
  let i = expansion.length - 1
  let sum = expansion[i]!
  let lost = 0
  while (i > 0 && lost === 0) {
    const part = expansion[--i]!
    const total = sum + part
    lost = part - (total - sum)
    sum = total
  }
  const next = i > 0 ? expansion[i - 1]! : 0
  if ((lost > 0 && next > 0) || (lost < 0 && next < 0)) {
    const twice = lost * 2
    const other = sum + twice
    if (twice === other - sum) return other
  }
  return sum
}

/** Every double is a whole number of these: 2^-1074. */
const unitExponent = 1074
const view = new DataView(new ArrayBuffer(8))

const unitsOf = (value: number): bigint => {
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const exponent = (bits >> 52n) & 0x7ffn
  const fraction = bits & 0xf_ffff_ffff_ffffn
  const units = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n)
  return value < 0 ? -units : units
}

/** The nearest double, ties to even; infinite beyond the range. */
const fromUnits = (units: bigint): number => {
  const size = units < 0n ? -units : units
  const excess = size.toString(2).length - 53
  if (excess <= 0) return Number(units) * 2 ** -unitExponent
  const shift = BigInt(excess)
  const half = 1n << (shift - 1n)
  const rest = size & ((1n << shift) - 1n)
  let mantissa = size >> shift
  if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa++
  const value = scaled(Number(mantissa), excess - unitExponent)
  return units < 0n ? -value : value
}

/** `value * 2^exponent`, in two steps: the power alone may be out of range. */
const scaled = (value: number, exponent: number): number => {
  const half = Math.trunc(exponent / 2)
  return value * 2 ** half * 2 ** (exponent - half)
}
