/**
 * What is asked of Docker for the servers of tests, and what becomes of it where Docker gives none. There is no engine
 * where this was written: a program of that name writes down what it is asked.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as docker from "./docker.ts"
import * as kafka from "./kafka.ts"
import * as mariadb from "./mariadb.ts"
import * as postgres from "./postgres.ts"
import { Missing } from "./Service.ts"

const folder = mkdtempSync(join(tmpdir(), "weir-docker-"))
const path = process.env.PATH
const said = join(folder, "said")
beforeAll(() => {
  const program = join(folder, "docker")
  // It has the image, and its containers end at once, as where a port is taken.
  writeFileSync(
    program,
    `#!/bin/sh\nprintf '%s\\n' "$*" >> '${said}'\ncase "$1" in run) echo "port is taken" >&2; exit 125;; esac\n`
  )
  chmodSync(program, 0o755)
  process.env.PATH = `${folder}:${path}`
})
afterAll(() => {
  process.env.PATH = path
  rmSync(folder, { recursive: true, force: true })
})

const images = { postgres: /^postgres:17\./, mariadb: /^mariadb:10\.11\./, kafka: /^apache\/kafka:4\./ }

it.each([postgres.service, mariadb.service, kafka.service])(
  "asks for $name by the image of compose.yaml",
  async (one) => {
    expect(await docker.isThere()).toBe(true)
    writeFileSync(said, "")
    const failure = await docker.start(one.container, folder).catch((cause: unknown) => cause)
    expect(failure).toBeInstanceOf(Missing)
    expect(String(failure)).toContain("port is taken")
    const [inspected, started] = readFileSync(said, "utf8").trim().split("\n").slice(-2)
    const [, image] = /^image inspect (\S+)$/.exec(inspected!)!
    expect(image).toMatch(images[one.container.service as keyof typeof images])
    const [, port] = new RegExp(`--publish 127\\.0\\.0\\.1:(\\d+):${one.container.port} `).exec(started!)!
    expect(started).toContain(` ${image}`)
    expect(one.container.address(Number(port))).toContain(`127.0.0.1:${port}`)
    if (one.name === "Kafka") expect(started).toContain(`KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:${port}`)
  }
)

it("takes a server that listens for one that answers", async () => {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const { port } = server.address() as { readonly port: number }
  await kafka.service.container.answers("", port)
  server.close()
})
