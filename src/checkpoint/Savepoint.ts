/** A named checkpoint of a job that is kept until somebody removes it: it outlives collection and `reset`. */
import { SavepointExists } from "../model/Errors.ts"
import type { Millis } from "../model/Time.ts"
import type { Manifest } from "./Checkpoint.ts"

export interface Savepoint {
  readonly name: string
  readonly takenAt: Millis
  readonly manifest: Manifest
}

/**
 * The first manifest of a lineage that goes on from a savepoint. It keeps what was read and what is known; the sinks are
 * as for a first start: what they hold of abandoned epochs is none of its affair.
 */
export const planted = (
  { manifest }: Savepoint,
  at: { readonly lineage: number; readonly generation: number; readonly epochFloor: number; readonly jobId: string }
): Manifest => ({
  ...manifest,
  jobId: at.jobId,
  lineage: at.lineage,
  generation: at.generation,
  epoch: at.epochFloor + 1,
  abandoned: [...(manifest.abandoned ?? []), { after: manifest.epoch, through: at.epochFloor }],
  final: false,
  sinks: []
})

export const exists = (job: string, name: string): SavepointExists =>
  new SavepointExists({
    job,
    savepoint: name,
    message: `Job ${job} has a savepoint '${name}' already`,
    hint: `Choose another name, or remove it: \`weir savepoints ${job} --remove ${name}\`.`
  })
