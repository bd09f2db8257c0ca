/** What the daemon knows, in the form that the API answers with. */
import type { TopologyNode } from "../flow/Topology.ts"
import type { EpochProgress, JobStatus } from "../observe/Progress.ts"
import type { NodeFigures } from "../runtime/Runner.ts"
import * as Records from "./ApiRecords.ts"
import type * as Schemas from "./ApiSchemas.ts"
import type { DeadLetter, JobDetail } from "./Daemon.ts"

export const statusShown = (status: JobStatus, now: number): typeof Schemas.JobStatus.Type => ({
  ...status,
  checkpointAgeMillis: status.checkpointAt === null ? null : Math.max(0, now - status.checkpointAt)
})

export const detailShown = (detail: JobDetail, now: number): typeof Schemas.JobDetail.Type => {
  const figures = new Map(detail.figures.map((of) => [of.node, of]))
  return {
    ...statusShown(detail.status, now),
    topology: {
      nodes: detail.topology.nodes.map((node) => nodeShown(node, figures.get(node.id))),
      edges: detail.topology.edges
    },
    settings: detail.settings
  }
}

/** Rates are finite: JSON knows no infinity. */
export const progressShown = (progress: EpochProgress): typeof Schemas.EpochProgress.Type => ({
  ...progress,
  inputRowsPerSecond: finite(progress.inputRowsPerSecond),
  processedRowsPerSecond: finite(progress.processedRowsPerSecond)
})

export const deadLetterShown = (letter: DeadLetter): typeof Schemas.DeadLetter.Type => ({
  topic: letter.topic,
  record: Records.stored(letter.record),
  about: letter.about,
  replay: letter.replay
})

const nodeShown = (node: TopologyNode, figures: NodeFigures | undefined) => ({
  id: node.id,
  kind: node.spec.kind,
  label: node.label,
  rowsIn: figures?.rowsIn ?? 0,
  rowsOut: figures?.rowsOut ?? 0,
  rowsPerSecond: finite(figures?.rowsPerSecond ?? 0),
  watermark: figures?.watermark ?? null,
  waiting: figures?.waiting ?? 0,
  sink:
    node.spec.kind === "sink"
      ? { guarantee: node.spec.sink.guarantee, replaces: node.spec.sink.replaces, key: node.spec.sink.key }
      : null
})

const finite = (value: number): number => (Number.isFinite(value) ? value : 0)
