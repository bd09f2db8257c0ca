/** Jobs that read files in simulated worlds: each row once, whatever is killed, and whatever the disk loses. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Files } from "../../../src/connectors/files/index.ts"
import { Sql } from "../../../src/connectors/sql/index.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import { Flow, Job, Trigger } from "../../../src/index.ts"
import { Simulate } from "../../../src/testing/index.ts"

const Sale = Schema.Struct({ item: Schema.String, count: Schema.Int })
const Row = Schema.Struct({ file: Schema.String, item: Schema.String, count: Schema.Int })

const contents = Array.from({ length: 7 }, (_, file) =>
  Array.from({ length: 3 * file }, (_, row) => ({ item: `item ${file}.${row}`, count: row }))
)
const files = Object.fromEntries(
  contents.flatMap((rows, i) => [
    [`in/lines/${i}.jsonl`, rows.map((row) => `${JSON.stringify(row)}\n`).join("")],
    [`in/tables/${i}.csv`, ["item,count", ...rows.map(({ count, item }) => `${item},${count}`)].join("\r\n")]
  ])
)
const expected = contents.flatMap((rows, i) =>
  [`${i}.jsonl`, `${i}.csv`].flatMap((file) => rows.map((row) => ({ file, ...row })))
)

/** `isStill`: the folders as they are; else they are watched. */
const job = (isStill: boolean) =>
  Job.make("sales", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => {
      const options = isStill ? { watch: false } : ({ settle: "300 millis", maxFilesPerEpoch: 2 } as const)
      const rows = [Files.jsonLines("in/lines", options), Files.csv("in/tables", Sale, options)].map((source, i) =>
        Flow.from(source).pipe(
          Flow.decodeRecord({ key: Schema.String, value: Sale }),
          Flow.map(({ key, value }) => ({ file: key, ...value })),
          Flow.to(Sql.append(`sales${i}`, Row))
        )
      )
      const others = Flow.from(Topic.source("others")).pipe(Flow.decode(Sale), Flow.to(Sql.append("other_sales", Sale)))
      return [...rows, others]
    }
  })

const others = Array.from({ length: 40 }, (_, i) => ({ item: `other ${i}`, count: i }))

describe("a job that reads files", () => {
  it.effect.each([
    { isStill: true, how: "as they are" },
    { isStill: false, how: "as they come" }
  ])(
    "$how writes in each of many worlds each of their rows once",
    ({ isStill }) =>
      Effect.map(
        Simulate.job(job(isStill), {
          input: { others },
          files,
          seeds: 12,
          oracle: () => ({ sales0: rowsOf("jsonl"), sales1: rowsOf("csv") })
        }),
        (summary) => {
          for (const kind of ["kill", "power loss", "pause"] as const) expect(summary.struck[kind]).toBeGreaterThan(0)
          expect(summary.replays).toBeGreaterThan(0)
        }
      ),
    120_000
  )
})

const rowsOf = (end: string) => expected.filter(({ file }) => file.endsWith(end))
