/**
 * What a process does with sockets: listens on TCP, listens on a local socket in a data folder, asks such a socket.
 * Filled by the platform.
 */
import type { Etag, FileSystem, HttpPlatform, HttpServer, Path } from "@effect/platform"
import { Context, type Effect, type Layer, type Scope } from "effect"
import type { PortInUse, StorageFailed } from "../model/Errors.ts"

/** A request to whoever listens on a local socket. */
export interface LocalRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** With its query, encoded: `/api/topics/orders?count=10`. */
  readonly path: string
  /** Bytes of a body, and what they are. */
  readonly body?: Uint8Array | undefined
  readonly contentType?: string | undefined
  /** Milliseconds without any byte after which the answer is `Silent`. Default: no end. */
  readonly silentAfterMillis?: number | undefined
}

/** What came back. */
export type LocalAnswer =
  | { readonly _tag: "Answer"; readonly status: number; readonly body: string }
  /** Nobody listens there: nothing was sent. */
  | { readonly _tag: "Absent" }
  /** Somebody listens and does not answer in time: a stopped or a very busy process. */
  | { readonly _tag: "Silent" }
  /** The connection broke, or was not allowed. Whether the request was carried out is unknown. */
  | { readonly _tag: "Broken"; readonly why: string }

/** The path at which every owner of a data folder says its instance id. */
export const ownerPath = "/owner"

/** A socket that listens: it answers `ownerPath` by itself, from the first moment on. */
export interface LocalServer {
  /** Ends at the first request for anything but `ownerPath`. Such requests wait until an app is served. */
  readonly demanded: Effect.Effect<void>
  /** To serve an app on the socket. */
  readonly http: Effect.Effect<HttpServer.HttpServer>
  /**
   * Refuses new requests with 503 and the tag `Ending`, and waits up to a second for those under way. The owner is
   * still told: the folder is not free before the socket is closed.
   */
  readonly drain: Effect.Effect<void>
}

export interface NetworkService {
  /** The name of this machine, or of this container. */
  readonly host: string
  /** Bytes of the longest path that a local socket may have here. */
  readonly socketPathBytesMax: number
  /** Where a socket goes whose folder has too long a path. */
  readonly temporaryFolder: string
  /** Listens when it ends, until the scope closes; requests under way then have a second to end. */
  readonly listenLocally: (path: string, owner: string) => Effect.Effect<LocalServer, StorageFailed, Scope.Scope>
  /**
   * Listens when it ends, until the scope closes; requests wait until an app is served. Port 0: any free one, told by
   * the server's address.
   */
  readonly listen: (
    host: string,
    port: number
  ) => Effect.Effect<HttpServer.HttpServer, PortInUse | StorageFailed, Scope.Scope>
  /** Asks a local socket once. Never fails: what happened is the answer. */
  readonly ask: (path: string, request: LocalRequest) => Effect.Effect<LocalAnswer>
  /** What an HTTP API needs beside a server. */
  readonly serverServices: Layer.Layer<HttpPlatform.HttpPlatform | Etag.Generator | FileSystem.FileSystem | Path.Path>
}

export class Network extends Context.Tag("weir/Network")<Network, NetworkService>() {}
