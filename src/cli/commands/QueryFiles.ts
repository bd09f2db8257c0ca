/** `weir query --files`: SQL over the files of a folder, or over those that a job writes. */
import { FileSystem } from "@effect/platform"
import { Effect } from "effect"
import type { Relation } from "../../connectors/duckdb/index.ts"
import { InvalidJob, WrongUsage } from "../../model/Errors.ts"
import * as Configuration from "../Configuration.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as Project from "../Project.ts"

export interface Options {
  /** The data folder: of files of jobs. */
  readonly data: string | undefined
  /** Which files are read, instead of what is in them? */
  readonly explain: boolean
  readonly format: Output.Format | undefined
}

/** `from`: a folder that is there, or the name of a job. */
export const query = (sql: string | undefined, from: string, { data, explain, format }: Options) =>
  Effect.gen(function* () {
    if (sql === undefined)
      return yield* new WrongUsage({
        message: "--files takes a question",
        hint: `Write \`weir query "select * from files limit 5" --files ${from}\`.`
      })
    const process = yield* Process
    const DuckDb = yield* Effect.promise(() => import("../../connectors/duckdb/index.ts"))
    const relations = yield* relationsOf(from, data)
    if (explain) {
      const readings = yield* DuckDb.explain(sql, relations)
      yield* Output.print(format, {
        columns: ["table", "files", "files read", "folders"],
        rows: readings.map(({ files, filesRead, folders, relation }) => [relation, files, filesRead, folders])
      })
      return 0
    }
    const { columns, rows, truncated } = yield* DuckDb.ask(sql, relations)
    yield* Output.print(format, { columns, rows })
    if (truncated)
      yield* process.report(`Only the first ${rows.length} rows are shown: add a limit and an offset for others.\n`)
    return 0
  })

const relationsOf = (from: string, data: string | undefined) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    if (yield* Effect.orElseSucceed(files.exists(from), () => false)) return yield* namedBy([from])
    if (/[/\\]/.test(from)) return yield* namedBy([from])
    const job = yield* Project.job(from)
    const { topology } = yield* job.configure({})
    const folders = topology.nodes.flatMap(({ spec }) =>
      spec.kind === "sink" && spec.sink.folder !== undefined ? [spec.sink.folder] : []
    )
    if (folders.length === 0)
      return yield* new InvalidJob({
        job: from,
        message: `Job ${from} writes no files`,
        hint: "Without --files, `weir query` reads tables; with it, name a job that writes files, or a folder."
      })
    const configuration = yield* Configuration.load({ data })
    return yield* namedBy(
      folders.map((folder) => (folder.startsWith("/") ? folder : `${configuration.data}/${folder}`))
    )
  })

/** One folder is `files`; of several, each has its own last name. */
const namedBy = (folders: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { relationOf } = yield* Effect.promise(() => import("../../connectors/duckdb/index.ts"))
    const { uncovered } = yield* Effect.promise(() => import("../../connectors/files/FileNames.ts"))
    const relations: Array<Relation> = []
    for (const folder of folders) {
      const name = folders.length === 1 ? "files" : lastName(folder)
      relations.push(yield* relationOf(folder, { name, chosen: uncovered }))
    }
    return relations
  })

const lastName = (folder: string): string =>
  folder
    .replace(/\/+$/, "")
    .split("/")
    .at(-1)!
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]/g, "_")
