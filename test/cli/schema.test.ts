import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import * as ApiServer from "../daemon/ApiServer.ts"
import { inProcess } from "./in-process.ts"

const home = mkdtempSync(join(tmpdir(), "weir-schema-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))
const environment = { WEIR_DATA: join(home, "data") }
const input = [
  '{"id":1,"place":{"region":"AMER","floor":null},"price":1.5}',
  '{"id":2,"place":{"region":"EMEA","floor":3},"at":"2018-09-21T07:20:00Z"}'
].join("\n")
const tree = [
  "├─ id         int",
  "├─ place      struct",
  "│  ├─ region  text",
  "│  └─ floor   int      nullable",
  "├─ price      number   optional",
  "└─ at         instant  optional",
  ""
].join("\n")

describe("weir schema", () => {
  it("draws the fields of a topic", async () => {
    await inProcess(["produce", "shop.orders", "--partition", "0"], { environment, input })
    const { code, out } = await inProcess(["schema", "shop.orders"], { environment })
    expect([code, out]).toEqual([0, `topic shop.orders, 2 records looked at\n${tree}`])
  })

  it("looks at the newest records of a topic", async () => {
    const words = ["schema", "shop.orders", "--sample", "1", "--format", "csv"]
    expect((await inProcess(words, { environment })).out.split("\n")[0]).toBe("name,type,nullable,optional")
    expect((await inProcess(words, { environment })).out).not.toContain("price")
  })

  it("draws the same of a file and of a folder, and leaves out what is no JSON", async () => {
    const folder = join(home, "files")
    mkdirSync(folder)
    const [one, two] = input.split("\n")
    writeFileSync(join(folder, "1.jsonl"), `${one}\n\n`)
    writeFileSync(join(folder, "2.jsonl"), `${two}\n{broken\n`)
    writeFileSync(join(folder, "_temporary.jsonl"), `{"not":"yet"}\n`)
    const ofFolder = await inProcess(["schema", folder])
    expect(ofFolder.out).toBe(`files files, 3 records looked at\n${tree}`)
    expect(ofFolder.err).toContain("1 of 3 records are no JSON")
    expect((await inProcess(["schema", join(folder, "1.jsonl"), "--format", "json"])).out).toContain(
      '{"name":"place.floor","type":"unknown","nullable":true,"optional":false}'
    )
    expect((await inProcess(["schema", folder, "--format", "code"])).out).toContain(
      "export const Files = Schema.Struct"
    )
  })

  it("says what the database says of a table", async () => {
    await inProcess(["generate", "orders", "--count", "50", "--rate", "max"], { environment })
    await inProcess(["run", "orders", "--available-now"], { environment })
    const { out } = await inProcess(["schema", "shop_item_income", "--format", "csv"], { environment })
    expect(out).toContain("region,text,false,false\n")
    expect(out).toContain("total_items,int64,false,false\n")
    expect(out).toMatch(/gross_income,"decimal\(18, 2\)",false,false\n/)
    expect(out).toContain("window_start,instant,false,false\n")
  }, 90_000)

  it.each([
    [["schema", "nothing"], 1, "There is no topic and no table 'nothing'"],
    [["schema", "./nothing.jsonl"], 1, "./nothing.jsonl cannot be read"],
    [["schema", "shop.orders", "--sample", "0"], 2, "--sample 0"]
  ] as const)("refuses %j", async (words, code, message) => {
    expect(await inProcess(words, { environment })).toMatchObject({ code, err: expect.stringContaining(message) })
  })

  it("is answered by a daemon too", async () => {
    const answer = await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(ApiServer.start(), ({ url }) =>
          Effect.promise(async () => {
            const found = await fetch(`${url}/api/schema?of=orders&sample=40`)
            const missing = await fetch(`${url}/api/schema?of=nothing`)
            return { found: (await found.json()) as Record<string, unknown>, status: missing.status }
          })
        )
      )
    )
    expect(answer.found).toMatchObject({ kind: "topic", sampled: 40, unusable: 0 })
    expect(answer.found.fields).toEqual([
      { path: "n", name: "n", depth: 0, type: "int", nullable: false, optional: false }
    ])
    expect(answer.status).toBe(404)
  })
})
