/** What the steps of a job wait for that does not run: as its last checkpoint left them. */
import type { Manifest } from "../checkpoint/Checkpoint.ts"
import type { StepState } from "../checkpoint/CheckpointStore.ts"
import type { Topology } from "../flow/Topology.ts"
import type { PartitionCut } from "../model/Message.ts"
import * as Chain from "./Chain.ts"
import * as Graph from "./Graph.ts"
import * as Plan from "./Plan.ts"

/**
 * Steps whose state this code cannot read are left out. The states of partitions are those of the manifest; since when
 * one holds the watermark is not known of a job that does not run.
 */
export const ofCheckpoint = (
  topology: Topology,
  manifest: Manifest,
  state: ReadonlyArray<StepState>
): ReadonlyArray<Chain.StepWaiting> => {
  const plan = Plan.make(topology, { job: manifest.job, triggerMillis: 0 })
  const graph = Graph.make(topology, manifest.job)
  const cutsOf = (id: string) => {
    const above = topology.nodes.filter((node) => node.id === id).flatMap(graph.upstream)
    return manifest.partitions.filter(({ source }) => above.some((node) => node.id === source))
  }
  return plan.chains.flatMap((planned) => {
    const chain = Chain.make(planned)
    const readable = state.filter(({ step }) =>
      chain.marks.some(
        (mark) =>
          mark.step === step &&
          manifest.steps.some((kept) => kept.step === step && kept.fingerprint === mark.fingerprint)
      )
    )
    try {
      chain.restore(readable)
    } catch {
      return []
    }
    return chain
      .waiting()
      .filter(({ node, waiting }) => waiting.kind === "time" || readable.some(({ step }) => step === node))
      .map((of) => withCuts(of, cutsOf(of.node)))
  })
}

/** With how its partitions were left, those too that have given no event: they are what it waits for. */
const withCuts = ({ node, waiting }: Chain.StepWaiting, cuts: ReadonlyArray<PartitionCut>): Chain.StepWaiting => {
  if (waiting.kind !== "time") return { node, waiting }
  const isOf = (cut: PartitionCut) => (of: { readonly source: string; readonly partition: number }) =>
    cut.source === of.source && cut.partition === of.partition
  const given = waiting.partitions.map((of) => ({ ...of, state: cuts.find((cut) => isOf(cut)(of))?.state ?? null }))
  const silent = cuts
    .filter((cut) => !given.some(isOf(cut)))
    .map(({ partition, source, state }) => ({ source, partition, state, highest: null, watermark: null }))
  return { node, waiting: { ...waiting, partitions: [...given, ...silent] } }
}
