/**
 * A schema registry for tests, with the answers of Confluent's: it numbers schemas, holds subjects, asks for a user,
 * counts what it is asked, and can be away. It runs no rule of compatibility but the ones that a test gives it.
 */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"

interface Registered {
  readonly schema: string
  readonly schemaType?: string
  readonly references?: ReadonlyArray<object>
}

export interface RegistryServer {
  readonly url: string
  /** `METHOD path` of each request, in order. */
  readonly asked: Array<string>
  /** Registers a schema; its number. */
  readonly add: (subject: string, schema: Registered) => number
  /** Gives a schema this number. */
  readonly number: (id: number, schema: Registered) => void
  readonly forget: (id: number) => void
  readonly textOf: (id: number) => string
  /** Answers every request with this status; `null`: as it should; `"silent"`: not at all. */
  fails: number | "silent" | null
  /** `user:password`; `null`: everybody may ask. */
  user: string | null
  /** Refuses what is registered. */
  isCompatible: boolean
  readonly stop: () => Promise<void>
}

export const start = async (): Promise<RegistryServer> => {
  const schemas = new Map<number, Registered>()
  const subjects = new Map<string, Array<number>>()
  const numberOf = (schema: Registered): number => {
    for (const [id, known] of schemas)
      if (known.schema === schema.schema && known.schemaType === schema.schemaType) return id
    const id = schemas.size === 0 ? 1 : Math.max(...schemas.keys()) + 1
    schemas.set(id, schema)
    return id
  }
  const add = (subject: string, schema: Registered): number => {
    const id = numberOf(schema)
    const versions = subjects.get(subject) ?? []
    if (!versions.includes(id)) subjects.set(subject, [...versions, id])
    return id
  }
  const server = createServer(async (request, response) => {
    const [path, query = ""] = request.url!.split("?") as [string, string?]
    registry.asked.push(`${request.method} ${request.url}`)
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { "content-type": "application/vnd.schemaregistry.v1+json" })
      response.end(JSON.stringify(body))
    }
    const absent = (code: number) => answer(404, { error_code: code, message: "not found" })
    if (registry.fails === "silent") return
    if (registry.fails !== null) return answer(registry.fails, { error_code: registry.fails, message: "away" })
    const wanted = registry.user === null ? undefined : `Basic ${Buffer.from(registry.user).toString("base64")}`
    if (wanted !== undefined && request.headers.authorization !== wanted)
      return answer(401, { error_code: 401, message: "Unauthorized" })
    const [, byId] = /^\/schemas\/ids\/(\d+)$/.exec(path) ?? []
    const [, subject, version] = /^\/subjects\/([^/]+)(?:\/versions(?:\/(\d+))?)?$/.exec(path) ?? []
    const compiled = query === "format=serialized"
    const shown = ({ schema, ...rest }: Registered) => ({ ...rest, schema: compiled ? serialized(schema) : schema })
    if (byId !== undefined) {
      const found = schemas.get(Number(byId))
      return found === undefined ? absent(40403) : answer(200, shown(found))
    }
    if (subject === undefined) return answer(404, { error: "no such resource" })
    const name = decodeURIComponent(subject)
    const versions = subjects.get(name)
    if (request.method === "GET") {
      const id = versions?.[Number(version) - 1]
      if (versions === undefined) return absent(40401)
      return id === undefined
        ? absent(40402)
        : answer(200, { subject: name, version: Number(version), id, ...shown(schemas.get(id)!) })
    }
    const given = JSON.parse(await bodyOf(request)) as Registered
    if (!path.endsWith("/versions")) {
      if (versions === undefined) return absent(40401)
      const at = versions.findIndex((id) => schemas.get(id)!.schema === given.schema)
      return at < 0 ? absent(40403) : answer(200, { subject: name, version: at + 1, id: versions[at], ...given })
    }
    if (!registry.isCompatible) return answer(409, { error_code: 409, message: "it is not compatible" })
    return answer(200, { id: add(name, given) })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const registry: RegistryServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    add,
    number: (id, schema) => void schemas.set(id, schema),
    forget: (id) => void schemas.delete(id),
    textOf: (id) => schemas.get(id)!.schema,
    fails: null,
    user: null,
    isCompatible: true,
    stop: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    }
  }
  return registry
}

/** A source of Protobuf and its descriptor, as a test has both: `source` and `compiled` of one JSON. */
const serialized = (schema: string): string =>
  schema.startsWith("{") ? ((JSON.parse(schema) as { compiled?: string }).compiled ?? schema) : schema

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
