/**
 * The embedded log: topics in a folder, durable when `produce` ends, read at the speed of the disk.
 *
 * One process owns the folder. Any runtime will do: it stands on the FileSystem of `@effect/platform` alone.
 */
import type { FileSystem, Path } from "@effect/platform"
import { Layer } from "effect"
import { Topics, type TopicsError } from "../../flow/Topics.ts"
import * as LogClient from "./LogClient.ts"
import type { LogConfig } from "./LogConfig.ts"

export type { LogConfig } from "./LogConfig.ts"

/** Topics in a folder. Opens topics when they are first named; its files are closed with the layer. */
export const layer = (config: LogConfig): Layer.Layer<Topics, TopicsError, FileSystem.FileSystem | Path.Path> =>
  Layer.scoped(Topics, LogClient.make(config))
