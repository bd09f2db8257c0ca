/**
 * Brings the input into a log that one process owns: a person who produces through that process, and who after an
 * answer that did not come looks at what is there before producing again. So each record comes once, in its order,
 * whatever befalls the process; and a record of which the answer came must be there for ever.
 */
import { Effect } from "effect"
import { type ProducedRecord, Topics, type TopicsError } from "../../flow/Topics.ts"
import type { Chance } from "./Chance.ts"
import type { Coming } from "./Stage.ts"

/** An answer was given, and what it said is not so. */
export class AcknowledgedLost extends Error {
  readonly _tag = "AcknowledgedLost"
}

export interface Producer {
  readonly come: (records: ReadonlyArray<Coming>) => void
  /** Makes the topics that are not there. */
  readonly create: Effect.Effect<void, TopicsError, Topics>
  /** Appends what came and what comes, in the process that owns the log; never ends, except by a failure. */
  readonly run: Effect.Effect<never, TopicsError | AcknowledgedLost, Topics>
  /** Appends what came, and ends. */
  readonly flush: Effect.Effect<void, TopicsError | AcknowledgedLost, Topics>
  /** Lines on partitions that are not what came. */
  readonly differences: Effect.Effect<ReadonlyArray<string>, TopicsError, Topics>
}

/** What comes to one partition. */
interface Lane {
  readonly topic: string
  readonly partition: number
  readonly records: Array<ProducedRecord>
  /** Records, from the first on, of which the answer came. */
  acknowledged: number
  /** Tells the process that records came. */
  wake: () => void
}

/** Records of one request, at most. */
const requestRecordsMax = 8
/** After a disk refused records, in milliseconds. */
const againMillis = 300

/** `topics` are partitions by topic. */
export const make = (topics: Readonly<Record<string, number>>, chance: Chance): Producer => {
  const lanes = Object.entries(topics).flatMap(([topic, partitions]) =>
    Array.from(
      { length: partitions },
      (_, partition): Lane => ({
        topic,
        partition,
        records: [],
        acknowledged: 0,
        wake: () => {}
      })
    )
  )
  const create = Effect.flatMap(Topics, (service) =>
    Effect.forEach(
      Object.entries(topics),
      ([topic, partitions]) => Effect.catchTag(service.create(topic, { partitions }), "TopicExists", () => Effect.void),
      { discard: true }
    )
  )
  const inLanes = <A>(bring: (lane: Lane) => Effect.Effect<A, TopicsError | AcknowledgedLost, Topics>) =>
    Effect.forEach(lanes, bring, { concurrency: "unbounded", discard: true })
  return {
    create,
    come: (records) => {
      for (const { partition, topic, ...record } of records)
        lanes.find((lane) => lane.topic === topic && lane.partition === partition)!.records.push(record)
      for (const lane of lanes) lane.wake()
    },
    run: Effect.zipRight(
      inLanes((lane) => Effect.forever(Effect.flatMap(bring(lane, chance), (known) => more(lane, known)))),
      Effect.never
    ),
    flush: inLanes((lane) => bring(lane, chance)),
    differences: Effect.map(Effect.forEach(lanes, difference), (all) => all.flat())
  }
}

// Private

/** Appends what came; answers how many records the partition holds. */
const bring = (lane: Lane, chance: Chance): Effect.Effect<number, TopicsError | AcknowledgedLost, Topics> =>
  Effect.gen(function* () {
    const service = yield* Topics
    const { partition, records, topic } = lane
    let next = yield* held(lane)
    while (next < records.length) {
      const some = records.slice(next, next + 1 + chance.below(requestRecordsMax))
      const offset = yield* Effect.catchTag(service.produce(topic, partition, some), "StorageFailed", () =>
        Effect.as(Effect.sleep(againMillis), null)
      )
      if (offset !== null && offset !== next)
        return yield* Effect.fail(lost(lane, `record ${next} was appended at ${offset}`))
      lane.acknowledged = offset === null ? lane.acknowledged : next + some.length
      next = yield* held(lane)
    }
    return next
  })

/** Records that the partition holds: at least those of which the answer came. */
const held = (lane: Lane): Effect.Effect<number, TopicsError | AcknowledgedLost, Topics> =>
  Effect.gen(function* () {
    const { partitions } = yield* (yield* Topics).describe(lane.topic)
    const end = partitions[lane.partition]?.latest ?? 0
    if (end < lane.acknowledged) return yield* Effect.fail(lost(lane, `it ends at ${end}`))
    return end
  })

const more = (lane: Lane, known: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (lane.records.length > known) resume(Effect.void)
    else lane.wake = () => resume(Effect.void)
  })

const difference = (lane: Lane): Effect.Effect<ReadonlyArray<string>, TopicsError, Topics> =>
  Effect.gen(function* () {
    const { partition, records, topic } = lane
    const found = yield* (yield* Topics).fetch(topic, partition, 0, records.length + 1)
    const where = `topic ${topic}, partition ${partition}`
    const wrong = found.findIndex(({ value }, offset) => !isEqual(value, records[offset]?.value))
    if (wrong >= 0) return [`${where}: record ${wrong} is not the one that came`]
    return found.length === records.length
      ? []
      : [`${where}: ${records.length} records came, and it holds ${found.length}`]
  })

const isEqual = (one: Uint8Array, other: Uint8Array | undefined): boolean =>
  one.length === other?.length && one.every((byte, i) => byte === other[i])

const lost = ({ acknowledged, partition, topic }: Lane, what: string): AcknowledgedLost =>
  new AcknowledgedLost(
    `topic ${topic}, partition ${partition}: the answer of ${acknowledged} records came, and ${what}`
  )
