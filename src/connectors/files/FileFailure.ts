/** What can go wrong with the files of a source, in the words of its contract. */
import type { Error as PlatformError } from "@effect/platform"
import { SourceUnavailable, StorageFailed } from "../../model/Errors.ts"
import type { NoGzip } from "./Gunzip.ts"

export type FileFailure = StorageFailed | SourceUnavailable

export const unreadable = (path: string, error: PlatformError.PlatformError | NoGzip): StorageFailed =>
  new StorageFailed({
    path,
    message: `${path} cannot be read: ${error.message}`,
    hint:
      error._tag === "NoGzip"
        ? "A file whose name ends in `.gz` must be whole gzip. Write it under another name and rename it when it is done, or take it away."
        : "See that the process may read it, and that its disk answers."
  })

/** A file is not what it was when its rows were counted. Whoever begins anew looks at it anew. */
export const changed = (source: string, path: string): SourceUnavailable =>
  new SourceUnavailable({
    source,
    message: `Source ${source}: the file ${path} changed, or went, while it was read`,
    hint: "It is read again by itself. Write a file under another name, such as one that ends in `.tmp`, and rename it when it is done; leave what is there as it is."
  })
