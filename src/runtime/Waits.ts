/** What the steps of a job wait for that does not run: as its last checkpoint left them. */
import type { Manifest } from "../checkpoint/Checkpoint.ts"
import type { StepState } from "../checkpoint/CheckpointStore.ts"
import type { Topology } from "../flow/Topology.ts"
import * as Chain from "./Chain.ts"
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
      .filter(({ node }) => readable.some(({ step }) => step === node))
      .map((of) => withStates(of, manifest))
  })
}

const withStates = ({ node, waiting }: Chain.StepWaiting, { partitions }: Manifest): Chain.StepWaiting => {
  if (waiting.kind !== "time") return { node, waiting }
  const stateOf = (source: string, partition: number) =>
    partitions.find((cut) => cut.source === source && cut.partition === partition)?.state ?? null
  return {
    node,
    waiting: {
      ...waiting,
      partitions: waiting.partitions.map((of) => ({ ...of, state: stateOf(of.source, of.partition) }))
    }
  }
}
