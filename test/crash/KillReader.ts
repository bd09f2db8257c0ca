/** What the killed job left in topics of Kafka, as a stranger reads it: kafkajs' own consumer, of committed records. */
import { randomUUID } from "node:crypto"
import { Kafka, type KafkaMessage, logLevel } from "kafkajs"

process.env.KAFKAJS_NO_PARTITIONER_WARNING = "1"

/** Milliseconds that all records may take to be read: a transaction that nobody ends would hold them back for ever. */
const readMillisMax = 60_000

/** A record, and the partition that it was read from. */
export type Read = KafkaMessage & { readonly partition: number }

/**
 * All committed records of the topics, by topic. After them a last record is written to every partition: what stands
 * before it is there, and what a dead transaction holds back is missed.
 */
export const committed = async (
  brokers: string,
  topics: ReadonlyArray<string>
): Promise<ReadonlyMap<string, ReadonlyArray<Read>>> => {
  const kafka = new Kafka({ brokers: brokers.split(","), clientId: "reader", logLevel: logLevel.NOTHING })
  const last = `last ${randomUUID()}`
  const waited = await writeLast(kafka, topics, last)
  const found = new Map<string, Array<Read>>(topics.map((topic) => [topic, []]))
  const consumer = kafka.consumer({ groupId: `reader-${randomUUID()}`, readUncommitted: false })
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`the ends of ${[...waited].join(", ")} cannot be read: a transaction is open there`)),
        readMillisMax
      )
      const eachMessage = async (of: { topic: string; partition: number; message: KafkaMessage }) => {
        if (of.message.key?.toString() === last) waited.delete(`${of.topic}/${of.partition}`)
        else found.get(of.topic)!.push({ ...of.message, partition: of.partition })
        if (waited.size > 0) return
        clearTimeout(late)
        resolve()
      }
      consumer.run({ autoCommit: false, eachMessage }).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return found
}

// Private

/** Writes it to every partition of the topics; answers which these are. */
const writeLast = async (kafka: Kafka, topics: ReadonlyArray<string>, last: string): Promise<Set<string>> => {
  const admin = kafka.admin()
  await admin.connect()
  const described = await admin.fetchTopicMetadata({ topics: [...topics] }).finally(() => admin.disconnect())
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const topicMessages = described.topics.map(({ name, partitions }) => ({
    topic: name,
    messages: partitions.map(({ partitionId }) => ({ partition: partitionId, key: last, value: "" }))
  }))
  await producer.sendBatch({ topicMessages }).finally(() => producer.disconnect())
  return new Set(
    topicMessages.flatMap(({ messages, topic }) => messages.map(({ partition }) => `${topic}/${partition}`))
  )
}
