/** The module that the thread of the embedded database runs, on any of the runtimes. */
import { parentPort } from "node:worker_threads"
import * as SqlServer from "../connectors/sql/SqlServer.ts"
import type { Request } from "../connectors/sql/SqlThread.ts"

const port = parentPort!
const serve = SqlServer.make(Date.now, (reply) => port.postMessage(reply))
port.on("message", (request: Request) => void serve(request))
