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

/** Worlds in which too little happened to show anything. Its message says what never did, and how to mend it. */
export class SimulationVacuous extends Error {
  readonly _tag = "SimulationVacuous"
  constructor(missing: ReadonlyArray<string>) {
    super(
      [
        "Nothing went wrong in these worlds, and too little happened in them to say that nothing can:",
        ...missing.map((line) => `- ${line}`),
        "Try more seeds or a longer input, leave out kinds of faults that cannot strike (`Faults.except`), or let it pass: { mustStrike: false }"
      ].join("\n")
    )
  }
}
