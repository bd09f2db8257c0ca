/** What happened in a world, as text: when, to whom, what, and which fault it was; then what is wrong in the end. */
import { creates } from "./Requests.ts"
import type { Entry } from "./World.ts"

export interface Told {
  readonly seed: number
  /** What went wrong, line by line. */
  readonly failures: ReadonlyArray<string>
  readonly story: ReadonlyArray<Entry>
  /** How little shows it too, line by line. Absent: it was not looked for. */
  readonly smaller?: ReadonlyArray<string>
  /** The options that show it again. */
  readonly again: string
}

/** What did not happen in any world, and without which nothing is shown. */
export interface Vacuous {
  /** Of the first world. */
  readonly seed: number
  readonly missing: ReadonlyArray<string>
}

/** Lines of each part that are shown. */
const linesShown = 60
const failuresShown = 20

export const of = ({ again, failures, seed, smaller, story }: Told): string => {
  const lines = linesOf(story)
  return [
    `The job does not write, in the world of seed ${seed}, what it would have written had nothing happened.`,
    "",
    ...(lines.length > linesShown ? [`(${lines.length - linesShown} lines before these)`] : []),
    ...lines.slice(-linesShown),
    "",
    ...failures.slice(0, failuresShown),
    ...(failures.length > failuresShown ? [`and ${failures.length - failuresShown} more`] : []),
    "",
    ...(smaller === undefined ? [] : [...smaller, ""]),
    `The same again: ${again}`
  ].join("\n")
}

export const ofVacuous = ({ missing }: Vacuous): string =>
  [
    "Nothing was wrong in these worlds, and too little happened in them to say that nothing can be:",
    ...missing.map((line) => `- ${line}`),
    "Try more seeds or a longer input, leave out kinds of faults that cannot strike (`Faults.except`), or let it pass: { mustStrike: false }"
  ].join("\n")

/** What every start does is left out, and of a series of alike lines all but the first and the last. */
const linesOf = (story: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const told = story.filter(({ fault, what }) => fault !== undefined || !what.endsWith(creates))
  const width = Math.max(0, ...told.map(({ who }) => who.length))
  const lines: Array<string> = []
  for (let at = 0; at < told.length; ) {
    let end = at + 1
    while (end < told.length && kindOf(told[end]!) === kindOf(told[at]!)) end++
    lines.push(line(told[at]!, width))
    if (end - at > 3) lines.push(`${"".padEnd(timeWidth + width)}    … ${end - at - 2} more like it`)
    for (const entry of told.slice(end - at > 3 ? end - 1 : at + 1, end)) lines.push(line(entry, width))
    at = end
  }
  return lines
}

/** What alike lines share: all but their numbers. */
const kindOf = ({ fault, what, who }: Entry): string => `${who} ${what} ${fault}`.replace(/\d+/g, "0")

const timeWidth = 11

const line = ({ at, fault, what, who }: Entry, width: number): string => {
  const time = `${(at / 1000).toFixed(3)} s`.padStart(timeWidth)
  return `${time}  ${who.padEnd(width)}  ${what}${fault === undefined ? "" : `  <- ${fault}`}`
}
