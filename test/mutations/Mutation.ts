/** A rule of the engine, and the change to its source that breaks it. */

/** Who is to notice. */
export type Catcher =
  /** A job of `test/simulation/jobs.ts`, in worlds from seed 1 on. */
  | { readonly by: "simulation"; readonly job: string }
  /** A file of tests, below `test/`; `of`: words that its tests have in common, if the others need not be run. */
  | { readonly by: "test"; readonly file: string; readonly of?: string }
  /** The compiler, which reads a file of tests below `test/`. */
  | { readonly by: "types"; readonly file: string }
  /** Nothing is otherwise: the line is not there for the rule alone. It is not run. */
  | { readonly by: "nobody"; readonly why: string }

export interface Mutation {
  readonly name: string
  /** The rule, in the words of docs/guarantees.md. */
  readonly rule: string
  /** Below `src/`. */
  readonly file: string
  /** Occurs once in the file. */
  readonly find: string
  readonly replace: string
  readonly caught: Catcher
}

/** The text with the rule broken. Throws unless the place is there, and once. */
export const applied = ({ file, find, name, replace }: Mutation, text: string): string => {
  const parts = text.split(find)
  if (parts.length !== 2) throw new Error(`mutation '${name}': its place is ${parts.length - 1} times in ${file}`)
  return parts.join(replace)
}
