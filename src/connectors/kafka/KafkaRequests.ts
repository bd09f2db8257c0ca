/** The requests of Kafka's protocol that topics are served with, each in one version that brokers from 2.8 on know. */
import type { Offset } from "../../model/Event.ts"
import { type Reader, reader, type Writer, writer } from "./KafkaBytes.ts"
import type { AbortedTransaction } from "./KafkaRecords.ts"

/** A request, and how its answer is read. */
export interface Request<A> {
  readonly key: number
  readonly version: number
  readonly name: string
  readonly encode: () => Uint8Array
  readonly decode: (answer: Uint8Array) => A
}

/** A request that is read at once; errors inside are numbers, 0: none. */
export const request = <A>(
  name: string,
  key: number,
  version: number,
  write: (to: Writer) => void,
  read: (from: Reader) => A
): Request<A> => ({
  key,
  version,
  name,
  encode: () => {
    const to = writer()
    write(to)
    return to.result()
  },
  decode: (answer) => read(reader(answer))
})

/** The errors of the partitions of topics, in the order of the answer; 0: none. */
export const partitionErrors = (from: Reader): ReadonlyArray<number> =>
  from
    .list(() => {
      from.text()
      return from.list(() => {
        from.int32()
        return from.int16()
      })
    })
    .flat()

/** Committed records only, or whatever is there. */
export type Isolation = "read committed" | "read uncommitted"
const isolationByte = (isolation: Isolation): number => (isolation === "read committed" ? 1 : 0)

export interface Metadata {
  readonly clusterId: string
  readonly controller: number
  readonly topics: ReadonlyArray<{
    readonly error: number
    readonly topic: string
    readonly id: string
    readonly isInternal: boolean
    readonly partitions: ReadonlyArray<{ readonly error: number; readonly partition: number; readonly leader: number }>
  }>
}

/** Of these topics, or of all. */
export const metadata = (topics: ReadonlyArray<string> | null): Request<Metadata> =>
  request(
    "Metadata",
    3,
    10,
    (to) => {
      to.unsigned(0)
      to.unsigned(topics === null ? 0 : topics.length + 1)
      for (const topic of topics ?? []) {
        to.bytes(new Uint8Array(16))
        to.compactText(topic)
        to.unsigned(0)
      }
      to.boolean(false)
      to.boolean(false)
      to.boolean(false)
      to.unsigned(0)
    },
    (from) => {
      from.tags()
      from.int32()
      from.compactList(() => {
        from.int32()
        from.compactText()
        from.int32()
        from.compactText()
        from.tags()
      })
      const clusterId = from.compactText() ?? ""
      const controller = from.int32()
      const found = from.compactList(() => {
        const error = from.int16()
        const topic = from.compactText() ?? ""
        const id = hex(from.bytes(16))
        const isInternal = from.int8() !== 0
        const partitions = from.compactList(() => {
          const error = from.int16()
          const partition = from.int32()
          const leader = from.int32()
          from.int32()
          for (let list = 0; list < 3; list++) from.compactList(from.int32)
          from.tags()
          return { error, partition, leader }
        })
        from.int32()
        from.tags()
        return { error, topic, id, isInternal, partitions }
      })
      return { clusterId, controller, topics: found }
    }
  )

export interface FoundOffset {
  readonly topic: string
  readonly partition: number
  readonly error: number
  readonly offset: Offset
}

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: ReadonlyArray<number>
}

/** The first offset that is held, or the one after the last. */
export const listOffsets = (
  topics: ReadonlyArray<TopicPartitions>,
  end: "oldest" | "latest",
  isolation: Isolation
): Request<ReadonlyArray<FoundOffset>> =>
  request(
    "ListOffsets",
    2,
    2,
    (to) => {
      to.int32(-1)
      to.int8(isolationByte(isolation))
      to.list(topics, ({ partitions, topic }) => {
        to.text(topic)
        to.list(partitions, (partition) => {
          to.int32(partition)
          to.int64(end === "oldest" ? -2 : -1)
        })
      })
    },
    (from) => {
      from.int32()
      return from
        .list(() => {
          const topic = from.text()!
          return from.list(() => {
            const partition = from.int32()
            const error = from.int16()
            from.int64()
            return { topic, partition, error, offset: from.int64() }
          })
        })
        .flat()
    }
  )

export interface Wanted {
  readonly partition: number
  readonly offset: Offset
}

