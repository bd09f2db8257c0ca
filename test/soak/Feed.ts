/** Puts transfers into a topic at a steady rate, as long as it is told, whatever becomes of the servers meanwhile. */
import { setTimeout as sleep } from "node:timers/promises"
import { Kafka, logLevel } from "kafkajs"
import * as Bank from "./Bank.ts"
import * as LocalWeir from "./LocalWeir.ts"

export interface Feed {
  /** Transfers that were confirmed. What was sent and not confirmed may be in the topic or not: it is not sent again. */
  readonly confirmed: () => ReadonlySet<number>
  readonly stop: () => Promise<void>
}

type Send = (made: ReadonlyArray<Bank.Made>) => Promise<unknown>

/** Milliseconds from one send to the next. */
const sendMillis = 200
/** Sends that are made up for when a server was away: more would make a hump. */
const sendsBehindMax = 5

/** `perSecond`: transfers. */
const feeding = (seed: number, perSecond: number, send: Send, close: () => Promise<unknown>): Feed => {
  const made = Bank.transfers(seed)
  const confirmed = new Set<number>()
  const each = Math.max(1, Math.round((perSecond * sendMillis) / 1_000))
  let isOver = false
  const sending = (async () => {
    let due = performance.now()
    while (!isOver) {
      await sleep(Math.max(0, due - performance.now()))
      due = Math.max(due + sendMillis, performance.now() - sendsBehindMax * sendMillis)
      const some = Array.from({ length: each }, () => made.next().value)
      await send(some).then(
        () => {
          for (const { id } of some) confirmed.add(id)
        },
        () => {}
      )
    }
  })()
  return {
    confirmed: () => confirmed,
    stop: async () => {
      isOver = true
      await sending
      await close()
    }
  }
}

/** Into a topic of Kafka. */
export const kafka = async (brokers: string, topic: string, seed: number, perSecond: number): Promise<Feed> => {
  // Nothing is sent twice: a transfer that is there twice would have to be booked twice.
  const retry = { retries: 0 }
  const client = new Kafka({ brokers: [brokers], clientId: "soak-feed", logLevel: logLevel.NOTHING, retry })
  const producer = client.producer({ allowAutoTopicCreation: false, retry })
  await producer.connect()
  const send: Send = (made) =>
    producer.send({
      topic,
      timeout: 5_000,
      messages: made.map(({ partition, text }) => ({ partition, value: text }))
    })
  return feeding(seed, perSecond, send, () => producer.disconnect())
}

/** Into a topic of the log of whatever process has the folder: while none has it nothing is fed. */
export const local = (folder: () => string, topic: string, seed: number, perSecond: number): Feed => {
  const send: Send = (made) =>
    Promise.all(
      Array.from({ length: Bank.partitions }, (_, partition) => {
        const own = made.filter((one) => one.partition === partition)
        const text = own.map((one) => `${one.text}\n`).join("")
        return own.length === 0
          ? null
          : LocalWeir.ask(folder(), `/api/topics/${topic}?partition=${partition}`, {
              type: "application/x-ndjson",
              text
            })
      })
    )
  return feeding(seed, perSecond, send, () => Promise.resolve())
}
