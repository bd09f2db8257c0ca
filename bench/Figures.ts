/** Medians and spreads of what was measured, options of a bench, and how figures are printed. */

/** Several measurements of one thing: the one in the middle, and the outermost. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** The value below which a share of them lies (0.5: the median). There must be one. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
}

export const spreadOf = (values: ReadonlyArray<number>): Spread => ({
  median: quantile(values, 0.5),
  least: Math.min(...values),
  most: Math.max(...values)
})

/** `0.62 (0.58 to 0.66)` */
export const show = ({ least, median, most }: Spread, digits: number): string =>
  `${median.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`

export const grouped = (value: number): string => Math.round(value).toLocaleString("en-US")

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`

/** Columns side by side; the first row is the head. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join("  ")).join("\n")
}

/** Options of the command line as `--name value`. What it does not name has its default. */
export const options = <const Defaults extends Readonly<Record<string, string | number>>>(
  defaults: Defaults
): { readonly [N in keyof Defaults]: Defaults[N] extends number ? number : string } => {
  const words = process.argv.slice(2)
  const found: Record<string, string | number> = { ...defaults }
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i]!.replace(/^--/, "")
    const fallback = defaults[name]
    const text = words[i + 1]
    if (fallback === undefined || text === undefined)
      throw new RangeError(
        `'${words[i]}' is no option with a value; there are: --${Object.keys(defaults).join(", --")}`
      )
    found[name] = typeof fallback === "number" ? Number(text.replaceAll("_", "")) : text
  }
  return found as never
}
