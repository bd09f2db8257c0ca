/** Why a simulation fails: a world in which something is wrong. */
import * as Story from "./Story.ts"

/** A world in which the job wrote something else, or did not come to its end. Its message is the story of it. */
export class SimulationFailed extends Error {
  readonly _tag = "SimulationFailed"
  readonly seed: number
  constructor(told: Story.Told) {
    super(Story.of(told))
    this.seed = told.seed
  }
}
