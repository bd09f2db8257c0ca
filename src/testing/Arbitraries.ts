/**
 * Records that a job may meet and nobody thinks of, made of a Schema and a seed: values at the edges of their types,
 * text of all kinds, what is no record at all, the same twice, and event times out of order, too late and far in the
 * future. The same seed gives the same bytes on every runtime.
 *
 *     Simulate.job(visits, { input: (seed) => Arbitraries.input(visits, { seed }) })
 */
import { Arbitrary, Effect, FastCheck, type Schema } from "effect"
import * as Codec from "../flow/Codec.ts"
import type { Job } from "../flow/Job.ts"
import * as JsonDigits from "../flow/JsonDigits.ts"
import { fieldsOf, type RowField } from "../flow/RowFields.ts"
import type { Part, Topology } from "../flow/Topology.ts"
import { parseInstant } from "../model/Columns.ts"
import { formatInstant } from "../model/Time.ts"
import * as Hostile from "./ArbitrariesHostile.ts"
import * as SourceRecords from "./SourceRecords.ts"
import * as Chance from "./simulation/Chance.ts"
import * as Input from "./simulation/Input.ts"

export interface Options {
  /** Records, of each topic. Default: 150. */
  readonly count?: number
  /** Another seed gives other records. Default: 1. */
  readonly seed?: number
  /** Instants begin here, as ISO 8601 with an offset or `Z`, and go on by up to two seconds a record. Default: 2026. */
  readonly start?: string
  /** What is done to records, as shares of them from 0 to 1. */
  readonly shares?: Partial<Shares>
}

/** Shares of all records, from 0 to 1. */
export interface Shares {
  /** Each value is an odd one, if the Schema takes it. Default: 0.1. */
  readonly odd: number
  /** What is sent is no record. Default: 0.04. */
  readonly malformed: number
  /** An earlier record is sent again. Default: 0.05. */
  readonly repeated: number
  /** Instants are up to five seconds earlier than they are sent. Default: 0.1. */
  readonly outOfOrder: number
  /** Instants are one to thirty minutes earlier. Default: 0.04. */
  readonly late: number
  /** Instants are of the year 9999. Default: 0.01. */
  readonly farFuture: number
}

const sharesDefault: Shares = {
  odd: 0.1,
  malformed: 0.04,
  repeated: 0.05,
  outOfOrder: 0.1,
  late: 0.04,
  farFuture: 0.01
}
const countDefault = 150
const startDefault = "2026-01-01T00:00:00Z"

/** An input for each topic that a job reads. Throws `TypeError` for one whose records no Schema says. */
export const input = (
  job: Job,
  options: Options & { /** Parameters of the job, as text. */ readonly set?: Readonly<Record<string, string>> } = {}
): Input.Input => {
  const found = job.configure(options.set ?? {})
  if (found._tag === "Left") throw new TypeError(`${found.left.message}. ${found.left.hint}`)
  const { topology } = found.right
  return Object.fromEntries(
    SourceRecords.sourcesOf(topology).map((topic, i) => [topic, ofSource(topology, topic, seeded(options, i))])
  )
}

/** Records of a Schema as JSON, in the order in which they are sent. */
export const records = <A, I>(schema: Schema.Schema<A, I>, options: Options = {}): ReadonlyArray<Uint8Array> =>
  valuesOf({ schema, codec: Codec.json }, options)

/** Records of one source of a job, as its first step decodes them. Throws `TypeError` where no Schema says what they are. */
export const ofSource = (topology: Topology, topic: string, options: Options = {}): ReadonlyArray<unknown> => {
  const decode = SourceRecords.decodeOf(topology, topic)
  if (decode === null) throw new TypeError(`no Schema says what the records of topic ${topic} are: give them`)
  const values = valuesOf(decode.value, options)
  if (decode.key === null) return values
  const { seed = 1 } = options
  const keys = encodedOf(decode.key, fewer, seed)
  const chance = Chance.fromSeed(seed + 1)
  return values.map((bytes) => Input.record(bytes, { key: keys[chance.below(keys.length)] }))
}

// Private

/** Each topic has records of its own. */
const seeded = (options: Options, index: number): Options => ({
  ...options,
  seed: (options.seed ?? 1) + index * 0x10001
})

const valuesOf = (part: Part, options: Options): ReadonlyArray<Uint8Array> => {
  const { count = countDefault, seed = 1 } = options
  const shares = { ...sharesDefault, ...options.shares }
  const chance = Chance.fromSeed(seed)
  const next = making(part, { count, seed, shares, chance, clock: clockOf(options, shares, chance) })
  const sent: Array<Uint8Array> = []
  for (let i = 0; i < count; i++) {
    const share = chance.next()
    const isRepeated = share >= shares.malformed && share < shares.malformed + shares.repeated && i > 0
    const record = isRepeated ? sent[chance.below(i)]! : next()
    sent.push(share < shares.malformed ? Hostile.malformed(record, chance) : record)
  }
  return sent
}

