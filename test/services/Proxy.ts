/** Stands between a client and a server, passes everything on, and does once what networks do. */
import { createServer, connect as openSocket, type Socket } from "node:net"

/**
 * What becomes of a connection at a message of its client: it ends before the server sees the message, behind half of
 * it, or when the server has seen all of it and answers; or nothing passes any more, and it stays open, with the server
 * having seen the message or not.
 */
export const faults = [
  "cut before",
  "cut at the answer",
  "cut within",
  "silent before",
  "silent at the answer"
] as const
export type Fault = (typeof faults)[number]

export interface Proxy {
  readonly port: number
  /** Does this at the next message of which `isIt` is true; settles when it is done. */
  readonly strike: (fault: Fault, isIt: (message: Buffer) => boolean) => Promise<void>
  /** Ends all connections; while it is silent, new ones are taken and never answered. */
  readonly silence: (isSilent: boolean) => void
  readonly close: () => Promise<void>
}

interface Strike {
  readonly fault: Fault
  readonly isIt: (message: Buffer) => boolean
  readonly done: () => void
}

/** `to`: a port of this machine. */
export const start = async (to: number): Promise<Proxy> => {
  let next: Strike | null = null
  let isSilent = false
  const sockets = new Set<Socket>()
  const listener = createServer((client) => {
    sockets.add(client)
    client.on("error", () => {})
    if (isSilent) return void client.resume()
    const server = openSocket({ host: "127.0.0.1", port: to })
    sockets.add(server)
    server.on("error", () => client.destroy())
    server.on("close", () => client.destroy())
    client.on("close", () => server.destroy())
    const end = (): void => {
      client.destroy()
      server.destroy()
    }
    let passes = true
    /** Waits for the answer to what was struck. */
    let struck: Strike | null = null
    client.on("data", (message) => {
      if (!passes) return
      if (next?.isIt(message) !== true) return void server.write(message)
      const { done, fault } = next
      if (fault === "cut at the answer" || fault === "silent at the answer") {
        struck = next
        next = null
        return void server.write(message)
      }
      next = null
      passes = fault !== "silent before"
      if (fault === "cut before") end()
      if (fault === "cut within") server.write(message.subarray(0, message.length >> 1), end)
      done()
    })
    server.on("data", (answer) => {
      if (!passes) return
      if (struck === null) return void client.write(answer)
      passes = false
      if (struck.fault === "cut at the answer") end()
      struck.done()
    })
  })
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
  return {
    port: (listener.address() as { readonly port: number }).port,
    strike: (fault, isIt) =>
      new Promise((done) => {
        next = { fault, isIt, done }
      }),
    silence: (wanted) => {
      isSilent = wanted
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => listener.close(() => resolve()))
    }
  }
}
