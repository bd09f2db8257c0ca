/**
 * Speaks to the brokers of a cluster: the only file that imports kafkajs.
 *
 * Of kafkajs this uses what lies beneath its consumer and producer: connections, TLS, SASL, which broker is where. A
 * reader here asks for records from an offset and gets them, or learns that there are none: no group, no rebalance, no
 * heartbeat that a slow job could miss, and nothing is fetched that nobody asks for.
 */
import { Effect, Runtime, type Scope } from "effect"
import Cluster from "kafkajs/src/cluster/index.js"
import loggers from "kafkajs/src/loggers/index.js"
import Connection from "kafkajs/src/network/connection.js"
import RequestQueue from "kafkajs/src/network/requestQueue/index.js"
import socketFactory from "kafkajs/src/network/socketFactory.js"
import Encoder from "kafkajs/src/protocol/encoder.js"
import protocolError from "kafkajs/src/protocol/error.js"
import * as Patience from "../../flow/Patience.ts"
import * as Limits from "../../model/Limits.ts"
import { driverOptions, type ResolvedConfig, withoutPassword } from "./KafkaConfig.ts"
import { isStale, KafkaFailure, unavailable } from "./KafkaFailure.ts"
import type { Request } from "./KafkaRequests.ts"

export interface Client {
  /** Asks a broker by its id; `null`: any of them. */
  readonly send: <A>(node: number | null, request: Request<A>) => Effect.Effect<A, KafkaFailure>
  /** Looks anew for the brokers and where they are. */
  readonly refresh: Effect.Effect<void>
}

/** Connects. Fails within `Limits.brokerConnectMillisMax` where no broker answers. The scope closes the connections. */
export const make = (config: ResolvedConfig): Effect.Effect<Client, KafkaFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const logger = yield* driverLogger
    const open = Effect.sync(
      () =>
        new Cluster({
          ...driverOptions(config),
          logger,
          socketFactory: socketFactory(),
          connectionTimeout: Limits.brokerConnectMillisMax / 2,
          authenticationTimeout: Limits.brokerConnectMillisMax,
          reauthenticationThreshold: 10_000,
          // Of what the driver asks by itself; it goes by the machine's clock, which may be set.
          requestTimeout: Limits.brokerRequestMillisMax,
          enforceRequestTimeout: true,
          metadataMaxAge: 300_000,
          allowAutoTopicCreation: false,
          maxInFlightRequests: null,
          // What is tried again, and for how long, is decided here: `patiently`.
          retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 500 }
        })
    )
    const cluster = yield* Effect.acquireRelease(open, (cluster) =>
      Effect.tryPromise(() => cluster.disconnect()).pipe(
        // A broker that is silent is left behind.
        Effect.interruptible,
        Effect.timeoutOption(Limits.brokerConnectMillisMax),
        Effect.ignore
      )
    )
    yield* Effect.tryPromise({
      try: async () => {
        await cluster.connect()
        await cluster.refreshMetadata()
      },
      catch: failureOf(config)
    }).pipe(
      Effect.timeoutFail({
        duration: Limits.brokerConnectMillisMax,
        onTimeout: () =>
          new KafkaFailure({ type: "CONNECTION", message: `${named(config)} do not answer`, retry: true })
      })
    )
    const connections = new WeakMap<object, Promise<unknown>>()
    /** The connection for this kind of request: those for records have one of their own, since a broker may let them wait. */
    const connection = async (node: number | null, isFetch: boolean) => {
      const broker =
        node === null ? await cluster.brokerPool.findConnectedBroker() : await cluster.findBroker({ nodeId: node })
      const found = broker.connectionPool.pool[isFetch ? 1 : 0]!
      // Two that connect at once would open two sockets, and lose one.
      while (found.connectionStatus !== "connected") {
        const opening = connections.get(found) ?? found.connect().finally(() => connections.delete(found))
        connections.set(found, opening)
        await opening
      }
      return found
    }
    const attempted = <A>(attempt: () => Promise<A>) =>
      Effect.tryPromise({ try: attempt, catch: failureOf(config) }).pipe(
        Effect.timeoutFail({ duration: Limits.brokerRequestMillisMax, onTimeout: () => silent(config) })
      )
    return {
      send: <A>(node: number | null, request: Request<A>) =>
        Effect.flatMap(
          attempted(() => connection(node, request.name === "Fetch")),
          (found) =>
            attempted(() => untilClosed(found.socket, found.send(driverRequest(request)) as Promise<A>)).pipe(
              // One that has fallen silent will not speak again: the next request opens another.
              Effect.tapError(({ type }) =>
                type === "TIMEOUT" ? Effect.promise(() => found.disconnect()) : Effect.void
              )
            )
        ),
      refresh: Effect.ignore(Effect.tryPromise(() => cluster.refreshMetadata()))
    } satisfies Client
  })

/** Tries again what can succeed later, as while a broker is started anew. */
export const patiently =
  (client: Client) =>
  <A>(effect: Effect.Effect<A, KafkaFailure>): Effect.Effect<A, KafkaFailure> =>
    effect.pipe(
      Effect.tapError((failure) => (isStale(failure) ? client.refresh : Effect.void)),
      Patience.waiting(({ message, retry }) => (retry ? unavailable("the brokers", message) : null))
    )

/** The answer, unless it holds an error. */
export const checked = <A extends { readonly error: number }>(answer: A): Effect.Effect<A, KafkaFailure> =>
  answer.error === 0 ? Effect.succeed(answer) : Effect.fail(failureOfCode(answer.error))

