/**
 * What becomes of each unit of a plant: it is seen, it has defects, it is finished. Each news of it changes some counts
 * by one, up or down: a unit with a defect is not OK until it is finished, and then no more. The counts do not depend on
 * the order in which the news come.
 */
import { Schema } from "effect"
import { Flow } from "../../src/index.ts"

/** A unit was seen, passed the end station, or has a defect charged to `zone` and entered at `station`. */
export interface News {
  readonly unit: number
  readonly finished: boolean
  readonly defect: { readonly zone: number; readonly station: number } | null
}

/** By how much each count changes. */
export interface Counted {
  readonly seen: number
  readonly seenOk: number
  readonly finished: number
  readonly finishedOk: number
  readonly nok: number
}
/** By how many units that are not OK the count of a zone, or of a station, changes. */
export interface NotOk {
  readonly place: number
  readonly units: number
}

const Unit = Schema.Struct({
  finished: Schema.Boolean,
  /** Zones that its defects are charged to, and stations where they were entered: each once. */
  zones: Schema.Array(Schema.Int),
  stations: Schema.Array(Schema.Int)
})
type Unit = typeof Unit.Type

/** For flows by `unit`: changes of counts, and on `zones` and `stations` those of units that are not OK. */
export const units = Flow.process("units", {
  state: Unit,
  outputs: { zones: Flow.output<NotOk>(), stations: Flow.output<NotOk>() },
  onEvent: (news: News, { emit, keep, state }) => {
    const next = after(state, news)
    if (state !== undefined && isSame(state, next)) return []
    keep(next)
    for (const [output, of] of [
      ["zones", zonesOf],
      ["stations", stationsOf]
    ] as const)
      for (const change of changesOf(of(state), of(next))) emit(output, change)
    return [difference(countsOf(state), countsOf(next))]
  }
})

const after = (state: Unit | undefined, { defect, finished }: News): Unit => ({
  finished: finished || state?.finished === true,
  zones: withPlace(state?.zones ?? [], defect?.zone),
  stations: withPlace(state?.stations ?? [], defect?.station)
})

const withPlace = (places: ReadonlyArray<number>, place: number | undefined): ReadonlyArray<number> =>
  place === undefined || places.includes(place) ? places : [...places, place]

const isSame = (a: Unit, b: Unit): boolean =>
  a.finished === b.finished && a.zones.length === b.zones.length && a.stations.length === b.stations.length

/** Where a unit counts as not OK. */
const zonesOf = (unit: Unit | undefined): ReadonlyArray<number> =>
  unit === undefined || unit.finished ? [] : unit.zones
const stationsOf = (unit: Unit | undefined): ReadonlyArray<number> =>
  unit === undefined || unit.finished ? [] : unit.stations

const changesOf = (before: ReadonlyArray<number>, after: ReadonlyArray<number>): ReadonlyArray<NotOk> => [
  ...before.filter((place) => !after.includes(place)).map((place) => ({ place, units: -1 })),
  ...after.filter((place) => !before.includes(place)).map((place) => ({ place, units: 1 }))
]

const countsOf = (unit: Unit | undefined): Counted => {
  const is = (holds: boolean): number => (holds ? 1 : 0)
  const isOk = unit?.zones.length === 0
  return {
    seen: is(unit !== undefined),
    seenOk: is(isOk),
    finished: is(unit?.finished === true),
    finishedOk: is(unit?.finished === true && isOk),
    nok: is(unit !== undefined && !unit.finished && !isOk)
  }
}

const difference = (before: Counted, after: Counted): Counted => ({
  seen: after.seen - before.seen,
  seenOk: after.seenOk - before.seenOk,
  finished: after.finished - before.finished,
  finishedOk: after.finishedOk - before.finishedOk,
  nok: after.nok - before.nok
})
