/**
 * Checks that an aggregate keeps what `weir/flow`'s contract promises: then its result does not depend on how events
 * are batched, in what order partitions come, where windows are joined, or where a job was restarted.
 *
 *     test("the median keeps the laws of aggregates", () => {
 *       AggregateLaws.check(median, { events: FastCheck.record({ price: FastCheck.integer() }) })
 *     })
 */
import { FastCheck } from "effect"
import type { Aggregate, Place } from "../flow/Aggregate.ts"
import * as Values from "../model/Values.ts"
import { Reader, Writer } from "../state/Encoding.ts"

export interface Options<A, B> {
  readonly events: FastCheck.Arbitrary<A>
  /** When two results are the same. Default: when they hold the same plain values. */
  readonly equals?: (left: B, right: B) => boolean
  /** Cases that are tried for each law. Default: 100. */
  readonly cases?: number
  /** Repeats what an earlier check has found. */
  readonly seed?: number
}

/** Throws an `Error` that names the law that does not hold, and the smallest events that were found against it. */
export const check = <A, S, B>(aggregate: Aggregate<A, S, B>, options: Options<A, B>): void => {
  checkAll("", lawsOf(aggregate), aggregate, options)
  const { overChanges } = aggregate
  if (overChanges === undefined) return
  if (overChanges.remove === undefined)
    throw new Error("This aggregate breaks a law: overChanges takes rows back. It has no remove.")
  checkAll("overChanges: ", { ...lawsOf(overChanges), ...standIn(aggregate, overChanges) }, overChanges, options)
}

// Laws

/** Events that are given, others that come beside them, and choices: how they are ordered and parted. */
interface Case<A> {
  readonly given: ReadonlyArray<Placed<A>>
  readonly others: ReadonlyArray<Placed<A>>
  readonly choices: ReadonlyArray<number>
}

interface Placed<A> {
  readonly event: A
  readonly place: Place
}

/** What a law compares: two results that must be the same. */
type Law<A, B> = (told: Case<A>) => readonly [found: B, wanted: B]
type Laws<A, B> = Readonly<Record<string, Law<A, B>>>

const lawsOf = <A, S, B>(aggregate: Aggregate<A, S, B>): Laws<A, B> => ({
  ...laws(aggregate),
  ...(aggregate.remove === undefined ? {} : takingBack(aggregate, aggregate.remove))
})

const laws = <A, S, B>(aggregate: Aggregate<A, S, B>): Laws<A, B> => {
  const { empty, merge, result } = aggregate
  const of = (events: ReadonlyArray<Placed<A>>): S => fold(aggregate, empty(), events)
  return {
    "a state merged with an empty one gives what it gave": ({ given }) => [
      result(merge(empty(), merge(of(given), empty()))),
      result(of(given))
    ],
    "events give the same in any order": ({ choices, given }) => [
      result(of(shuffled(given, choices))),
      result(of(given))
    ],
    "parts of the events, merged in any order, give what all of them give": ({ choices, given }) => {
      const states = shuffled(parted(given, choices), [...choices].reverse()).map(of)
      return [result(mergedAll(states, merge, choices)), result(of(given))]
    },
    "a result stays what it was when more events come to its state": ({ given, others }) => {
      const state = of(given)
      const early = result(state)
      result(merge(fold(aggregate, state, others), of(others)))
      return [early, result(of(given))]
    },
    "a result can be asked for again": ({ given }) => {
      const state = of(given)
      result(state)
      return [result(state), result(of(given))]
    },
    "a new empty state is empty whatever became of the ones before": ({ given, others }) => {
      of(others)
      return [result(of(given)), result(fold(aggregate, merge(of(given), empty()), []))]
    },
    "a state goes on after it was written and read": ({ given, others }) => [
      result(merge(fold(aggregate, restored(of(given)), others), restored(of(others)))),
      result(merge(of([...given, ...others]), of(others)))
    ]
  }
}

const takingBack = <A, S, B>(aggregate: Aggregate<A, S, B>, remove: (state: S, event: A) => S): Laws<A, B> => ({
  "a row that was added and taken back, in any order, leaves nothing": ({ choices, given, others }) => {
    const steps = [
      ...[...given, ...others].map(
        ({ event, place }) =>
          (state: S) =>
            aggregate.add(state, event, place)
      ),
      ...others.map(
        ({ event }) =>
          (state: S) =>
            remove(state, event)
      )
    ]
    const state = shuffled(steps, choices).reduce((reached, step) => step(reached), aggregate.empty())
    return [aggregate.result(state), aggregate.result(fold(aggregate, aggregate.empty(), given))]
  },
  "a row that was added to one part can be taken back in another": ({ given, others }) => {
    const removed = others.reduce((state, { event }) => remove(state, event), aggregate.empty())
    const added = fold(aggregate, aggregate.empty(), [...given, ...others])
    return [
      aggregate.result(aggregate.merge(restored(removed), added)),
      aggregate.result(fold(aggregate, aggregate.empty(), given))
    ]
  }
})

