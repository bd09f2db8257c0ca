/**
 * The page docs/operators.md, made of what stands in the code: for each combinator of `Flow` its docstring, and the
 * module doc of the operator that does it.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../cli/program.ts"

/** Which files of src/operator do what a combinator says; none: it says something to the step after it. */
const operators: Readonly<Record<string, ReadonlyArray<string>>> = {
  decode: ["Decode"],
  map: ["Transform"],
  filter: ["Transform"],
  flatMap: ["Transform"],
  updates: ["Transform"],
  eventTime: ["AssignTime"],
  keyBy: [],
  window: [],
  aggregate: ["WindowAggregate", "KeyedAggregate"],
  emit: ["Complete"],
  merge: ["Merge"],
  branch: [],
  join: ["IntervalJoin"],
  temporalJoin: ["TemporalJoin"],
  enrich: ["Enrich"],
  distinct: ["Distinct"],
  frames: ["Frames", "InOrder"],
  process: ["Process"]
}

interface Combinator {
  readonly name: string
  readonly doc: string
}

const source = (file: string): string => readFileSync(join(root, "src", file), "utf8")

/** The text of a doc comment, without its stars. */
const plain = (comment: string): string =>
  comment
    .replace(/^\/\*\*\s?/, "")
    .replace(/\s*\*\/$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim()

/** Where the steps are that `Flow` is the door of, in its order. */
const stepFiles = (): ReadonlyArray<string> =>
  [...source("flow/Flow.ts").matchAll(/^export \* from "\.\/(steps\/\w+\.ts)"$/gm)].map(([, file]) => `flow/${file}`)

/** What `Flow` exports that takes a flow, in the order of the text, with what is said of each. */
export const combinators = (): ReadonlyArray<Combinator> =>
  [
    ...stepFiles()
      .map(source)
      .join("\n")
      .matchAll(/(\/\*\*(?:(?!\*\/)[\s\S])*?\*\/)\nexport const (\w+)\b/g)
  ]
    .map(([, comment, name]) => ({ name: name!, doc: plain(comment!) }))
    .filter(({ name }) => name in operators)

/** The first line of a module doc says what; bullets and the drawing follow. */
const moduleDoc = (operator: string): string => plain(/^\/\*\*[\s\S]*?\*\//.exec(source(`operator/${operator}.ts`))![0])

const section = ({ doc, name }: Combinator): string => {
  const parts = operators[name]!
  const [part] = parts
  const first = Object.keys(operators).find((other) => operators[other]!.includes(part ?? ""))
  if (first !== undefined && first !== name)
    return [`## Flow.${name}`, doc, `Done by the operator of [Flow.${first}](#flow${first.toLowerCase()}).`].join(
      "\n\n"
    )
  const docs = parts.map((operator) =>
    [parts.length === 1 ? "" : `### ${operator}\n`, moduleDoc(operator)].join("\n").trim()
  )
  return [`## Flow.${name}`, doc, ...docs].join("\n\n")
}

export const page = (): string => {
  const all = combinators()
  return `${[
    "# Operators",
    "Every step of a job: what the language says of it; and of the operator that does it what it emits, keeps, sets aside,\nrestores, and fails with. This page is made of the docstrings. [The guide](guide.md) shows the steps at work.",
    all.map(({ name }) => `[${name}](#flow${name.toLowerCase()})`).join(" · "),
    ...all.map(section)
  ].join("\n\n")}\n`
}
