/** Threads for the embedded database, through the `node:` module that all runtimes have. */
import { pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import type { StartSqlThread } from "../connectors/sql/SqlThread.ts"

/** Starts threads that run `module`: the path of `SqlWorker.ts`, or of its bundle. */
export const make =
  (module: string): StartSqlThread =>
  (on) => {
    const worker = new Worker(pathToFileURL(module))
    let reason = ""
    worker.on("message", on.reply)
    worker.on("messageerror", (error) => {
      reason = error.message
      void worker.terminate()
    })
    worker.on("error", (error) => {
      reason = error.message
    })
    worker.on("exit", () => on.ended(reason))
    return {
      send: (message, moved) => worker.postMessage(message, moved as Array<ArrayBuffer>),
      end: () => worker.terminate()
    }
  }