export const failureOfCode = (code: number): KafkaFailure => {
  const known = newerCodes.get(code)
  if (known !== undefined) return new KafkaFailure({ type: known, message: known, retry: false })
  const { message, retriable, type } = protocolError.createErrorFromCode(code)
  return new KafkaFailure({ type, message, retry: retriable || code === 51 })
}

// Private

// The driver looks for requests that wait for their turn a thousand times a second, on each connection, for ever, and
// with a negative delay, of which runtimes warn: it need look only while some wait.
const lookForPending = RequestQueue.prototype.scheduleCheckPendingRequests
RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) lookForPending.call(this)
}

// A broker that dies in the middle of an answer leaves half of it: the driver would read the first answer on the next
// connection as its other half, and understand none of those that follow.
const connect = Connection.prototype.connect
Connection.prototype.connect = function () {
  if (this.connectionStatus === "disconnected") Object.assign(this, { bytesBuffered: 0, bytesNeeded: 4, chunks: [] })
  return connect.call(this)
}

// To close, the driver waits for the answers to all that was asked: of a broker that has fallen silent, for ever. And a
// socket that is closed half still speaks, into the next connection.
Connection.prototype.disconnect = async function () {
  Object.assign(this, { authenticatedAt: null, connectionStatus: "disconnected" })
  this.requestQueue.destroy()
  this.rejectRequests(closed())
  this.socket?.destroy()
  return true
}

/** Who waits for an answer, by socket. */
const waiting = new WeakMap<KafkajsSocket, Set<(error: Error) => void>>()

/** The answer; or a failure when the socket closes: what is written to one that is closing, the driver waits for in vain. */
const untilClosed = <A>(socket: KafkajsSocket, answer: Promise<A>): Promise<A> =>
  new Promise<A>((resolve, reject) => {
    const others = waiting.get(socket) ?? new Set()
    if (!waiting.has(socket)) {
      waiting.set(socket, others)
      socket.once("close", () => {
        for (const fail of others) fail(closed())
      })
    }
    others.add(reject)
    if (socket.destroyed) reject(closed())
    answer.then(resolve, reject).finally(() => others.delete(reject))
  })

const closed = (): Error => new Error("the connection was closed")

/** Errors that came after the driver's last version. */
const newerCodes = new Map([
  [90, "PRODUCER_FENCED"],
  [91, "RESOURCE_NOT_FOUND"],
  [100, "UNKNOWN_TOPIC_ID"]
])

/** The request in the driver's form: an encoder that is full already. */
const driverRequest = <A>({ decode, encode, key, name, version }: Request<A>) => ({
  request: {
    apiKey: key,
    apiVersion: version,
    apiName: name,
    encode: async () => {
      const bytes = encode()
      const encoder = new Encoder(bytes.length)
      encoder.buf.set(bytes)
      encoder.offset = bytes.length
      return encoder
    }
  },
  response: {
    decode: async (answer: Uint8Array) => ({ answer: decode(plain(answer)) }),
    parse: async (decoded: { readonly answer: A }) => decoded.answer
  },
  logResponseError: false
})

/** The same bytes, without what a runtime adds to them. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)

const named = ({ brokers }: ResolvedConfig): string => `the brokers ${brokers.join(", ")}`

const silent = (config: ResolvedConfig): KafkaFailure =>
  new KafkaFailure({ type: "TIMEOUT", message: `${named(config)} did not answer in time`, retry: true })

interface DriverError {
  readonly name?: string
  readonly type?: string
  readonly message?: string
  readonly retriable?: boolean
  readonly cause?: DriverError
}

/** The driver's error as a failure; those that it wraps around the first one are taken off. */
const failureOf =
  (config: ResolvedConfig) =>
  (thrown: unknown): KafkaFailure => {
    let error = thrown as DriverError
    while (
      /RetriesExceeded|NonRetriable/.test(error.name ?? "") &&
      error.cause?.name !== undefined &&
      error.cause !== error
    )
      error = error.cause
    const message = (error.message ?? String(thrown)).trim()
    if (/SASL/.test(error.name ?? "") || /SASL/.test(error.type ?? ""))
      return new KafkaFailure({ type: "AUTHENTICATION", message: withoutPassword(config, message), retry: false })
    if (error.name?.startsWith("KafkaJSProtocolError") && error.type !== undefined)
      return new KafkaFailure({ type: error.type, message, retry: error.retriable === true })
    if (error.name === "KafkaJSRequestTimeoutError") return silent(config)
    if (error instanceof TypeError || error instanceof RangeError)
      return new KafkaFailure({ type: "FORMAT", message: `an answer could not be read: ${message}`, retry: false })
    return new KafkaFailure({ type: "CONNECTION", message: withoutPassword(config, message), retry: true })
  }

interface Entry {
  readonly namespace: string
  readonly log: { readonly message: string; readonly broker?: string; readonly error?: unknown }
}

/**
 * The driver's log as ours, for whoever looks closely: what matters of it comes as a failure too. Of what stands beside
 * a message only the broker and the error are taken.
 */
const driverLogger = Effect.map(Effect.runtime<never>(), (runtime) => {
  const log = ({ log: { broker, error, message }, namespace }: Entry): void =>
    Runtime.runSync(runtime)(
      Effect.logDebug(`kafkajs ${namespace}: ${message}`).pipe(
        Effect.annotateLogs({ ...(broker === undefined ? {} : { broker }), ...(error === undefined ? {} : { error }) })
      )
    )
  return loggers.createLogger({ level: 2, logCreator: () => log })
})
