/** `weir explain`: a job as it would run, without running it. */
import { FileSystem } from "@effect/platform"
import { Effect } from "effect"
import type { CheckpointDescription } from "../../daemon/Daemon.ts"
import type { Configured, Job } from "../../flow/Job.ts"
import type { TopologyNode } from "../../flow/Topology.ts"
import * as Trigger from "../../flow/Trigger.ts"
import type { StepWaiting } from "../../runtime/Chain.ts"
import * as Restorability from "../../runtime/Restorability.ts"
import * as RowShape from "../../runtime/RowShape.ts"
import type { RowType } from "../../runtime/RowTypes.ts"
import * as Configuration from "../Configuration.ts"
import * as Drawing from "../Drawing.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as Project from "../Project.ts"
import * as RestorabilityText from "../RestorabilityText.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import { settingsOf } from "../Values.ts"
import * as WaitingText from "../WaitingText.ts"
import { codeOf } from "./Check.ts"

export const explain = Usage.command(
  "explain",
  "draws a job, with its row types, parameters and guarantees, and what its open windows wait for",
  {
    job: Usage.argument("job", "the name of a job"),
    set: Usage.texts("set", "NAME=VALUE", "a parameter, as `weir run` takes it"),
    format: Output.format,
    data: Session.data
  },
  ({ job: name, set, format, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const job = yield* Project.job(name)
      const configured = yield* job.configure(yield* settingsOf(set))
      const { of } = yield* Effect.promise(() => import("../../runtime/RowTypes.ts"))
      const rows = of(configured.topology, job.name)
      if (format === "csv") {
        yield* Output.print(format, settingsListing(configured))
        return 0
      }
      const code = yield* codeOf(job, configured)
      const { kept, waiting } = yield* standOf(job.name, data)
      const verdict = Restorability.judge(kept, code)
      const intents = kept?.intents ?? []
      if (format === "json") {
        const checkpoint = checkpointValue(verdict, intents)
        yield* process.print(`${JSON.stringify({ ...asValue(job, configured, rows), checkpoint, waiting }, null, 2)}\n`)
      } else
        yield* process.print(
          `${asText(job, configured, rows)}${checkpointText(verdict, intents)}${waitingText(waiting)}`
        )
      return 0
    })
)

/** What the last checkpoint keeps, and what it waits for. */
interface Stand {
  readonly kept: CheckpointDescription | null
  readonly waiting: ReadonlyArray<StepWaiting>
}

/** A data folder that is not there is not made: the job never ran in it. */
const standOf = (job: string, data: string | undefined) =>
  Effect.gen(function* () {
    const configuration = yield* Configuration.load({ data })
    const files = yield* FileSystem.FileSystem
    const none: Stand = { kept: null, waiting: [] }
    if (!(yield* Effect.orElseSucceed(files.exists(configuration.data), () => false))) return none
    const { kept, statuses, waiting } = yield* Session.use({ data }, (weir) =>
      Effect.all({ kept: weir.checkpoint(job, null), statuses: weir.statuses, waiting: weir.waiting(job) })
    )
    const isRunning = RestorabilityText.isRunning(statuses, job)
    const stand: Stand = { kept: kept === null || !isRunning ? kept : { ...kept, intents: [] }, waiting }
    return stand
  })

const checkpointText = (verdict: Restorability.Verdict, intents: ReadonlyArray<number>): string =>
  ["", "The last checkpoint", "", ...RestorabilityText.lines(verdict, intents), ""].join("\n")

/** `null`: the job has none. */
const checkpointValue = ({ epoch, parts, refusal }: Restorability.Verdict, intents: ReadonlyArray<number>) =>
  epoch === null
    ? null
    : {
        epoch,
        restorable: refusal === null,
        parts,
        refusal: refusal === null ? null : { message: refusal.message, hint: refusal.hint },
        intents
      }

const waitingText = (waiting: ReadonlyArray<StepWaiting>): string =>
  waiting.length === 0 ? "" : ["", "What it waits for", "", ...WaitingText.lines(waiting), ""].join("\n")

const settingsListing = ({ settings }: Configured): Output.Listing => ({
  columns: ["parameter", "type", "value", "default", "meaning"],
  rows: settings.map(({ name, type, value, fallback, meaning }) => [name, type, value, fallback, meaning])
})

const sinksListing = ({ topology }: Configured): Output.Listing => ({
  columns: ["sink", "guarantee", "rows", "key"],
  rows: sinksOf(topology.nodes).map(({ id, sink }) => [
    id,
    sink.guarantee,
    sink.replaces ? "replaces by key" : "appends",
    sink.key.join(", ") || null
  ])
})

const sinksOf = (nodes: ReadonlyArray<TopologyNode>) =>
  nodes.flatMap(({ id, spec }) => (spec.kind === "sink" ? [{ id, sink: spec.sink }] : []))

const rowsListing = (rows: ReadonlyArray<RowType>): Output.Listing => ({
  columns: ["step", "row"],
  rows: rows.map(({ node, replaces, type, why }) => [
    node,
    type === null ? `not known: ${why}` : `${RowShape.format(type)}${replaces ? ", replaces its predecessor" : ""}`
  ])
})

const asText = (job: Job, configured: Configured, rows: ReadonlyArray<RowType>): string =>
  [
    `Job ${job.name}: trigger ${Trigger.format(configured.trigger)}, a first start reads from the ${configured.startAt} record on`,
    "",
    ...Drawing.draw(configured.topology),
    "",
    "Rows after each step",
    "",
    Output.written("table", rowsListing(rows)),
    "Parameters (--set name=value)",
    "",
    Output.written("table", settingsListing(configured)),
    "Sinks",
    "",
    Output.written("table", sinksListing(configured))
  ].join("\n")

const asValue = (
  job: Job,
  { topology, trigger, startAt, maxPerEpoch, settings }: Configured,
  rows: ReadonlyArray<RowType>
) => ({
  job: job.name,
  trigger: Trigger.toText(trigger),
  startAt,
  maxPerEpoch,
  nodes: topology.nodes.map(({ id, spec, label }) => {
    const row = rows.find(({ node }) => node === id)
    return { id, kind: spec.kind, label, row: row?.type == null ? null : RowShape.format(row.type) }
  }),
  edges: topology.edges,
  settings,
  sinks: sinksOf(topology.nodes).map(({ id, sink }) => ({
    id,
    label: sink.label,
    guarantee: sink.guarantee,
    replaces: sink.replaces,
    key: sink.key
  }))
})
