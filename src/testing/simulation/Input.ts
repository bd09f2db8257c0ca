/** What comes to a job in a test: values by topic, and how they become records. */
import type * as Oracle from "./Oracle.ts"
import type { ScenarioOptions } from "./Scenario.ts"
import type { Coming } from "./Stage.ts"

/** Values by topic, in the order in which they come: text and bytes as they are, a `Keyed` as it says, all else as JSON. */
export type Input = Readonly<Record<string, ReadonlyArray<unknown>>>

/** A value, and what its record has beside it. */
export class Keyed {
  readonly value: unknown
  readonly options: KeyedOptions
  constructor(value: unknown, options: KeyedOptions) {
    this.value = value
    this.options = options
  }
}

export interface KeyedOptions {
  /** Text and bytes as they are, all else as JSON. Absent: the record has no key. */
  readonly key?: unknown
  /** By name, in this order: text and bytes as they are, all else as JSON. */
  readonly headers?: Readonly<Record<string, unknown>>
  /** From 0 to below the topic's partitions. Absent: the values of a topic take its partitions in turn. */
  readonly partition?: number
}

/** A value of an input whose record has a key, headers or a partition of its own. */
export const record = (value: unknown, options: KeyedOptions): Keyed => new Keyed(value, options)

/** The bytes of a value: text and bytes as they are, all else as JSON, bigints as numbers of all their digits. */
export const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : encoder.encode(typeof value === "string" ? value : jsonOf(value))

/** Records of all topics, each topic's spread evenly over the whole. `partitions` are those of each topic. */
export const comingOf = (input: Input, partitions: number): ReadonlyArray<Coming> =>
  Object.entries(input)
    .flatMap(([topic, values]) =>
      values.map((value, i) => ({ place: (i + 1) / values.length, record: recordOf(topic, value, i % partitions) }))
    )
    .sort((left, right) => left.place - right.place)
    .map(({ record }) => record)

const partitionsDefault = 3

/** What comes in a world, and what an oracle says of it. */
export const inWorld = <I extends Input>(
  input: I,
  { oracle, partitions = partitionsDefault }: { readonly oracle?: Oracle.Oracle<I>; readonly partitions?: number }
): Pick<ScenarioOptions, "topics" | "records" | "oracle"> => ({
  topics: Object.fromEntries(Object.keys(input).map((topic) => [topic, partitions])),
  records: comingOf(input, partitions),
  ...(oracle === undefined ? {} : { oracle: { oracle: oracle as never, valueOf: valuesOf(input) } })
})

/** The values of which records were made, by topic and bytes; text, where no record of the input has such bytes. */
export const valuesOf = (input: Input): ((topic: string, bytes: Uint8Array) => unknown) => {
  const known = new Map<string, unknown>()
  for (const [topic, values] of Object.entries(input))
    for (const one of values) {
      const value = one instanceof Keyed ? one.value : one
      known.set(placed(topic, bytesOf(value)), value)
    }
  return (topic, bytes) => {
    const id = placed(topic, bytes)
    return known.has(id) ? known.get(id) : decoder.decode(bytes)
  }
}

// Private

const decoder = new TextDecoder()
const placed = (topic: string, bytes: Uint8Array): string => `${topic} ${bytes.join(" ")}`

const encoder = new TextEncoder()

const recordOf = (topic: string, value: unknown, partition: number): Coming => {
  if (!(value instanceof Keyed)) return { topic, partition, key: null, value: bytesOf(value), headers: [] }
  const { headers = {}, key } = value.options
  return {
    topic,
    partition: value.options.partition ?? partition,
    key: key === undefined ? null : bytesOf(key),
    value: bytesOf(value.value),
    headers: Object.entries(headers).map(([name, header]) => ({ name, value: bytesOf(header) }))
  }
}

/** Bigints are marked in the text and then freed of their quotes: JSON has their digits, and `JSON.stringify` refuses them. */
const jsonOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${mark}${inner}${mark}` : inner)).replaceAll(
    marked,
    "$1"
  )

/** A character of no language, in text as JSON writes it. */
const mark = "\ue000"
const marked = new RegExp(`"${mark}(-?\\d+)${mark}"`, "g")
