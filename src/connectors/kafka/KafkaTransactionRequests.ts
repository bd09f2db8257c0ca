/** The requests by which a producer is known to the brokers, and by which its transactions begin and end. */
import { partitionErrors, type Request, request, type TopicPartitions } from "./KafkaRequests.ts"

export interface ProducerId {
  readonly producerId: number
  readonly producerEpoch: number
}

/** A producer of its own; with a transactional id, the next owner of it: what an earlier one left is aborted. */
export const initProducerId = (
  transactionalId: string | null,
  timeoutMillis: number
): Request<ProducerId & { readonly error: number }> =>
  request(
    "InitProducerId",
    22,
    1,
    (to) => {
      to.text(transactionalId)
      to.int32(timeoutMillis)
    },
    (from) => {
      from.int32()
      return { error: from.int16(), producerId: from.int64(), producerEpoch: from.int16() }
    }
  )

export interface Transaction extends ProducerId {
  readonly transactionalId: string
}

/** Answers the first error. */
export const addPartitionsToTxn = (
  { producerEpoch, producerId, transactionalId }: Transaction,
  topics: ReadonlyArray<TopicPartitions>
): Request<{ readonly error: number }> =>
  request(
    "AddPartitionsToTxn",
    24,
    1,
    (to) => {
      to.text(transactionalId)
      to.int64(producerId)
      to.int16(producerEpoch)
      to.list(topics, ({ partitions, topic }) => {
        to.text(topic)
        to.list(partitions, to.int32)
      })
    },
    (from) => {
      from.int32()
      const errors = partitionErrors(from)
      // Of partitions beside one that failed it says only that nothing was tried.
      return { error: errors.find((error) => error !== 0 && error !== 55) ?? errors.find((error) => error !== 0) ?? 0 }
    }
  )

export const endTxn = (
  { producerEpoch, producerId, transactionalId }: Transaction,
  end: "commit" | "abort"
): Request<{ readonly error: number }> =>
  request(
    "EndTxn",
    26,
    1,
    (to) => {
      to.text(transactionalId)
      to.int64(producerId)
      to.int16(producerEpoch)
      to.boolean(end === "commit")
    },
    (from) => {
      from.int32()
      return { error: from.int16() }
    }
  )
