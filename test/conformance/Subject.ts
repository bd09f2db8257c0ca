/** What is tested: an implementation, and the suites that it must pass. */
import { Effect, type Layer, ManagedRuntime } from "effect"
import type { Case } from "../../src/testing/Case.ts"

/** By the name of the contract. */
export type Suites<Needs = never> = Readonly<Record<string, ReadonlyArray<Case<Needs>>>>

export interface Subject {
  readonly implementation: string
  readonly suites: ReadonlyArray<{ readonly name: string; readonly cases: ReadonlyArray<Test> }>
  /** Ends what the cases share. */
  readonly close: () => Promise<void>
}

export interface Test {
  readonly name: string
  /** Rejects with what was expected and what was found. One after the other. */
  readonly run: () => Promise<void>
}

/** What the cases share is opened with the first of them. */
export const make = <Needs>(
  implementation: string,
  layer: Layer.Layer<Needs, unknown>,
  suites: Suites<Needs>
): Subject => {
  const runtime = ManagedRuntime.make(layer)
  return {
    implementation,
    suites: Object.entries(suites).map(([name, cases]) => ({
      name,
      cases: cases.map(({ name, run }) => ({ name, run: () => runtime.runPromise(Effect.scoped(run)) }))
    })),
    close: () => runtime.dispose()
  }
}