const standIn = <A, S, S2, B>(aggregate: Aggregate<A, S, B>, other: Aggregate<A, S2, B>): Laws<A, B> => ({
  "it gives what the aggregate gives over events": ({ given }) => [
    other.result(fold(other, other.empty(), given)),
    aggregate.result(fold(aggregate, aggregate.empty(), given))
  ]
})

const fold = <A, S, B>(aggregate: Aggregate<A, S, B>, state: S, events: ReadonlyArray<Placed<A>>): S => {
  // The place is one object that is overwritten, as in a running step.
  const place = { eventTime: 0, origin: "", partition: 0, offset: 0, row: 0 }
  return events.reduce((reached, one) => aggregate.add(reached, one.event, Object.assign(place, one.place)), state)
}

const restored = <S>(state: S): S => {
  const writer = new Writer()
  writer.value(state)
  return new Reader(writer.copy()).value() as S
}

/** Left of the other or right of it, as the choices say. */
const mergedAll = <S>(states: ReadonlyArray<S>, merge: (left: S, right: S) => S, choices: ReadonlyArray<number>): S =>
  states.reduce((all, state, i) => (choiceAt(choices, i) % 2 === 0 ? merge(all, state) : merge(state, all)))

const parted = <A>(events: ReadonlyArray<A>, choices: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<A>> => {
  const parts: Array<Array<A>> = [[], [], []]
  for (const [i, event] of events.entries()) parts[choiceAt(choices, i) % 3]!.push(event)
  return parts
}

const shuffled = <A>(things: ReadonlyArray<A>, choices: ReadonlyArray<number>): ReadonlyArray<A> =>
  things
    .map((thing, i) => ({ thing, order: choiceAt(choices, i), i }))
    .sort((left, right) => left.order - right.order || left.i - right.i)
    .map(({ thing }) => thing)

const choiceAt = (choices: ReadonlyArray<number>, i: number): number => choices[i % choices.length]!

// Checking

const checkAll = <A, S, B>(
  prefix: string,
  all: Laws<A, B>,
  aggregate: Aggregate<A, S, B>,
  options: Options<A, B>
): void => {
  for (const [name, law] of Object.entries(all)) checkOne(`${prefix}${name}`, law, aggregate, options)
}

const checkOne = <A, S, B>(
  name: string,
  law: Law<A, B>,
  aggregate: Aggregate<A, S, B>,
  { cases = 100, equals = same, events, seed }: Options<A, B>
): void => {
  const why = (told: Case<A>): string | null => {
    try {
      const [found, wanted] = law(told)
      return equals(found, wanted) ? null : `gave ${shown(found)}, not ${shown(wanted)}`
    } catch (error) {
      return `threw: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  const details = FastCheck.check(
    FastCheck.property(casesOf(events), (told) => why(told) === null),
    { numRuns: cases, ...(seed === undefined ? {} : { seed }) }
  )
  if (!details.failed) return
  const [told] = details.counterexample as [Case<A>]
  const single = `${told.given.length === 1 ? "one event" : `${told.given.length} events`}`
  throw new Error(
    [
      `This aggregate breaks a law: ${name}.`,
      `It ${why(told)}`,
      `for ${single}: ${shown(told.given.map(({ event }) => event))}`,
      `and beside them: ${shown(told.others.map(({ event }) => event))}`,
      `where the first alone give ${resultOf(aggregate, told.given)}. (seed ${details.seed})`
    ].join("\n  ")
  )
}

const resultOf = <A, S, B>(aggregate: Aggregate<A, S, B>, events: ReadonlyArray<Placed<A>>): string => {
  try {
    return shown(aggregate.result(fold(aggregate, aggregate.empty(), events)))
  } catch (error) {
    return `an error: ${String(error)}`
  }
}

const same = (left: unknown, right: unknown): boolean => Values.compare(left, right) === 0

const shown = (value: unknown): string => FastCheck.stringify(value)

/** Event times and partitions repeat; offsets do not: no two events stand at one place. */
const casesOf = <A>(events: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<Case<A>> =>
  FastCheck.record({
    given: FastCheck.array(events, { minLength: 1, maxLength: 12 }),
    others: FastCheck.array(events, { maxLength: 8 }),
    times: FastCheck.array(FastCheck.nat(3), { minLength: 20, maxLength: 20 }),
    choices: FastCheck.array(FastCheck.nat(1_000), { minLength: 32, maxLength: 32 })
  }).map(({ choices, given, others, times }) => {
    const placed = (event: A, i: number): Placed<A> => ({
      event,
      place: { eventTime: times[i]!, origin: i % 5 === 0 ? "b" : "a", partition: i % 2, offset: i, row: i % 3 }
    })
    return { given: given.map(placed), others: others.map((event, i) => placed(event, given.length + i)), choices }
  })
