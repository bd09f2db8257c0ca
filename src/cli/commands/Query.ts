/** `weir query`: SQL over the tables, once or from a prompt; or over files. */
import { Effect, Stream } from "effect"
import type { Answer } from "../../flow/Tables.ts"
import { WrongUsage } from "../../model/Errors.ts"
import * as Suggestion from "../../model/Suggestion.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import type { WeirService } from "../Weir.ts"
import * as QueryFiles from "./QueryFiles.ts"

export const query = Usage.command(
  "query",
  "reads the tables with SQL; without SQL, a prompt; or files",
  {
    sql: Usage.optionalArgument("sql", "one reading statement"),
    files: Usage.text(
      "files",
      "JOB|FOLDER",
      "reads the files of a folder instead, as the table `files`, or those of a job, a table for each of its folders"
    ),
    explain: Usage.flag("explain", "with --files: shows how many files are there and how many the answer needs"),
    format: Output.format,
    data: Session.data
  },
  ({ sql, files, explain, format, data }) => {
    if (files !== undefined) return QueryFiles.query(sql, files, { data, explain, format })
    if (explain)
      return new WrongUsage({ message: "--explain goes with --files only", hint: "Of tables, ask `explain select …`." })
    return Session.use({ data }, (weir) =>
      Effect.as(sql === undefined ? prompt(weir, format) : answer(weir, sql, format), 0)
    )
  }
)

const answer = (weir: WeirService, sql: string, format: Output.Format | undefined) =>
  Effect.gen(function* () {
    const process = yield* Process
    const { columns, rows, truncated } = yield* format === "json" ? asJson(weir, sql) : weir.ask(sql)
    if (format === "json" && columns.length === 1 && columns[0] === jsonColumn)
      yield* process.print(rows.length === 0 ? "[]\n" : `[\n  ${rows.map(([row]) => row).join(",\n  ")}\n]\n`)
    else yield* Output.print(format, { columns, rows })
    if (truncated)
      yield* process.report(`Only the first ${rows.length} rows are shown: add a limit and an offset for others.\n`)
  })

const jsonColumn = "weir_row"

/** Rows as the database writes them in JSON: numbers stay numbers, with all their digits. */
const asJson = (weir: WeirService, sql: string): Effect.Effect<Answer, Usage.Failure> => {
  const statement = sql.trim().replace(/;+$/, "")
  return /^(select|with|values|table)\b/i.test(statement)
    ? weir.ask(`select row_to_json(weir_rows)::text as ${jsonColumn} from (${statement}\n) as weir_rows`)
    : weir.ask(sql)
}

const help = "\\dt lists the tables, \\d <table> describes one, \\q ends. SQL ends with a semicolon.\n"

/** Statements and commands from standard input, until it ends. What fails is told, and the prompt goes on. */
const prompt = (weir: WeirService, format: Output.Format | undefined) =>
  Effect.gen(function* () {
    const process = yield* Process
    const say = (text: string) => (process.isTerminal.input ? process.report(text) : Effect.void)
    yield* say(help)
    yield* say("weir> ")
    let sofar = ""
    let failure: Usage.Failure | null = null
    const run = (effect: Effect.Effect<void, Usage.Failure, Process>) =>
      process.isTerminal.input
        ? Effect.catchAll(effect, (error) => process.report(`${error.message}\n${error.hint}\n`))
        : Effect.catchAll(effect, (error) => {
            failure = error
            return Effect.void
          })
    yield* process.input.pipe(
      Stream.decodeText(),
      Stream.splitLines,
      Stream.takeUntil((line) => /^\s*(\\q|quit|exit)\s*;?\s*$/.test(line)),
      Stream.takeWhile(() => failure === null),
      Stream.runForEach((line) =>
        Effect.gen(function* () {
          if (/^\s*(\\q|quit|exit)\s*;?\s*$/.test(line)) return
          if (sofar === "" && line.trim().startsWith("\\")) yield* run(described(weir, line.trim(), format))
          else {
            sofar += `${line}\n`
            if (/;\s*$/.test(sofar)) {
              const statement = sofar
              sofar = ""
              yield* run(answer(weir, statement, format))
            }
          }
          yield* say(sofar.trim() === "" ? "weir> " : "  ... ")
        })
      )
    )
    if (sofar.trim() !== "" && failure === null) yield* run(answer(weir, sofar, format))
    if (failure !== null) return yield* Effect.fail(failure as Usage.Failure)
  })

const described = (weir: WeirService, line: string, format: Output.Format | undefined) =>
  Effect.gen(function* () {
    const process = yield* Process
    const [, word, rest = ""] = /^(\S+?)(?:\s+(.*?))?\s*;?$/.exec(line)!
    const name = rest === "" ? undefined : unquoted(rest)
    if (word === "\\dt" || (word === "\\d" && name === undefined))
      return yield* Output.print(format, { columns: ["table"], rows: (yield* weir.tables).map((table) => [table]) })
    if (word === "\\d" && name !== undefined) {
      const found = yield* weir.table(name)
      if (found === null)
        return yield* process.report(`There is no table '${name}'. ${Suggestion.sentence(name, yield* weir.tables)}\n`)
      return yield* Output.print(format, {
        columns: ["column", "type", "nullable", "key"],
        rows: found.columns.map((column) => {
          const place = found.primaryKey.indexOf(column.name)
          return [column.name, column.type, column.nullable ? "yes" : "no", place === -1 ? null : place + 1]
        })
      })
    }
    return yield* process.report(help)
  })

/** A table's name as it is, or in the quotes of SQL. */
const unquoted = (name: string): string => {
  const [, quote, inner] = /^(["`])(.*)\1$/.exec(name) ?? []
  return quote === undefined || inner === undefined ? name : inner.replaceAll(quote + quote, quote)
}
