/** What a start does with the lookups of a checkpoint: which go on, which are loaded anew, and which cannot be read. */
import type { Manifest } from "../checkpoint/Checkpoint.ts"
import type { Configured, Job } from "../flow/Job.ts"
import * as Lookup from "../flow/Lookup.ts"
import * as Topology from "../flow/Topology.ts"
import type { Kept, Part } from "./Restorability.ts"

/** A lookup and the steps that look up in it. */
export interface UsedLookup {
  readonly lookup: string
  readonly fingerprint: string
  readonly policy: Lookup.Policy
  readonly steps: ReadonlyArray<string>
}

/** The lookups of a job. */
export const usedBy = (job: Job, { topology }: Configured): ReadonlyArray<UsedLookup> =>
  Topology.lookupsOf(job.name, topology).map((lookup) => ({
    lookup: lookup.name,
    fingerprint: Lookup.fingerprintOf(lookup),
    policy: lookup.policy,
    steps: topology.nodes.flatMap(({ id, spec }) => (spec.kind === "enrich" && spec.lookup === lookup ? [id] : []))
  }))

/** What happens to each lookup of the code, and to each that only the checkpoint has. */
export const partsOf = (kept: Kept | null, used: ReadonlyArray<UsedLookup>): ReadonlyArray<Part> => {
  const old = Object.keys(kept?.lookups ?? {})
  const gone = old.filter((id) => used.every(({ lookup }) => lookup !== id))
  return [...used.map((is) => partOf(kept, is)), ...gone.map(goneOf)]
}

/** The versions that go on; `undefined`: the checkpoint had none. */
export const versionsOf = ({ lookups }: Manifest, parts: ReadonlyArray<Part>): Manifest["lookups"] => {
  if (lookups === undefined) return undefined
  const stays = new Set(parts.flatMap(({ fate, id, part }) => (part === "lookup" && fate === "kept" ? [id] : [])))
  return Object.fromEntries(Object.entries(lookups).filter(([lookup]) => stays.has(lookup)))
}

// Private

const partOf = (kept: Kept | null, is: UsedLookup): Part => {
  const of = { part: "lookup", id: is.lookup, refuses: false } as const
  const whose = `of ${is.steps.length === 1 ? "step" : "steps"} ${is.steps.map((id) => `'${id}'`).join(", ")}`
  if (kept?.lookups === undefined || !Object.hasOwn(kept.lookups, is.lookup))
    return { ...of, fate: "new", says: `${whose}: is loaded at the start` }
  const was = kept.lookupMarks?.find(({ lookup }) => lookup === is.lookup)
  if (was === undefined || was.fingerprint === is.fingerprint)
    return { ...of, fate: "kept", says: `${whose}: ${goesOnSays(is)}` }
  const differs = `its rows were written ${was.fingerprint}, and this code reads them ${is.fingerprint}`
  return is.policy === "refreshed"
    ? { ...of, fate: "changed", says: `${whose}: is loaded anew at the start, as ${differs}` }
    : { ...of, fate: "changed", refuses: true, says: `${differs}; under another \`name\` it is loaded anew` }
}

const goneOf = (id: string): Part => ({
  part: "lookup",
  id,
  fate: "dropped",
  refuses: false,
  says: "no step of this code looks up in it: its rows are forgotten, and if it comes back it is loaded anew"
})

const goesOnSays = ({ policy }: UsedLookup): string =>
  policy === "fixed"
    ? "goes on with the rows that it was loaded with"
    : "is loaded at the start; if that fails, its last rows stay in force"
