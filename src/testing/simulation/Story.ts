/** What happened in a world, as text: when, to whom, what, and which fault it was; then what is wrong in the end. */
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

/** Lines of each part that are shown. */
const entriesShown = 60
const failuresShown = 20

export const of = ({ again, failures, seed, smaller, story }: Told): string =>
  [
    `The job does not write, in the world of seed ${seed}, what it would have written had nothing happened.`,
    "",
    ...(story.length > entriesShown ? [`(${story.length - entriesShown} lines before these)`] : []),
    ...story.slice(-entriesShown).map(line),
    "",
    ...failures.slice(0, failuresShown),
    ...(failures.length > failuresShown ? [`and ${failures.length - failuresShown} more`] : []),
    "",
    ...(smaller === undefined ? [] : [...smaller, ""]),
    `The same again: ${again}`
  ].join("\n")

const line = ({ at, fault, what, who }: Entry): string =>
  `${(at / 1000).toFixed(3).padStart(9)} s  ${who.padEnd(11)} ${what}${fault === undefined ? "" : `  <- ${fault}`}`
