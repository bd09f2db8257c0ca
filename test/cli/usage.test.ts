import { rmSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Effect } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { commands } from "../../src/cli/Commands.ts"
import { examples } from "../../src/cli/Examples.ts"
import { inProcess as weir } from "./in-process.ts"
import { newFolder } from "./program.ts"

const data = newFolder()
afterAll(() => rmSync(data, { recursive: true, force: true }))

interface Case {
  readonly words: ReadonlyArray<string>
  readonly code: number
  readonly err: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
}

const refused: ReadonlyArray<Case> = [
  { words: ["tial"], code: 2, err: ["no command 'tial'", "Did you mean 'tail'?"] },
  { words: ["--nonsense"], code: 2, err: ["no option '--nonsense'", "weir --help"] },
  { words: ["tail"], code: 2, err: ["Missing argument <topic>", "Usage: weir tail <topic>"] },
  { words: ["tail", "t", "--folow"], code: 2, err: ["no option '--folow'", "Did you mean '--follow'?"] },
  { words: ["tail", "t", "--partitoin=1"], code: 2, err: ["Did you mean '--partition'?"] },
  { words: ["tail", "t", "--count"], code: 2, err: ["'--count' of 'weir tail' needs a value", "--count C"] },
  { words: ["tail", "t", "--count", "many"], code: 2, err: ["'many' is not a", "Usage: weir tail"] },
  { words: ["tail", "t", "--where", "region"], code: 2, err: ["--where 'region'", "--where region=AMER"] },
  { words: ["tail", "t", "more"], code: 2, err: ["'more' is one too many", "Usage: weir tail"] },
  { words: ["topics", "--format", "yaml"], code: 2, err: ["table, json, csv"] },
  { words: ["topics", "create", "t", "--retention", "soon"], code: 2, err: ["'soon' is no duration", "7 days"] },
  { words: ["run", "odrers"], code: 2, err: ["no job 'odrers'", "Did you mean 'orders'?"] },
  { words: ["run", "orders", "--final"], code: 2, err: ["--available-now"] },
  { words: ["run", "orders", "--for", "soon"], code: 2, err: ["'soon' is no duration", "--for 120s"] },
  { words: ["run", "orders", "--set", "windw=5s"], code: 2, err: ["'windw'", "window"] },
  { words: ["run", "orders", "--set", "window"], code: 2, err: ["'window' sets nothing", "--set window="] },
  { words: ["explain", "orders", "--set", "window=long"], code: 2, err: ["'long' is no duration"] },
  { words: ["start", "oders"], code: 2, err: ["Did you mean 'orders'?"] },
  { words: ["start", "--port", "99999"], code: 2, err: ["--port: '99999'", "0 to 65535"] },
  { words: ["start", "--host", "0.0.0.0"], code: 2, err: ["WEIR_TOKEN", "0.0.0.0"] },
  { words: ["generate", "ordres"], code: 2, err: ["no generator 'ordres'", "Did you mean 'orders'?"] },
  { words: ["generate", "orders", "--rate", "fast"], code: 2, err: ["'fast' is no rate", "--rate max"] },
  { words: ["generate", "orders", "--set", "itms=3"], code: 2, err: ["'itms'", "Did you mean 'items'?"] },
  { words: ["reset", "orders"], code: 2, err: ["--yes"] },
  { words: ["run", "orders", "--tables"], code: 2, err: ["--from-savepoint"] },
  { words: ["run", "orders", "--from-savepoint", "no"], code: 1, err: ["no savepoint 'no'", "none"] },
  { words: ["pause", "orders"], code: 1, err: ["does not run", "weir start orders"] },
  { words: ["resume", "orders"], code: 1, err: ["is not paused"] },
  { words: ["savepoint", "orders"], code: 1, err: ["no checkpoint yet", "weir start orders"] },
  { words: ["savepoint", "orders", "a/b"], code: 2, err: ["'a/b' is no name", "before-the-change"] },
  { words: ["savepoints", "orders", "--remove", "no"], code: 1, err: ["no savepoint 'no'"] },
  { words: ["clean", "orders"], code: 1, err: ["reads no files", "`watch`"] },
  { words: ["check", "odrers"], code: 2, err: ["Did you mean 'orders'?"] },
  { words: ["topics", "--log-level", "loud"], code: 2, err: ["'loud' is no log level", "debug"] },
  {
    words: ["topics"],
    code: 1,
    err: ["Kafka, 127.0.0.1:1", "KAFKA_BROKERS"],
    environment: { KAFKA_BROKERS: "127.0.0.1:1" }
  },
  {
    words: ["jobs"],
    code: 2,
    err: ["DATABASE_URL", "postgres://", "mariadb://"],
    environment: { DATABASE_URL: "oracle://u:hidden@h/d" }
  },
  { words: ["tail", "nothing"], code: 1, err: ["nothing", "weir topics"] },
  { words: ["produce", "t", "/no/such/file"], code: 1, err: ["/no/such/file"] }
]

