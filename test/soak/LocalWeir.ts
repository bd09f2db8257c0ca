/** What a process says on the local socket in its data folder. */
import { readFile } from "node:fs/promises"
import { request } from "node:http"
import { join } from "node:path"

/** Milliseconds for an answer: a process that is stopped takes calls and answers none. */
const answerMillisMax = 3_000

export interface Body {
  readonly type: "application/json" | "application/x-ndjson"
  readonly text: string
}

/** Asks; a body makes it a post. Rejects where nobody answers, or not well. */
export const ask = async (folder: string, path: string, body?: Body): Promise<unknown> => {
  const { socket } = JSON.parse(await readFile(join(folder, "lock"), "utf8")) as { readonly socket: string }
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        socketPath: socket.startsWith("/") ? socket : join(folder, socket),
        path,
        method: body === undefined ? "GET" : "POST",
        headers: { host: "localhost", ...(body === undefined ? {} : { "content-type": body.type }) },
        agent: false,
        timeout: answerMillisMax
      },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (piece: string) => {
          text += piece
        })
        response.on("error", reject)
        response.on("end", () => {
          if (response.complete && response.statusCode! < 300) resolve(JSON.parse(text))
          else reject(new Error(`${path} was answered with ${response.statusCode}: ${text}`))
        })
      }
    )
    asked.on("timeout", () => asked.destroy(new Error(`${path} was not answered`)))
    asked.on("error", reject)
    asked.end(body?.text)
  })
}
