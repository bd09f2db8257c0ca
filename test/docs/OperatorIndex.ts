/**
 * The page docs/operators.md, made of what stands in the code: for each combinator of `Flow` its docstring, and the
 * module doc of the operator that does it.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../cli/program.ts"

/** Which files of src/operator do what a combinator says, in the order of the page; none: it says something to the step after it. */
const operators: Readonly<Record<string, ReadonlyArray<string>>> = {
  decode: ["Decode"],
  decodeRecord: ["Decode"],
  map: ["Transform"],
  filter: ["Transform"],
  flatMap: ["Transform"],
  eventTime: ["AssignTime"],
  keyBy: [],
  window: [],
  aggregate: ["WindowAggregate", "KeyedAggregate"],
  emit: ["Complete"],
  updates: ["Transform"],
  distinct: ["Distinct"],
  frames: ["Frames", "InOrder"],
  process: ["Process"],
  merge: ["Merge"],
  branch: [],
  join: ["IntervalJoin"],
  temporalJoin: ["TemporalJoin"],
  enrich: ["Enrich"]
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

const docstrings = (text: string): ReadonlyArray<Combinator> =>
  [...text.matchAll(/(\/\*\*(?:(?!\*\/)[\s\S])*?\*\/)\nexport const (\w+)\b/g)].map(([, comment, name]) => ({
    name: name!,
    doc: plain(comment!)
  }))

/** Where the steps are that `Flow` is the door of. */
const stepFiles = (): ReadonlyArray<string> =>
  [...source("flow/Flow.ts").matchAll(/^export \* from "\.\/(steps\/\w+\.ts)"$/gm)].map(([, file]) => `flow/${file}`)

/** What `Flow` exports that takes a flow, with what is said of each. */
export const combinators = (): ReadonlyArray<Combinator> => {
  const order = Object.keys(operators)
  return stepFiles()
    .flatMap((file) => docstrings(source(file)))
    .filter(({ name }) => name in operators)
    .sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name))
}

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

/** What is handed to steps: by the name under which a job knows it, and where it is. */
const parts = { Aggregate: "flow/Aggregate.ts", Window: "flow/Window.ts", Frame: "flow/Frame.ts" } as const

/** Each constant of one of them that has a docstring of its own. */
export const described = (part: keyof typeof parts): ReadonlyArray<Combinator> =>
  docstrings(source(parts[part]))
    .filter(({ name }) => name !== "format")
    .map(({ doc, name }) => ({ name: `${part}.${name}`, doc }))

export const page = (): string => {
  const all = combinators()
  const handed = [...described("Aggregate"), ...described("Window"), ...described("Frame")]
  return `${[
    "# Operators",
    "Every step of a job: what the language says of it; and of the operator that does it what it emits, keeps, sets aside,\nrestores, and fails with. This page is made of the docstrings. [The guide](guide.md) shows the steps at work.",
    [
      ...all.map(({ name }) => `[${name}](#flow${name.toLowerCase()})`),
      "[aggregates, windows, frames](#aggregates-windows-frames)"
    ].join(" · "),
    ...all.map(section),
    "## Aggregates, windows, frames",
    "What steps are handed.",
    ...handed.map(({ doc, name }) => `### ${name}\n\n${doc}`)
  ].join("\n\n")}\n`
}
