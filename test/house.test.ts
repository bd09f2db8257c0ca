/** Holds the house to its drawing: who may import whom, what may be said where. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { describe, expect, it } from "vitest"

const root = resolve(import.meta.dirname, "..")

interface Import {
  readonly file: string
  readonly from: string
}

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))

const textOf = (file: string): string => readFileSync(join(root, file), "utf8")
/** The text without its comments and texts of several lines: what is said about a name is not a use of it. */
const codeOf = (file: string): string =>
  textOf(file)
    .replaceAll(/(?<=(?:=|=>|\()\s?)`(?:[^`\\]|\\[\s\S])*\n(?:[^`\\]|\\[\s\S])*`/g, insertionsOf)
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/(^|\s)\/\/.*$/gm, "")
const insertionsOf = (template: string): string =>
  [...template.matchAll(/\$\{([^}]*)\}/g)].map(([, code]) => code).join(";")

const importsOf = (file: string): ReadonlyArray<Import> =>
  [
    ...codeOf(file).matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^"'`]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"\s*\)|(?:^|\n)import\s+"([^"]+)"/g
    )
  ].map((match) => {
    const from = (match[1] ?? match[2] ?? match[3])!
    return { file, from: from.startsWith(".") ? relative(root, resolve(root, dirname(file), from)) : from }
  })

/** Each folder of `src`, and what its files may import: beginnings of paths and packages. */
const table: Readonly<Record<string, ReadonlyArray<string>>> = {
  "src/model/": ["effect", "src/model/"],
  "src/flow/": ["effect", "src/model/", "src/flow/"],
  "src/state/": ["effect", "src/model/", "src/state/"],
  "src/operator/": ["src/model/", "src/flow/", "src/state/", "src/operator/"],
  "src/actor/": ["effect", "src/model/Limits.ts", "src/model/Errors.ts", "src/actor/"],
  "src/checkpoint/": [
    "effect",
    "@effect/platform",
    "src/model/",
    "src/flow/",
    "src/state/",
    "src/actor/",
    "src/checkpoint/"
  ],
  "src/runtime/": [
    "effect",
    "src/model/",
    "src/flow/",
    "src/state/",
    "src/operator/",
    "src/actor/",
    "src/checkpoint/",
    "src/observe/",
    "src/runtime/"
  ],
  "src/observe/": ["effect", "@effect/platform", "@effect/opentelemetry", "src/model/", "src/observe/"],
  "src/daemon/": [
    "effect",
    "@effect/platform",
    "src/model/",
    "src/flow/",
    "src/checkpoint/",
    "src/runtime/",
    "src/observe/",
    "src/daemon/"
  ],
  "src/testing/": ["effect", "@effect/platform", "src/", "!src/platform/"],
  // The door to what all connectors keep.
  "src/connectors/index.ts": ["src/model/", "src/flow/", "src/state/", "src/checkpoint/"],
  "src/connectors/": ["effect", "@effect/platform", "src/model/", "src/flow/"],
  "src/platform/": [""],
  "src/cli/": ["effect", "@effect/", "src/", "fixtures/", "!src/platform/", "!@effect/platform-"]
}

/** The one file of a connector that may import the driver of its system. */
const drivers: Readonly<Record<string, string>> = {
  "src/connectors/sql/SqlSession.ts": "@electric-sql/pglite",
  "src/connectors/sql/PostgresServer.ts": "postgres",
  "src/connectors/sql/MysqlServer.ts": "mysql2",
  "src/connectors/kafka/KafkaClient.ts": "kafkajs",
  "src/testing/simulation/Database.ts": "@sqlite.org/sqlite-wasm",
  "src/connectors/protobuf/ProtobufMessage.ts": "@bufbuild/protobuf",
  "src/connectors/duckdb/DuckDb.ts": "@duckdb/node-api",
  "src/connectors/kafka/KafkaGzip.ts": "node:zlib",
  "src/connectors/files/Gunzip.ts": "node:zlib",
  "src/connectors/kafka/KafkaZstd.ts": "fzstd",
  "src/connectors/files/ParquetFile.ts": "hyparquet-writer"
}

const allowed = ({ file, from }: Import, rules: ReadonlyArray<string>): boolean => {
  const driver = drivers[file]
  if (driver !== undefined && from.startsWith(driver)) return true
  const own = file.startsWith("src/connectors/") ? `${file.split("/").slice(0, 3).join("/")}/` : null
  if (own !== null && from.startsWith(own)) return true
  if (rules.some((rule) => rule.startsWith("!") && from.startsWith(rule.slice(1)))) return false
  return rules.some(
    (rule) =>
      !rule.startsWith("!") &&
      (rule.endsWith("/") || rule === "" ? from.startsWith(rule) : from === rule || from.startsWith(`${rule}/`))
  )
}

