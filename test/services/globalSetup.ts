/**
 * Serves the servers to all files of tests of one run: a file asks for what it needs, over a local port, and the first
 * that does has it started. What was missing is told when all tests are done.
 */
import { createServer } from "node:http"
import type { TestProject } from "vitest/node"
import * as Services from "./Services.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where files of tests ask for servers. */
    readonly services: string
  }
}

export default async (project: TestProject): Promise<() => Promise<void>> => {
  const services = Services.make()
  const desk = createServer(async ({ url }, response) => {
    const answer = await services.ask(url!.slice(1) as Services.ServiceName).catch((cause: unknown) => ({
      missing: String(cause)
    }))
    // Whoever asks again much later gets a connection of its own: one that was kept may be closing at that moment.
    response.writeHead(200, { connection: "close" }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => desk.listen(0, "127.0.0.1", resolve))
  desk.unref()
  project.provide("services", `http://127.0.0.1:${(desk.address() as { readonly port: number }).port}`)
  return async () => {
    desk.close()
    for (const { name, reason, variable } of await services.missing())
      process.stderr.write(`Not tested with ${name}: ${reason}. ${variable} names a server that is there.\n`)
    await services.stop()
  }
}