interface Making {
  readonly count: number
  readonly seed: number
  readonly shares: Shares
  readonly chance: Chance.Chance
  /** When the next record says that it happened. */
  readonly clock: () => number
}

/** Values that others are made of again and again, so that there are keys of several records. */
const fewer = 6
/** Of ten values of a field, so many are of those few. */
const ofFewInTen = 8

/** Makes one record after the other. */
const making = (part: Part, { chance, clock, count, seed, shares }: Making): (() => Uint8Array) => {
  const encoded = encodedOf(part, count + fewer, seed)
  const fields = part.codec.name === "json" ? structOf(part.schema) : null
  let made = 0
  if (fields === null) return () => encoded[made++ % encoded.length]!
  const { read } = Codec.json.reader(part.schema)
  const isTaken = (bytes: Uint8Array): boolean => {
    try {
      read(bytes, 0, bytes.length)
      return true
    } catch {
      return false
    }
  }
  const rows = encoded.map((bytes) => JsonDigits.parse(decoder.decode(bytes)) as Row)
  const few = rows.slice(0, fewer)
  return () => {
    const own = rows[(fewer + made++) % rows.length]!
    const at = clock()
    const mixed = rowOf(fields, (field) => {
      const row = chance.below(10) < ofFewInTen ? few[chance.below(few.length)]! : own
      return Object.hasOwn(row, field.name) ? fieldOf(field, row[field.name], at) : undefined
    })
    const odd = new Map(
      [...mixed].map(([name, json]) => {
        const values = chance.next() < shares.odd ? Hostile.jsonOf(fields.find((field) => field.name === name)!) : []
        return [name, values.length === 0 ? json : values[chance.below(values.length)]!] as const
      })
    )
    // A Schema may refuse an odd value, and values of several rows beside each other.
    const plain = rowOf(fields, (field) =>
      Object.hasOwn(own, field.name) ? fieldOf(field, own[field.name], at) : undefined
    )
    return [odd, mixed, plain].map(bytesOf).find(isTaken) ?? bytesOf(plain)
  }
}

/** JSON as it was parsed. */
type Row = Readonly<Record<string, unknown>>

/** JSON by field; `undefined`: it is left out. */
const rowOf = (
  fields: ReadonlyArray<RowField>,
  jsonOf: (field: RowField) => string | undefined
): ReadonlyMap<string, string> =>
  new Map(
    fields.flatMap((field) => {
      const json = jsonOf(field)
      return json === undefined ? [] : [[field.name, json] as const]
    })
  )

const fieldOf = ({ column }: RowField, value: unknown, at: number): string => {
  if (column?.kind !== "instant" || value === null) return JsonDigits.write(value)
  if (column.unit === "iso") return JSON.stringify(formatInstant(at))
  return String(column.unit === "seconds" ? at / 1000 : at)
}

const bytesOf = (row: ReadonlyMap<string, string>): Uint8Array =>
  encoder.encode(`{${[...row].map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`)

const structOf = (schema: Part["schema"]): ReadonlyArray<RowField> | null => {
  try {
    return fieldsOf(schema)
  } catch {
    return null
  }
}

/** Values of a Schema as a codec writes them, those left out that it has no bytes for. */
const encodedOf = ({ codec, schema }: Part, count: number, seed: number): ReadonlyArray<Uint8Array> => {
  if (!["json", "text", "bytes"].includes(codec.name))
    throw new TypeError(`records in the form ${codec.name} cannot be made here: give them`)
  const writer = codec.writer(schema, { topic: "arbitrary", part: "value" })
  const write = Effect.runSync(writer as Effect.Effect<Codec.Write<unknown>>)
  const values = FastCheck.sample(Arbitrary.make(schema), { seed: seed | 0, numRuns: 4 * count })
  const encoded: Array<Uint8Array> = []
  for (const value of values)
    try {
      if (encoded.length < count) encoded.push(write(value))
    } catch (error) {
      if (!(error instanceof Codec.Unencodable)) throw error
    }
  return encoded
}

/** Between two records, in milliseconds. */
const stepMillisMax = 2_000
const outOfOrderMillisMax = 5_000
const minuteMillis = 60_000
/** Minutes. */
const lateMax = 30
const farFuture = Date.UTC(9999, 0, 1)

const clockOf = ({ start = startDefault }: Options, shares: Shares, chance: Chance.Chance): (() => number) => {
  let now = parseInstant(start)
  if (now === null) throw new TypeError(`'start' is '${start}', and no instant such as ${startDefault}`)
  return () => {
    now! += chance.below(stepMillisMax + 1)
    const share = chance.next()
    if (share < shares.farFuture) return farFuture
    if (share < shares.farFuture + shares.late) return now! - minuteMillis - chance.below((lateMax - 1) * minuteMillis)
    const isOutOfOrder = share < shares.farFuture + shares.late + shares.outOfOrder
    return isOutOfOrder ? now! - chance.below(outOfOrderMillisMax) : now!
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
