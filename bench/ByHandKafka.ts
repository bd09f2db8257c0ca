/**
 * The work of the job `orders` over Kafka into Postgres, by hand: kafkajs and its `eachBatch`, `JSON.parse`, sums in a
 * Map for each window, then an upsert of the final rows by postgres.js. No checkpoint, no commit of offsets, one pass.
 */
import { Kafka, logLevel } from "kafkajs"
import postgres from "postgres"
import * as ByHand from "./ByHand.ts"

/** Reads a topic once from its beginning to its end; `begun` is called when the group has been joined. */
export const sumOrders = async (brokers: string, topic: string, begun: () => void): Promise<ByHand.Windows> => {
  const kafka = new Kafka({ clientId: "by-hand", brokers: [brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ high, partition }) => [partition, Number(high)]))
  await admin.disconnect()
  // Those of the bench of the peers: larger fetches than the driver's defaults, which are slower.
  const consumer = kafka.consumer({
    groupId: `by-hand-${process.pid}`,
    maxBytesPerPartition: 4 << 20,
    maxBytes: 64 << 20,
    maxWaitTimeInMs: 100
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  consumer.on(consumer.events.GROUP_JOIN, begun)
  const windows = new Map<number, Map<string, ByHand.Income>>()
  await new Promise<void>((resolve, reject) => {
    // A broker that has just begun is not ready for groups: then the driver begins again by itself.
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) reject(payload.error)
    })
    const eachBatch: Parameters<typeof consumer.run>[0] = {
      partitionsConsumedConcurrently: 4,
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, heartbeat, resolveOffset }) => {
        for (const { value } of batch.messages) ByHand.add(windows, JSON.parse(value!.toString()))
        resolveOffset(batch.lastOffset())
        await heartbeat()
        if (Number(batch.lastOffset()) + 1 >= ends.get(batch.partition)!) ends.delete(batch.partition)
        if (ends.size === 0) resolve()
      }
    }
    consumer.run(eachBatch).catch(reject)
  })
  await consumer.disconnect()
  return windows
}

/** A connection, and what ends it. */
export const connect = (url: string) => {
  const client = postgres(url, { max: 1, onnotice: () => {} })
  return {
    exec: (sql: string) => client.unsafe(sql),
    query: (sql: string, columns: ReadonlyArray<unknown> = []) => client.unsafe(sql, columns as never),
    close: () => client.end()
  }
}
