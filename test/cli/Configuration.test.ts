import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer, Redacted } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import * as Configuration from "../../src/cli/Configuration.ts"
import { Process } from "../../src/cli/Process.ts"
import { layer } from "../../src/platform/node.ts"

const folder = mkdtempSync(join(tmpdir(), "weir-configuration-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const modules = { root: folder, actors: "", fixtures: "", page: "", weir: "", weirFixtures: "" }

const load = (given: {
  readonly flags?: Configuration.Texts
  readonly environment?: Readonly<Record<string, string>>
  readonly file?: unknown
}) => {
  const path = join(folder, "weir.config.json")
  rmSync(path, { force: true })
  if (given.file !== undefined)
    writeFileSync(path, typeof given.file === "string" ? given.file : JSON.stringify(given.file))
  const host = Layer.effect(
    Process,
    Effect.map(Process, (process) => ({ ...process, environment: given.environment ?? {} }))
  ).pipe(Layer.provideMerge(layer(modules)))
  return Effect.runPromise(Effect.either(Configuration.load(given.flags ?? {})).pipe(Effect.provide(host)))
}

const right = async (given: Parameters<typeof load>[0]) => {
  const loaded = await load(given)
  if (loaded._tag === "Left") throw loaded.left
  return loaded.right
}
const left = async (given: Parameters<typeof load>[0]) => {
  const loaded = await load(given)
  if (loaded._tag === "Right") throw new Error("it was taken")
  return `${loaded.left.message} ${loaded.left.hint}`
}

describe("Configuration", () => {
  it("has the defaults of the interface where nothing is said", async () => {
    expect(await right({})).toEqual({
      data: "./.weir",
      host: "127.0.0.1",
      port: 7070,
      token: null,
      checkpoints: { kind: "tables" },
      stockApiPort: 5000,
      databaseUrl: null,
      kafkaBrokers: null,
      kafkaSsl: null,
      kafkaSaslMechanism: "plain",
      kafkaSaslUsername: null,
      kafkaSaslPassword: null,
      schemaRegistryUrl: null,
      schemaRegistryUsername: null,
      schemaRegistryPassword: null,
      kafkaCompression: "none",
      log: "info"
    })
  })

  it("takes flags over the environment over the file over defaults", async () => {
    const file = { port: 1, data: "file", log: "error", WEIR_STOCK_API_PORT: 9 }
    const environment = { WEIR_PORT: "2", WEIR_DATA: "environment", WEIR_LOG: "" }
    expect(await right({ file, environment, flags: { port: "3" } })).toMatchObject({
      port: 3,
      data: "environment",
      log: "error",
      stockApiPort: 9,
      host: "127.0.0.1"
    })
  })

  it("reads a place for checkpoints", async () => {
    expect((await right({ environment: { WEIR_CHECKPOINTS: "file:/tmp/c" } })).checkpoints).toEqual({
      kind: "folder",
      folder: "/tmp/c"
    })
    expect(await left({ environment: { WEIR_CHECKPOINTS: "postgres://u:p@h/d" } })).toContain("file:<folder>")
  })

  it.each([
    [{ flags: { port: "70707" } }, "--port: '70707' is not a whole number from 0 to 65535"],
    [{ environment: { WEIR_PORT: "x" } }, "WEIR_PORT: 'x'"],
    [{ environment: { WEIR_LOG: "loud" } }, "WEIR_LOG: 'loud' is not one of all"],
    [{ file: { prot: 1 } }, "Did you mean 'port'?"],
    [{ file: "{" }, "weir.config.json cannot be read"],
    [{ file: { port: "x" } }, "'port' of weir.config.json"],
    [{ environment: { KAFKA_SASL_MECHANISM: "gssapi" } }, "KAFKA_SASL_MECHANISM: 'gssapi' is not one of plain"]
  ] as const)("refuses %j, and says where it stands and what is right", async (given, sentence) => {
    expect(await left(given)).toContain(sentence)
  })

  it("listens for others only with a token", async () => {
    expect(await left({ environment: { WEIR_HOST: "0.0.0.0" } })).toContain("WEIR_TOKEN")
    for (const host of ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
      expect((await right({ flags: { host } })).host).toBe(host)
    const open = await right({ flags: { host: "0.0.0.0" }, environment: { WEIR_TOKEN: "a long secret" } })
    expect(open.token === null ? null : Redacted.value(open.token)).toBe("a long secret")
  })

  it("never prints a token, nor a password of an address", async () => {
    const { token } = await right({ environment: { WEIR_TOKEN: "a long secret" } })
    expect(`${token} ${JSON.stringify(token)}`).not.toContain("secret")
    expect(await left({ environment: { WEIR_TOKEN: "short" } })).not.toContain("short")
    const { kafkaSaslPassword } = await right({ environment: { KAFKA_SASL_PASSWORD: "a long secret" } })
    expect(`${kafkaSaslPassword} ${JSON.stringify(kafkaSaslPassword)}`).not.toContain("secret")
    const { databaseUrl } = await right({ environment: { DATABASE_URL: "postgres://u:secret@h/d" } })
    expect(`${databaseUrl} ${JSON.stringify(databaseUrl)}`).not.toContain("secret")
    expect(await left({ environment: { DATABASE_URL: "oracle://u:secret@h/d" } })).not.toContain("secret")
  })
})
