/** How a value that a step keeps under a Schema becomes one of its Schema now. Pure. */
import type { Migration, ValueMigration } from "../flow/Migration.ts"
import { StepFailed } from "../model/Errors.ts"

/** Makes the state of what was kept; `null`: the migrations do not begin at that form. */
export const from = (
  step: string,
  kept: string,
  migrations: ReadonlyArray<Migration>
): ((kept: unknown) => unknown) | null => {
  const first = migrations.findIndex((one) => one.kind === "value" && one.fromEncoded === kept)
  const steps = migrations.slice(first).filter((one): one is ValueMigration => one.kind === "value")
  if (first < 0 || steps.length < migrations.length - first) return null
  return (value) => {
    try {
      return steps.reduce<unknown>((state, { map }) => map(state as never), steps[0]!.decode(value))
    } catch (error) {
      throw failed(step, error)
    }
  }
}

const failed = (step: string, error: unknown): StepFailed =>
  new StepFailed({
    step,
    message: `Step '${step}': a migration of its state failed: ${error instanceof Error ? error.message : String(error)}`,
    hint: "Nothing is changed: mend the migration and start again."
  })
