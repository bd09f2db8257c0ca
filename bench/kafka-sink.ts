/**
 * The writer of Kafka's sink against a plain producer of kafkajs with the same batches, and against kafkajs with a
 * transaction for each epoch: the same records into the same partitions of a topic of its own, `acks` of all.
 *
 * Each run is a process of its own; the sides take turns. An epoch is one transaction of Weir's, with its fence; the
 * plain producer sends the same batches one after the other, of all partitions at once, and promises nothing about
 * epochs. Records are made before and cost neither side anything.
 */
import { Effect } from "effect"
import { Kafka, logLevel } from "kafkajs"
import { orders } from "../fixtures/orders.ts"
import { type ProducedRecord, Topics } from "../src/flow/Topics.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as Servers from "./Servers.ts"
import * as World from "./World.ts"

const options = Figures.options({
  /** Over four partitions, some 130 bytes each. */
  records: 1_000_000,
  /** Records of one partition in one batch: below Weir's bound of bytes, so that both send the same. */
  batch: 2_500,
  /** Batches of each partition in one epoch. */
  batches: 10,
  rounds: 5,
  // What the process of one run is told:
  side: "all",
  brokers: "",
  topic: ""
})

const partitions = 4
const sides = ["kafkajs", "kafkajs in transactions", "Weir"] as const

/** Epochs, of partitions, of records. */
const epochs = (): ReadonlyArray<ReadonlyArray<ReadonlyArray<ProducedRecord>>> => {
  const size = options.batch * options.batches * partitions
  const made: Array<ReadonlyArray<ReadonlyArray<ProducedRecord>>> = []
  for (const { records } of orders({ count: options.records, partitions }, size))
    made.push(
      Array.from({ length: partitions }, (_, partition) =>
        records
          .filter((record) => record.partition === partition)
          .map(({ value }) => ({ key: null, value: new Uint8Array(value), headers: [] }))
      )
    )
  return made
}

const byWeir = Effect.gen(function* () {
  const topics = yield* Topics
  const made = epochs()
  const stamp = { job: "bench", sink: options.topic, lineage: 1, generation: 1, epoch: 0 }
  const opening = { stamp, intentEpochs: [], position: null, partitions }
  const writer = yield* topics.epochWriter(options.topic, opening)
  const end = Processes.stopwatch()
  for (const [i, epoch] of made.entries()) yield* writer.write(i + 1, new Map(epoch.entries()))
  Processes.tell(end())
}).pipe(Effect.scoped, Effect.provide(Servers.topicsLayer(options.brokers)))

const byKafkajs = async (isTransactional: boolean): Promise<void> => {
  const kafka = new Kafka({ brokers: [options.brokers], logLevel: logLevel.NOTHING })
  const producer = kafka.producer(
    isTransactional ? { transactionalId: options.topic, maxInFlightRequests: 1, idempotent: true } : {}
  )
  await producer.connect()
  // The driver takes Buffers.
  const made = epochs().map((epoch) =>
    epoch.map((part) => part.map(({ value }) => ({ value: Buffer.from(value.buffer, value.byteOffset, value.length) })))
  )
  const end = Processes.stopwatch()
  for (const epoch of made) {
    const transaction = isTransactional ? await producer.transaction() : null
    for (let from = 0; from < epoch[0]!.length; from += options.batch)
      await (transaction ?? producer).sendBatch({
        acks: -1,
        topicMessages: [
          {
            topic: options.topic,
            messages: epoch.flatMap((part, partition) =>
              part.slice(from, from + options.batch).map(({ value }) => ({ key: null, value, partition }))
            )
          }
        ]
      })
    await transaction?.commit()
  }
  Processes.tell(end())
  await producer.disconnect()
}

const measure = async (servers: Servers.Servers, side: (typeof sides)[number]): Promise<Processes.Spent> => {
  await Servers.keepTopics(servers, [])
  const topic = "bench"
  const admin = new Kafka({ brokers: [servers.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] })
  const { batch, batches, records } = options
  const { answer } = await Processes.run<Processes.Spent>({
    side,
    brokers: servers.brokers,
    topic,
    records,
    batch,
    batches
  })
  const found = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  // Markers of transactions have offsets too.
  const written = found.reduce((sum, { high }) => sum + Number(high), 0)
  if (written < options.records) throw new Error(`${side} wrote ${written} records of ${options.records}`)
  return answer
}

if (options.side === "Weir") await World.run(byWeir)
else if (options.side !== "all") await byKafkajs(options.side === "kafkajs in transactions")
else {
  const epoch = options.batch * options.batches * partitions
  console.log(
    `${Processes.machine()}\n${Figures.grouped(options.records)} records in epochs of ${Figures.grouped(epoch)}, batches of ${Figures.grouped(options.batch)}\n`
  )
  const found = new Map(sides.map((side) => [side, [] as Array<Processes.Spent>]))
  await Servers.withServers(async (servers) => {
    for (let round = 1; round <= options.rounds; round++)
      for (const side of sides) found.get(side)!.push(await measure(servers, side))
  })
  const plain = found.get("kafkajs")!
  const lines = sides.map((side) => {
    const all = found.get(side)!
    const ratios = (of: keyof Processes.Spent) =>
      Figures.show(Figures.spreadOf(all.map((one, round) => plain[round]![of] / one[of])), 2)
    return [
      side,
      Figures.show(Figures.spreadOf(all.map(({ millis }) => options.records / millis)), 0),
      ratios("millis"),
      Figures.show(Figures.spreadOf(all.map(({ processorMillis }) => processorMillis / 1000)), 2),
      ratios("processorMillis")
    ]
  })
  console.log(Figures.table([["", "k records/s", "ratio", "processor s", "ratio"], ...lines]))
}