describe("A wrong command line", { timeout: 20_000 }, () => {
  it.each(refused.map((one) => [one.words.join(" "), one] as const))(
    "'weir %s' says what would have been right",
    async (_, one) => {
      const ended = await weir(one.words, { environment: { WEIR_DATA: data, ...one.environment } })
      expect(ended.code, ended.err).toBe(one.code)
      expect(ended.out).toBe("")
      for (const part of one.err) expect(ended.err).toContain(part)
      expect(ended.err, "no stack trace").not.toMatch(/^\s+at /m)
      expect(ended.err, "no secret").not.toContain("hidden")
    }
  )
})

describe("Help", { timeout: 20_000 }, () => {
  it("goes to standard output, names every command, and hides what is not Weir's", async () => {
    const { code, out, err } = await weir(["--help"])
    expect([code, err]).toEqual([0, ""])
    for (const command of "start run jobs explain progress topics produce tail health generate query dead-letters pause resume stop restart savepoint savepoints check reset clean init".split(
      " "
    ))
      expect(out).toMatch(new RegExp(`^ {2}${command} `, "m"))
    expect(out).not.toMatch(/wizard|completions/)
  })

  it("of start lists every option with its default, its variable and its meaning", async () => {
    const { out } = await weir(["start", "--help"])
    for (const variable of [
      "WEIR_DATA",
      "WEIR_HOST",
      "WEIR_PORT",
      "WEIR_TOKEN",
      "WEIR_CHECKPOINTS",
      "WEIR_LOG",
      "WEIR_STOCK_API_PORT"
    ])
      expect(out).toContain(variable)
    expect(out).toMatch(/--port PORT +.*default: 7070/)
  })

  it("is given for a command whose arguments are missing, after its name", async () => {
    const { code, out } = await weir(["tail", "--help"])
    expect(code).toBe(0)
    expect(out).toContain("Usage: weir tail <topic>")
  })

  it.each(commands.map((entry) => [entry.name, entry] as const))(
    "of %s shows examples that it takes",
    async (_, entry) => {
      const { out } = await weir([...entry.name.split(" "), "--help"])
      expect(examples[entry.name]!.length).toBeGreaterThan(0)
      for (const example of examples[entry.name]!) {
        expect(out).toContain(`  ${example}\n`)
        const words = [...example.matchAll(/'([^']*)'|([^\s']+)(?:'([^']*)')?/g)].map(
          ([, quoted, word, rest]) => quoted ?? `${word}${rest ?? ""}`
        )
        const own = words.slice(words.indexOf("weir") + 1 + entry.name.split(" ").length)
        expect(
          await Effect.runPromise(Effect.either(Effect.provide(entry.read(own), NodeContext.layer)))
        ).toMatchObject({
          _tag: "Right"
        })
      }
    }
  )
})