export interface FetchOptions {
  readonly isolation: Isolation
  /** Milliseconds that the broker may wait for a first byte. */
  readonly waitMillis: number
  readonly bytesMax: number
}

export interface Fetched {
  readonly partition: number
  readonly error: number
  readonly aborted: ReadonlyArray<AbortedTransaction>
  /** Batches of records: a view of the answer. */
  readonly batches: Uint8Array
}

/** Records of some partitions of a topic. */
export const fetch = (
  topic: string,
  wanted: ReadonlyArray<Wanted>,
  { bytesMax, isolation, waitMillis }: FetchOptions
): Request<ReadonlyArray<Fetched>> =>
  request(
    "Fetch",
    1,
    11,
    (to) => {
      to.int32(-1)
      to.int32(waitMillis)
      to.int32(1)
      to.int32(bytesMax * wanted.length)
      to.int8(isolationByte(isolation))
      to.int32(0)
      to.int32(-1)
      to.int32(1)
      to.text(topic)
      to.list(wanted, ({ offset, partition }) => {
        to.int32(partition)
        to.int32(-1)
        to.int64(offset)
        to.int64(-1)
        to.int32(bytesMax)
      })
      to.int32(0)
      to.text("")
    },
    (from) => {
      from.int32()
      const failed = from.int16()
      from.int32()
      return from
        .list(() => {
          from.text()
          return from.list(() => {
            const partition = from.int32()
            const error = from.int16() || failed
            from.int64()
            from.int64()
            from.int64()
            const aborted = from.list(() => ({ producerId: from.int64(), firstOffset: from.int64() }))
            from.int32()
            return { partition, error, aborted, batches: from.bytes(Math.max(0, from.int32())) }
          })
        })
        .flat()
    }
  )

/** One batch for one partition, kept by all replicas that are in step before it is answered. */
export const produce = (
  place: { readonly topic: string; readonly partition: number },
  batch: Uint8Array,
  transactionalId: string | null
): Request<{ readonly error: number; readonly offset: Offset }> =>
  request(
    "Produce",
    0,
    7,
    (to) => {
      to.text(transactionalId)
      to.int16(-1)
      to.int32(30_000)
      to.int32(1)
      to.text(place.topic)
      to.int32(1)
      to.int32(place.partition)
      to.int32(batch.length)
      to.bytes(batch)
    },
    (from) =>
      from
        .list(() => {
          from.text()
          return from.list(() => {
            from.int32()
            const error = from.int16()
            const offset = from.int64()
            from.int64()
            from.int64()
            return { error, offset }
          })
        })
        .flat()[0]!
  )

export interface NewTopic {
  readonly topic: string
  readonly partitions: number
  readonly settings: ReadonlyArray<readonly [name: string, value: string]>
}

/** Asked of the controller; as many replicas as the cluster makes by itself. */
export const createTopic = ({
  partitions,
  settings,
  topic
}: NewTopic): Request<{ readonly error: number; readonly message: string | null }> =>
  request(
    "CreateTopics",
    19,
    4,
    (to) => {
      to.int32(1)
      to.text(topic)
      to.int32(partitions)
      to.int16(-1)
      to.int32(0)
      to.list(settings, ([name, value]) => {
        to.text(name)
        to.text(value)
      })
      to.int32(30_000)
      to.boolean(false)
    },
    (from) => {
      from.int32()
      return from.list(() => {
        from.text()
        return { error: from.int16(), message: from.text() }
      })[0]!
    }
  )

export interface TopicSettings {
  readonly topic: string
  readonly error: number
  readonly settings: ReadonlyMap<string, string>
}

/** Settings of topics, by these names. */
export const describeConfigs = (
  topics: ReadonlyArray<string>,
  names: ReadonlyArray<string>
): Request<ReadonlyArray<TopicSettings>> =>
  request(
    "DescribeConfigs",
    32,
    2,
    (to) => {
      to.list(topics, (topic) => {
        to.int8(2)
        to.text(topic)
        to.list(names, to.text)
      })
      to.boolean(false)
    },
    (from) => {
      from.int32()
      return from.list(() => {
        const error = from.int16()
        from.text()
        from.int8()
        const topic = from.text()!
        const settings = from.list(() => {
          const name = from.text()!
          const value = from.text() ?? ""
          from.int8()
          from.int8()
          from.int8()
          from.list(() => {
            from.text()
            from.text()
            from.int8()
          })
          return [name, value] as const
        })
        return { topic, error, settings: new Map(settings) }
      })
    }
  )

// Private

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
