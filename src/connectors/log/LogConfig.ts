/** How a log is opened. */
import * as Limits from "../../model/Limits.ts"

export interface LogConfig {
  /** The folder of the log's topics: made if it is not there. Owned by one process at a time; who opens it sees to that. */
  readonly folder: string
  /**
   * Bytes after which a segment is full and a new one begins. Smaller ones expire sooner, and make more files.
   * Default: `Limits.segmentBytesMax`.
   */
  readonly segmentBytesMax?: number
}

export interface ResolvedConfig {
  readonly folder: string
  readonly segmentBytesMax: number
}

export const resolve = (config: LogConfig): ResolvedConfig => ({
  folder: config.folder,
  segmentBytesMax: config.segmentBytesMax ?? Limits.segmentBytesMax
})
