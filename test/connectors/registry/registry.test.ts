/** The client of a schema registry, and what it says of one that is away, wrong, or asks who it is. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { afterAll, beforeAll, beforeEach } from "vitest"
import { layerRegistry } from "../../../src/connectors/registry/index.ts"
import * as Patience from "../../../src/flow/Patience.ts"
import { layerNone, SchemaRegistry, type SchemaRegistryService } from "../../../src/flow/SchemaRegistry.ts"
import { type RegistryServer, start } from "./RegistryServer.ts"

let server: RegistryServer
beforeAll(async () => {
  server = await start()
})
beforeEach(() => {
  Object.assign(server, { fails: null, user: null })
  server.asked.length = 0
})
afterAll(() => server.stop())

const withRegistry = <A, E>(
  body: (registry: SchemaRegistryService) => Effect.Effect<A, E>,
  options: { readonly url?: string; readonly user?: { readonly username: string; readonly password: string } } = {}
) => {
  const { url = server.url, user } = options
  const named = user === undefined ? {} : { user: { ...user, password: Redacted.make(user.password) } }
  return Effect.flatMap(SchemaRegistry, body).pipe(Effect.provide(layerRegistry({ url: Redacted.make(url), ...named })))
}

const first = (registry: SchemaRegistryService) => registry.schema(1, "source")

describe("A schema registry", () => {
  it.live("gives schemas by number, asked for once each, and says what it has not", () =>
    withRegistry((registry) =>
      Effect.gen(function* () {
        const id = server.add("a b/c-value", { schema: '"long"' })
        const schema = { format: "AVRO", text: '"long"', references: [] }
        for (let n = 0; n < 3; n++) expect(yield* registry.schema(id, "source")).toEqual(schema)
        expect(server.asked).toEqual([`GET /schemas/ids/${id}`])
        expect(yield* registry.schema(9_999, "source")).toBeNull()
        expect(yield* registry.version("a b/c-value", 1, "source")).toEqual({ ...schema, id })
        expect(yield* registry.version("a b/c-value", 2, "source")).toBeNull()
        expect(yield* registry.version("nothing", 1, "source")).toBeNull()
        expect(yield* registry.find("a b/c-value", { format: "AVRO", text: '"long"' })).toBe(id)
        expect(yield* registry.find("a b/c-value", { format: "AVRO", text: '"int"' })).toBeNull()
        expect(yield* registry.register("a b/c-value", { format: "AVRO", text: '"long"' })).toBe(id)
      })
    )
  )

  it.live("that is away is asked again until it is back, and the wait is told", () =>
    Effect.gen(function* () {
      const id = server.add("t", { schema: '"int"' })
      const told: Array<string> = []
      server.fails = 503
      const asking = yield* Effect.fork(
        withRegistry((registry) => registry.schema(id, "source")).pipe(
          Effect.provideService(Patience.Watch, {
            begins: (_, { _tag, message }) => Effect.sync(() => told.push(`${_tag}: ${message}`)),
            ends: (_, answered) => Effect.sync(() => told.push(`answered ${answered}`))
          })
        )
      )
      while (server.asked.length < 3) yield* Effect.sleep("10 millis")
      server.fails = null
      expect(yield* Fiber.join(asking)).toMatchObject({ text: '"int"' })
      expect(told).toEqual([
        `SourceUnavailable: The schema registry at ${server.url}: it answers with status 503`,
        "answered true"
      ])
    })
  )

  it.live("is told who asks, by settings or by its address, and nobody else is told the password", () =>
    Effect.gen(function* () {
      server.user = "weir:s3cret word"
      server.add("t", { schema: '"int"' })
      expect(yield* withRegistry(first, { user: { username: "weir", password: "s3cret word" } })).not.toBeNull()
      const url = server.url.replace("//", "//weir:s3cret%20word@")
      expect(yield* withRegistry(first, { url })).not.toBeNull()
      for (const wrong of [
        withRegistry(first, { user: { username: "weir", password: "s3cret" } }),
        withRegistry(first, { url: url.replace("word", "words") }),
        withRegistry(first)
      ]) {
        const error = yield* Effect.flip(wrong)
        expect(error).toMatchObject({ _tag: "InvalidConfiguration", name: "SCHEMA_REGISTRY_PASSWORD" })
        expect(JSON.stringify(error)).not.toContain("s3cret")
        expect(String(error)).not.toContain("s3cret")
      }
    })
  )

  it.live("is not what answers at another address: records are not given up for that", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(withRegistry(first, { url: `${server.url}/elsewhere` }))
      expect(error).toMatchObject({ _tag: "InvalidConfiguration", name: "SCHEMA_REGISTRY_URL" })
      expect(error.message).toContain("is no schema registry")
      expect(yield* Effect.flip(withRegistry(first, { url: "nowhere" }))).toMatchObject({
        _tag: "InvalidConfiguration"
      })
      const none = yield* Effect.flip(Effect.flatMap(SchemaRegistry, first).pipe(Effect.provide(layerNone)))
      expect(none.hint).toContain("SCHEMA_REGISTRY_URL")
    })
  )
})
