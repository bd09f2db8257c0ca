/** Breaks a rule while tests are run: the mutation that `WEIR_MUTATION` names. */
import { applied } from "./Mutation.ts"
import { mutationOf } from "./Mutations.ts"

/** A plugin of Vite. */
export const mutated = (name: string) => {
  const mutation = mutationOf(name)
  return {
    name: "mutation",
    enforce: "pre" as const,
    transform: (text: string, id: string) => (id.endsWith(`/src/${mutation.file}`) ? applied(mutation, text) : null)
  }
}
