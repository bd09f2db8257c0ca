/** Why a simulation fails: a world in which something is wrong. */
import * as Story from "./Story.ts"

/**
 * A world in which the job wrote something else, or did not come to its end: its message is the story of it. Or worlds in
 * which too little happened to show anything: its message says what did not.
 */
export class SimulationFailed extends Error {
  readonly _tag = "SimulationFailed"
  readonly seed: number
  constructor(told: Story.Told | Story.Vacuous) {
    super("missing" in told ? Story.ofVacuous(told) : Story.of(told))
    this.seed = told.seed
  }
}