describe("the house", () => {
  const sources = filesBelow("src")

  it("imports only what the table of the architecture allows", () => {
    const refused = sources.flatMap((file) => {
      const folder = Object.keys(table).find((folder) => file.startsWith(folder))
      if (folder === undefined) return file === "src/index.ts" ? [] : [`${file} is in no folder of the house`]
      return importsOf(file)
        .filter((one) => !allowed(one, table[folder]!))
        .map((one) => `${file} imports ${one.from}`)
    })
    expect(refused).toEqual([])
  })

  it("writes jobs against the doors alone", () => {
    const doors = /^(effect|src\/index\.ts|src\/connectors\/\w+\/index\.ts|actors\/.*)$/
    const refused = filesBelow("actors").flatMap((file) =>
      importsOf(file)
        .filter(({ from }) => !doors.test(from))
        .map(({ from }) => `${file} imports ${from}`)
    )
    expect(refused).toEqual([])
  })

  it("names a runtime in src/platform only", () => {
    const said = /\b(?:Deno|Bun)\b\.|"node:|\bprocess\.|\bBuffer\b/
    // A service that a file calls `process` is not the global one.
    const code = (file: string) => {
      const text = codeOf(file).replaceAll(/"(?!node:)(?:[^"\\\n]|\\.)*"/g, '""')
      return /\b(?:const|readonly|\() *process\b|[({,] *process\b *[:,})]/.test(text)
        ? text.replaceAll("process.", "")
        : text
    }
    // A driver takes bytes in the class that it was written for.
    const edge = (file: string) => file.startsWith("src/platform/") || file in drivers
    const refused = sources.filter((file) => !edge(file) && said.test(code(file)))
    expect(refused).toEqual([])
  })

  it("reads no clock, rolls no dice, waits and prints nowhere but at the edges", () => {
    const banned =
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bsetTimeout\b|\bsetInterval\b|\bperformance\.now\b|(?<![.\w])console\./
    const edges = ["src/platform/", "src/cli/", "src/testing/", "src/daemon/page/"]
    const refused = sources.filter((file) => !edges.some((edge) => file.startsWith(edge)) && banned.test(codeOf(file)))
    expect(refused).toEqual([])
  })

  it("has no queue without a bound", () => {
    const refused = sources.filter((file) =>
      /\b(?:Queue|PubSub|TQueue|TPubSub)\.unbounded\b|capacity: "unbounded"|bufferSize: "unbounded"/.test(codeOf(file))
    )
    expect(refused).toEqual([])
  })

  it("has no any in an exported signature and silences no type error", () => {
    const refused = sources.flatMap((file) => {
      const code = codeOf(file)
      const signatures = [
        ...code.matchAll(/^export (?:const|function|interface|type|class)[^=]*?(?==>|= |\{$|$)/gm)
      ].map((match) => match[0])
      const found = signatures.filter(
        (signature) =>
          /:\s*any\b|<any\b|\bany>|\bany\[\]/.test(signature) && !/Schema\.Schema<any, any>/.test(signature)
      )
      const silenced = /@ts-ignore|@ts-nocheck/.test(textOf(file)) ? [`${file} silences the type checker`] : []
      return [...found.map((signature) => `${file}: ${signature.slice(0, 80)}`), ...silenced]
    })
    expect(refused).toEqual([])
  })

  it("describes every file at its head and everything that a door gives out", () => {
    const silent = sources.filter((file) => !/^(#!.*\n)?\/\*\*/.test(textOf(file)))
    expect(silent).toEqual([])
    const doors = [
      ...filesBelow("src/flow/steps"),
      "src/flow/Window.ts",
      "src/flow/Aggregate.ts",
      "src/flow/Parameter.ts",
      "src/flow/Trigger.ts"
    ]
    const undescribed = doors.flatMap((file) =>
      [...textOf(file).matchAll(/(?:^|\n)([^\n]*)\nexport (?:const|interface|class) (\w+)/g)]
        .filter(([, before]) => !/\*\/\s*$/.test(before!) && !/^(?:export|\s)/.test(before!) && before !== "")
        .map(([, , name]) => `${file}: ${name}`)
    )
    expect(undescribed).toEqual([])
  })

  it("keeps no file that hides a second concept", () => {
    const long = sources.filter(
      (file) =>
        codeOf(file)
          .split("\n")
          .filter((line) => line.trim() !== "").length > 400
    )
    expect(long).toEqual([])
  })

  it("says the same in package.json and deno.json", () => {
    const npm = JSON.parse(textOf("package.json"))
    const deno = JSON.parse(textOf("deno.json"))
    expect({ name: deno.name, version: deno.version }).toEqual({ name: npm.name, version: npm.version })
    const doors = Object.fromEntries(
      Object.entries<Readonly<Record<string, string>>>(npm.exports).map(([name, door]) => [name, door.types])
    )
    expect(deno.exports).toEqual(doors)
    expect(Object.values<string>(deno.exports).filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  it("pins every dependency exactly and uses each", () => {
    const npm = JSON.parse(textOf("package.json"))
    const pinned = Object.entries<string>({
      ...npm.dependencies,
      ...npm.optionalDependencies,
      ...npm.devDependencies
    })
    expect(pinned.filter(([, version]) => !/^\d/.test(version))).toEqual([])
    const all = ["src", "actors", "fixtures", "test", "bench"].flatMap(filesBelow)
    const text = [
      ...all.map(codeOf),
      textOf("bin/weir.mjs"),
      JSON.stringify(npm.scripts),
      textOf("tsconfig.json")
    ].join("\n")
    const peers = ["@effect/printer", "@effect/printer-ansi", "@types/node", "typescript", "@biomejs/biome"]
    const used = Object.keys({ ...npm.dependencies, ...npm.optionalDependencies })
    expect(used.filter((name) => !text.includes(name) && !peers.includes(name))).toEqual([])
    const described = textOf("docs/dependencies.md")
    expect(pinned.map(([name]) => name).filter((name) => !described.includes(`\`${name}\``))).toEqual([])
  })
})
