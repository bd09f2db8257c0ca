/** `compose.yaml` by the Compose Specification's own schema, and by what docs/production.md promises of it. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Ajv } from "ajv"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { settings } from "../../src/cli/Configuration.ts"
import { drainMillisMax } from "../../src/model/Limits.ts"
import * as Dockerfile from "./Dockerfile.ts"

const root = join(import.meta.dirname, "../..")
const text = (path: string): string => readFileSync(join(root, path), "utf8")

interface Service {
  readonly image?: string
  readonly build?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly ports?: ReadonlyArray<string>
  readonly volumes?: ReadonlyArray<string>
  readonly healthcheck?: { readonly test: ReadonlyArray<string> }
  readonly profiles?: ReadonlyArray<string>
  readonly stop_grace_period?: string
  readonly [other: string]: unknown
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const compose: Compose = parse(text("compose.yaml"), { merge: true })
const services = Object.entries(compose.services)

/** The specification names the draft by an address that no validator has; its formats are those of Go's durations. */
const { $schema: _, ...specification } = JSON.parse(text("test/deploy/fixtures/compose-spec.json"))
const isRight = new Ajv({
  strict: false,
  formats: {
    duration: /^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/,
    uri: true,
    subnet_ip_address: true,
    ports: true,
    expose: true
  }
}).compile(specification)

/** `${NAME:-default}`, inside others too, as they stand in a text. */
const variablesOf = (from: string): ReadonlyArray<readonly [string, string | null]> => {
  const found: Array<readonly [string, string | null]> = []
  for (const { index } of from.matchAll(/(?<!\$)\$\{/g)) {
    let depth = 1
    let end = index + 2
    for (; depth > 0; end++) depth += from[end] === "{" ? 1 : from[end] === "}" ? -1 : 0
    const [, name, fallback] = /^(\w+)(?::-(.*))?$/s.exec(from.slice(index + 2, end - 1)) ?? []
    found.push([name!, fallback ?? null])
  }
  return found
}

describe("compose.yaml", () => {
  it("is right by the Compose Specification, which would see a mistake", () => {
    expect([isRight(compose), isRight.errors]).toEqual([true, null])
    expect(isRight({ services: { weir: { ...compose.services.weir, restarts: "always" } } })).toBe(false)
    expect(isRight({ services: { weir: { ...compose.services.weir, ports: 7070 } } })).toBe(false)
  })

  it("has the services that the page names, each in its profile", () => {
    expect(services.map(([name, { profiles }]) => [name, profiles ?? []])).toEqual([
      ["weir", []],
      ["kafka", []],
      ["postgres", []],
      ["mariadb", []],
      ["mysql", ["mysql"]],
      ["superset", ["explore"]],
      ["jupyter", ["explore"]]
    ])
  })

  it("pins each image, its own and what they are built from", () => {
    const built = services.flatMap(([, { build }]) =>
      build === undefined ? [] : [...text(join(build, "Dockerfile")).matchAll(/^FROM (\S+)/gm)].map(([, base]) => base!)
    )
    const images = [...services.flatMap(([, { image }]) => image ?? []), ...built]
    expect(images.length).toBeGreaterThan(services.length)
    expect(images.filter((image) => !/:(\d+\.\d+\.\d+|17\.\d+-|\d{4}-\d\d-\d\d)/.test(image))).toEqual([])
    const [, kafka] = /<artifactId>kafka_2.13<\/artifactId>\s*<version>(.*?)</.exec(
      text("test/services/kafka/pom.xml")
    )!
    expect(compose.services.kafka!.image).toBe(`apache/kafka:${kafka}`)
  })

  it.each(services)(
    "lets %s be reached from this machine only, started again, and known as well or not",
    (name, service) => {
      expect(service.ports!.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([])
      expect(service).toMatchObject({ restart: "unless-stopped", init: true, logging: { driver: "json-file" } })
      const fromImage = service.build !== undefined && /^HEALTHCHECK/m.test(text(join(service.build, "Dockerfile")))
      // The image of Jupyter brings its own.
      expect(service.healthcheck !== undefined || fromImage || name === "jupyter").toBe(true)
      for (const { condition } of Object.values(service.depends_on ?? {})) expect(condition).toBe("service_healthy")
      for (const volume of service.volumes!) {
        const [from] = volume.split(":")
        expect(from!.startsWith("./") ? existsSync(join(root, from!)) : from! in compose.volumes, volume).toBe(true)
      }
    }
  )

  it("uses each volume that it names, one for each service that keeps something", () => {
    const used = services.flatMap(([, { volumes }]) => volumes!.map((volume) => volume.split(":")[0]!))
    expect(Object.keys(compose.volumes).filter((volume) => !used.includes(volume))).toEqual([])
  })

  it("gives the daemon time to drain, options that it knows, and a tree that cannot be written", () => {
    const { weir } = compose.services
    expect(Number.parseInt(weir!.stop_grace_period!, 10) * 1000).toBeGreaterThan(drainMillisMax)
    const known = Object.values(settings).map(({ variable }) => variable)
    expect(Object.keys(weir!.environment!).filter((name) => !known.includes(name))).toEqual([])
    expect(weir).toMatchObject({ read_only: true, tmpfs: ["/tmp"], cap_drop: ["ALL"] })
    const stages = Dockerfile.read(join(root, "Dockerfile"))
    expect(weir!.volumes).toEqual([`weir:${Dockerfile.lastOf(stages.at(-1)!, "VOLUME")}`])
  })

  it("has a default for each variable, and docs/production.md tells both", () => {
    const variables = new Map(variablesOf(text("compose.yaml")))
    expect([...variables].filter(([, fallback]) => fallback === null)).toEqual([])
    const listed = text("docs/production.md")
      .split("\n### Variables of compose.yaml\n")[1]!
      .split("\n#")[0]!
      .split("\n")
      .flatMap((line) => {
        const [, name, fallback] = /^\| `(\w+)` \| `([^`]*)` \|/.exec(line) ?? []
        return name === undefined ? [] : [[name, fallback!] as const]
      })
    expect(new Map(listed)).toEqual(variables)
  })
})
