/** What the records of a job's sources are, as its first steps decode them. */
import type { SpecOf, Topology } from "../flow/Topology.ts"

/** Ids of the sources of a job: its topics. */
export const sourcesOf = ({ nodes }: Topology): ReadonlyArray<string> =>
  nodes.flatMap(({ id, spec }) => (spec.kind === "source" ? [id] : []))

/** The first step that decodes the records of a source; `null`: none does. */
export const decodeOf = ({ edges, nodes }: Topology, source: string): SpecOf<"decode"> | null => {
  const readers = edges.filter(({ from }) => from === source).map(({ to }) => nodes.find(({ id }) => id === to)!)
  for (const { spec } of readers) if (spec.kind === "decode") return spec
  return null
}
