/**
 * How the states of a step's aggregates, kept by an older code, become those that it keeps now. Pure.
 *
 * A step with aggregates says them at the end of its fingerprint, by name and by what each keeps: `…; aggregates
 * {"income":"sum"}`. What stands before must be the same; the aggregates may differ as far as migrations say how.
 */
import type { AggregateMigration, Migration } from "../flow/Migration.ts"
import type { AnyAggregate } from "./AggregateState.ts"

/** The way from the old states to the new ones. */
export interface AggregateMigrating {
  /** For a person: what becomes of each aggregate. */
  readonly says: string
  /** The states of an entry in the order of this code's aggregates. */
  readonly map: (old: ReadonlyArray<unknown>) => Array<unknown>
}

type Aggregates = Readonly<Record<string, AnyAggregate>>

/** What the step says at the end of its fingerprint. */
export const said = (aggregates: Aggregates): string =>
  `${mark}${JSON.stringify(Object.fromEntries(Object.entries(aggregates).map(([name, one]) => [name, one.keeps ?? "own"])))}`

/**
 * The way that the migrations lead from one fingerprint to another; `null`: they do not. Of migrations that lead on from
 * each other those are taken that begin at what was kept.
 */
export const between = (
  was: string,
  is: string,
  of: { readonly aggregates: Aggregates; readonly migrations: ReadonlyArray<Migration> }
): AggregateMigrating | null => {
  const [old, now] = [parsed(was), parsed(is)]
  if (old === null || now === null || old.head !== now.head) return null
  for (let first = 0; first <= of.migrations.length; first++) {
    const steps = of.migrations.slice(first).filter((one) => one.kind !== "value")
    if (steps.length < of.migrations.length - first) continue
    const slots = walked(old.aggregates, steps, now.aggregates)
    if (slots !== null) return migrating(slots, steps, of.aggregates)
  }
  return null
}

// Private

const mark = "; aggregates "

/** What becomes of the old state at `index`; -1: the aggregate is new. */
interface Slot {
  readonly index: number
  readonly keeps: string | null
  readonly maps: ReadonlyArray<(old: never) => unknown>
}

const parsed = (fingerprint: string) => {
  const at = fingerprint.lastIndexOf(mark)
  if (at < 0) return null
  try {
    const aggregates = JSON.parse(fingerprint.slice(at + mark.length)) as Readonly<Record<string, string>>
    return { head: fingerprint.slice(0, at), aggregates }
  } catch {
    return null
  }
}

/** The aggregates after the migrations, if these fit and end at what is wanted. */
const walked = (
  old: Readonly<Record<string, string>>,
  migrations: ReadonlyArray<AggregateMigration>,
  wanted: Readonly<Record<string, string>>
): ReadonlyMap<string, Slot> | null => {
  const slots = new Map<string, Slot>(
    Object.entries(old).map(([name, keeps], index) => [name, { index, keeps, maps: [] }])
  )
  for (const one of migrations) if (!applied(slots, one)) return null
  const isThere = ([name, keeps]: [string, string]): boolean => {
    const slot = slots.get(name)
    return slot !== undefined && (slot.keeps === null || slot.keeps === keeps)
  }
  return slots.size === Object.keys(wanted).length && Object.entries(wanted).every(isThere) ? slots : null
}

/** Does the migration fit, and what is there after it? */
const applied = (slots: Map<string, Slot>, one: AggregateMigration): boolean => {
  const slot = slots.get(one.aggregate)
  switch (one.kind) {
    case "added":
      if (slot !== undefined) return false
      slots.set(one.aggregate, { index: -1, keeps: null, maps: [] })
      return true
    case "removed":
      return slots.delete(one.aggregate)
    case "renamed":
      if (slot === undefined || slots.has(one.to)) return false
      slots.delete(one.aggregate)
      slots.set(one.to, slot)
      return true
    case "changed":
      if (slot === undefined || (slot.keeps !== null && slot.keeps !== `own ${one.value.from}`)) return false
      slots.set(one.aggregate, { ...slot, keeps: null, maps: [...slot.maps, one.value.map] })
      return true
  }
}

const migrating = (
  slots: ReadonlyMap<string, Slot>,
  migrations: ReadonlyArray<AggregateMigration>,
  aggregates: Aggregates
): AggregateMigrating => {
  const ways = Object.entries(aggregates).map(([name, { empty }]) => ({ ...slots.get(name)!, empty }))
  return {
    says: migrations.map(sentenceOf).join(", ") || "its aggregates have another order",
    map: (old) =>
      ways.map(({ empty, index, maps }) =>
        index < 0 ? empty() : maps.reduce<unknown>((state, map) => map(state as never), old[index])
      )
  }
}

const sentenceOf = (one: AggregateMigration): string => {
  switch (one.kind) {
    case "added":
      return `'${one.aggregate}' begins empty`
    case "removed":
      return `'${one.aggregate}' is dropped`
    case "renamed":
      return `'${one.aggregate}' becomes '${one.to}'`
    case "changed":
      return `the state of '${one.aggregate}' is migrated`
  }
}
