/** The parts of kafkajs 2.2.4 that are used and that its own types leave out. */
interface KafkajsSocket {
  readonly destroyed: boolean
  destroy(): unknown
  once(event: "close", listener: () => void): unknown
}
interface KafkajsConnection {
  readonly connectionStatus: "connected" | "disconnected"
  /** Of a connection that is or was connected. */
  readonly socket: KafkajsSocket
  readonly requestQueue: { destroy(): void }
  rejectRequests(error: Error): void
  connect(): Promise<unknown>
  disconnect(): Promise<unknown>
  send(options: { readonly request: object; readonly response: object }): Promise<unknown>
}
declare module "kafkajs/src/network/connection.js" {
  const Connection: { readonly prototype: KafkajsConnection }
  export default Connection
}
declare module "kafkajs/src/cluster/index.js" {
  interface Broker {
    readonly connectionPool: { readonly pool: ReadonlyArray<KafkajsConnection> }
  }
  export default class Cluster {
    constructor(options: object)
    readonly brokerPool: { findConnectedBroker(): Promise<Broker> }
    connect(): Promise<void>
    disconnect(): Promise<void>
    refreshMetadata(): Promise<void>
    findBroker(options: { readonly nodeId: number }): Promise<Broker>
  }
}
declare module "kafkajs/src/network/requestQueue/index.js" {
  export default class RequestQueue {
    readonly pending: ReadonlyArray<unknown>
    scheduleCheckPendingRequests(): void
  }
}
declare module "kafkajs/src/network/socketFactory.js" {
  export default function socketFactory(): object
}
declare module "kafkajs/src/loggers/index.js" {
  const loggers: {
    createLogger(options: { readonly level: number; readonly logCreator: object }): object
  }
  export default loggers
}
declare module "kafkajs/src/protocol/encoder.js" {
  export default class Encoder {
    constructor(size: number)
    readonly buf: Uint8Array
    offset: number
  }
}
declare module "kafkajs/src/protocol/error.js" {
  const error: {
    createErrorFromCode(code: number): { readonly type: string; readonly message: string; readonly retriable: boolean }
  }
  export default error
}
