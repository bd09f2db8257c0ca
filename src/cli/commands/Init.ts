/** `weir init`: a project of one's own. */
import { FileSystem, Path } from "@effect/platform"
import { Effect } from "effect"
import { StorageFailed, WrongUsage } from "../../model/Errors.ts"
import { Process } from "../Process.ts"
import * as ProjectTemplate from "../ProjectTemplate.ts"
import * as Usage from "../Usage.ts"

export const init = Usage.command(
  "init",
  "makes a project: one job, one test, the configuration",
  { folder: Usage.argument("folder", "where; it must be empty or not there") },
  ({ folder }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const files = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const root = path.resolve(folder)
      const there = yield* Effect.orElseSucceed(files.readDirectory(root), () => [])
      if (there.length > 0)
        return yield* new WrongUsage({
          message: `The folder ${root} is not empty`,
          hint: "Name a new folder: nothing is ever overwritten."
        })
      const name =
        path
          .basename(root)
          .toLowerCase()
          .replaceAll(/[^a-z0-9-]+/g, "-")
          .replaceAll(/^-+|-+$/g, "") || "weir-project"
      for (const [file, text] of ProjectTemplate.files(name, dependency(path, root, process.modules.weir))) {
        const target = path.join(root, file)
        yield* files.makeDirectory(path.dirname(target), { recursive: true }).pipe(
          Effect.zipRight(files.writeFileString(target, text)),
          Effect.mapError(
            (error) =>
              new StorageFailed({
                path: target,
                message: `${target} cannot be written: ${error.message}`,
                hint: "Choose a folder that this user may write."
              })
          )
        )
        yield* process.print(`${path.join(folder, file)}\n`)
      }
      yield* process.report(next(folder))
      return 0
    })
)

/**
 * Weir as a dependency of the project. Always from its own folder: it is not published, and the package of its name in
 * the registry is another project's code.
 */
const dependency = (path: Path.Path, project: string, weir: string): string => {
  const relative = path.relative(project, weir)
  // A path that climbs further breaks sooner than one that says where Weir is.
  return `file:${/^(\.\.[/\\]?){1,2}(?!\.\.)/.test(relative) ? relative.replaceAll("\\", "/") : weir}`
}

const next = (folder: string): string => `
Next:

    cd ${/^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`}
    npm install
    npx weir produce visits visits.jsonl
    npx weir run visits --available-now --final
    npx weir query "select * from page_visits"
`
