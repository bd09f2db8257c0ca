/** `weir schema`: what a topic, a table, a file or a folder of files holds. */
import { FileSystem } from "@effect/platform"
import { Effect, Stream } from "effect"
import * as SchemaSample from "../../daemon/SchemaSample.ts"
import type { FieldLine } from "../../flow/SchemaText.ts"
import { StorageFailed, WrongUsage } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"

const sampleDefault = 1_000

export const schema = Usage.command(
  "schema",
  "reads a sample and shows the fields of a topic, a table, a file or a folder",
  {
    of: Usage.argument(
      "topic|table|file|folder",
      "its name; a file or a folder of JSON lines with a slash: ./orders.jsonl"
    ),
    sample: Usage.whole(
      "sample",
      "N",
      `how many records are looked at, the newest of a topic (default: ${sampleDefault})`
    ),
    format: Usage.choice(
      "format",
      ["table", "json", "csv", "code"],
      "a tree, its lines as JSON or CSV, or a Schema to paste (default: table)"
    ),
    data: Session.data
  },
  ({ of, sample = sampleDefault, format, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      if (sample < 1 || sample > Limits.fetchRecordsMax)
        return yield* new WrongUsage({
          message: `--sample ${sample} cannot be looked at`,
          hint: `Write a number from 1 to ${Limits.fetchRecordsMax}.`
        })
      const found = isPath(of)
        ? SchemaSample.ofRecords(nameOf(of), "files", yield* linesOf(of, sample))
        : yield* Session.use({ data }, (weir) => weir.schema(of, sample))
      if (found.unusable > 0)
        yield* process.report(
          `${found.unusable} of ${found.sampled} records are no JSON: the schema leaves them out.\n`
        )
      if (format === "code") yield* process.print(found.code)
      else if (format === "json" || format === "csv") yield* Output.print(format, listing(found.fields))
      else yield* process.print(tree(found))
      return 0
    })
)

const listing = (fields: ReadonlyArray<FieldLine>): Output.Listing => ({
  columns: ["name", "type", "nullable", "optional"],
  rows: fields.map(({ path, type, nullable, optional }) => [path, type, nullable, optional])
})

/** Each field under what holds it; names, types and marks in columns. */
const tree = ({ fields, kind, name, sampled }: SchemaSample.SampledSchema): string => {
  const drawn = fields.map((field, i) => [branch(fields, i) + shown(field.name), field] as const)
  const nameWidth = Math.max(...drawn.map(([text]) => text.length), 0)
  const typeWidth = Math.max(...fields.map(({ type }) => type.length), 0)
  const marks = ({ nullable, optional }: FieldLine) =>
    [nullable ? "nullable" : "", optional ? "optional" : ""].filter((mark) => mark !== "").join(", ")
  return [
    `${kind} ${name}${kind === "table" ? "" : `, ${sampled} records looked at`}`,
    ...drawn.map(([text, field]) =>
      `${text.padEnd(nameWidth)}  ${field.type.padEnd(typeWidth)}  ${marks(field)}`.trimEnd()
    ),
    ""
  ].join("\n")
}

/** What would drive a terminal is escaped. */
const shown = (name: string): string => name.replaceAll(/\p{Cc}/gu, (c) => JSON.stringify(c).slice(1, -1))

const branch = (fields: ReadonlyArray<FieldLine>, index: number): string => {
  const { depth } = fields[index]!
  const follows = (level: number): boolean => {
    const next = fields.slice(index + 1).find((field) => field.depth <= level)
    return next !== undefined && next.depth === level
  }
  const above = Array.from({ length: depth }, (_, level) => (follows(level) ? "│  " : "   ")).join("")
  return `${above}${follows(depth) ? "├─ " : "└─ "}`
}

const isPath = (text: string): boolean => text.includes("/") || text.includes("\\") || text === "." || text === ".."

/** The last part of a path, without what says that it is JSON. */
const nameOf = (path: string): string =>
  path
    .replace(/[/\\]+$/, "")
    .split(/[/\\]/)
    .at(-1)!
    .replace(/\.(jsonl|ndjson|json)$/i, "") || "records"

/** The first lines of a file, or of a folder's files in the order of their names. */
const linesOf = (path: string, count: number) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const isFolder = (yield* files.stat(path)).type === "Directory"
    const names = isFolder ? (yield* files.readDirectory(path, { recursive: true })).sort() : []
    const paths = isFolder
      ? names.filter((name) => /(^|\/)[^._][^/]*\.(jsonl|ndjson|json)$/i.test(name)).map((name) => `${path}/${name}`)
      : [path]
    if (paths.length === 0)
      return yield* new WrongUsage({
        message: `The folder ${path} has no file whose name ends in .jsonl, .ndjson or .json`,
        hint: "Name a file of JSON lines, whatever it is called."
      })
    const lines: Array<string> = []
    let room = Limits.fetchBytesMax
    for (const file of paths) {
      if (lines.length >= count || room <= 0) break
      const found = yield* firstLines(files, file, count - lines.length, room)
      for (const line of found) {
        lines.push(line)
        room -= line.length
      }
    }
    return lines
  }).pipe(
    Effect.catchTags({
      SystemError: (error) => unreadable(path, error.reason),
      BadArgument: (error) => unreadable(path, error.message)
    })
  )

const firstLines = (files: FileSystem.FileSystem, file: string, count: number, bytes: number) =>
  files.stream(file, { bytesToRead: FileSystem.Size(bytes) }).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line.trim() !== ""),
    Stream.take(count),
    Stream.runCollect
  )

const unreadable = (path: string, why: string) =>
  new StorageFailed({
    path,
    message: `${path} cannot be read: ${why}`,
    hint: "Name a file or a folder of JSON lines that this user may read; a topic or a table is written without a slash."
  })
