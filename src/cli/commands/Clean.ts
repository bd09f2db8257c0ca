/** `weir clean`: takes away input files that a durable epoch of every job which reads them covers. */
import type { FileSystem } from "@effect/platform"
import { Clock, Duration, Effect } from "effect"
import type { Configured } from "../../flow/Job.ts"
import type { Cleaned, SourceError } from "../../flow/Source.ts"
import { InvalidJob } from "../../model/Errors.ts"
import * as Configuration from "../Configuration.ts"
import { Process } from "../Process.ts"
import * as Project from "../Project.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import { durationOf, settingsOf } from "../Values.ts"

export const clean = Usage.command(
  "clean",
  "takes away input files that every job which reads them is done with",
  {
    job: Usage.argument("job", "the name of a job that reads files"),
    "older-than": Usage.text("older-than", "DURATION", "only files that were written so long ago, such as 6h"),
    set: Usage.texts("set", "NAME=VALUE", "a parameter, as `weir run` takes it"),
    data: Session.data
  },
  ({ job: name, "older-than": olderThan, set, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const job = yield* Project.job(name)
      const cleanings = cleaningsOf(yield* job.configure(yield* settingsOf(set)))
      if (cleanings.length === 0) return yield* nothingToClean(job.name)
      const age = olderThan === undefined ? 0 : Duration.toMillis(yield* durationOf("--older-than", olderThan))
      const before = (yield* Clock.currentTimeMillis) - age
      const configuration = yield* Configuration.load({ data })
      const { inData, layer } = yield* Effect.promise(() => import("../../connectors/files/LedgerFolder.ts"))
      for (const { clean, source } of cleanings) {
        const cleaned = yield* Effect.provide(clean({ before }), layer({ folder: inData(configuration.data) }))
        yield* process.print(`${sentenceOf(source, cleaned)}\n`)
      }
      return 0
    })
)

// Private

interface Cleaning {
  readonly source: string
  readonly clean: (wanted: { readonly before: number }) => Effect.Effect<Cleaned, SourceError, FileSystem.FileSystem>
}

const cleaningsOf = ({ topology }: Configured): ReadonlyArray<Cleaning> =>
  topology.nodes.flatMap(({ id, spec }) =>
    spec.kind === "source" && spec.source.clean !== undefined
      ? [{ source: id, clean: spec.source.clean as Cleaning["clean"] }]
      : []
  )

const sentenceOf = (source: string, { by, kept, removed }: Cleaned): string => {
  const taken = `${removed.length} ${removed.length === 1 ? "file" : "files"} of ${source} taken away`
  if (kept === 0) return taken
  const whose = by === null ? "every job that reads them" : `job ${by}`
  return `${taken}; ${kept} ${kept === 1 ? "is" : "are"} kept until a checkpoint of ${whose} covers ${kept === 1 ? "it" : "them"}`
}

const nothingToClean = (job: string) =>
  new InvalidJob({
    job,
    message: `Job ${job} reads no files that could be taken away`,
    hint: "Only what a source of files with `watch` has read is noted, and can be cleaned up."
  })
