/** Which columns of an event can be its key, and the key that they make: types only. */
import type { KeyValue } from "../model/Columns.ts"
import type { Simplify } from "./Brands.ts"

/** The columns that can be a key; the union is written out in `keyBy` so that a message lists the names. */
export type KeyColumns<A> = { readonly [P in keyof A]-?: A[P] extends KeyValue ? P : never }
export type ComputedColumns<A> = { readonly [name: string]: (event: A) => KeyValue }
export type KeyFrom<A, Columns> = Simplify<
  { readonly [P in Extract<Columns[keyof Columns & number], string> & keyof A]: A[P] } & UnionToIntersection<
    ComputedKey<Exclude<Columns[keyof Columns & number], string>>
  >
>
type ComputedKey<C> = C extends object
  ? { readonly [P in keyof C]: C[P] extends (event: never) => infer V ? V : never }
  : never
type UnionToIntersection<U> = [U] extends [never]
  ? unknown
  : (U extends unknown ? (_: U) => void : never) extends (_: infer I) => void
    ? I
    : never
