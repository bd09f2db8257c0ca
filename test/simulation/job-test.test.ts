/** Jobs run on inputs that are given as tables, and compared with tables: what is read, what differs, what is said. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import orders from "../../actors/orders.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Aggregate, Decimal, Flow, Instant, Int64, Job, Parameter, Trigger, Window } from "../../src/index.ts"
import { JobTest } from "../../src/testing/index.ts"

const Visit = Schema.Struct({ page: Schema.String, visitedAt: Instant })
const PageVisits = Schema.Struct({ page: Schema.String, windowStart: Instant, visits: Int64 })

const visits = Job.make("visits", {
  parameters: { window: Parameter.duration("60 seconds", { meaning: "length of a window" }) },
  trigger: Trigger.every("1 second"),
  outputs: ({ window }) => {
    const counted = Flow.from(Topic.source("visits")).pipe(
      Flow.decode(Visit, { invalid: Topic.deadLetter("visits.invalid") }),
      Flow.eventTime((visit) => visit.visitedAt, { maxOutOfOrderness: "5 seconds" }),
      Flow.keyBy("page"),
      Flow.window(Window.tumbling(window), { allowedLateness: "0 seconds" }),
      Flow.aggregate("visits-by-page", { visits: Aggregate.count })
    )
    return [
      counted.pipe(
        Flow.emit("onClose"),
        Flow.to(Sql.upsert("page_visits", PageVisits, { key: ["page", "windowStart"] }))
      ),
      counted.late.pipe(Flow.to(Topic.late("visits.late")))
    ]
  }
})

const input = {
  visits: `
    page  | visitedAt
    /     | 2026-01-01T12:00:01Z
    /docs | 2026-01-01T12:00:05Z
    /     | 2026-01-01T13:00:42+01:00
    /     | 2026-01-01T12:01:10Z
  `
}

const failureOf = (options: JobTest.Options) =>
  Effect.map(Effect.flip(JobTest.run(visits, options)), ({ message }) => message)

describe("a test of a job", () => {
  it.effect("is a table of what comes and a table of what is written", () =>
    JobTest.run(visits, {
      input,
      expect: {
        page_visits: `
          | page  | window_start         | visits |
          | ----- | -------------------- | -----: |
          | /docs | 2026-01-01T12:00:00Z |      1 |
          | /     | 2026-01-01T12:00:00Z |      2 |
          | /     | 2026-01-01T13:01+01:00 |   1.0 |
        `
      }
    })
  )

  it.effect("compares the columns that it names alone, and answers all", () =>
    Effect.map(JobTest.run(visits, { input, expect: { page_visits: "visits\n1\n1\n2" } }), (written) => {
      expect(written.page_visits).toEqual([
        { page: "/", window_start: "2026-01-01T12:00:00Z", visits: "2" },
        { page: "/", window_start: "2026-01-01T12:01:00Z", visits: "1" },
        { page: "/docs", window_start: "2026-01-01T12:00:00Z", visits: "1" }
      ])
    })
  )

  it.effect("takes rows as code has them", () =>
    JobTest.run(visits, {
      input: {
        visits: [{ page: "/", visitedAt: "2026-01-01T12:00:01Z" }, '{"page":"/","visitedAt":"2026-01-01T12:00:02Z"}']
      },
      expect: { page_visits: [{ page: "/", windowStart: Date.UTC(2026, 0, 1, 12), visits: 2n }] }
    })
  )

  it.effect("leaves windows open where it is not the end", () =>
    JobTest.run(visits, {
      input,
      final: false,
      expect: {
        page_visits: `
          page  | window_start         | visits
          /docs | 2026-01-01T12:00:00Z |      1
          /     | 2026-01-01T12:00:00Z |      2
        `
      }
    })
  )

  it.effect("goes on from its checkpoint with what comes later, and sets aside what comes too late", () =>
    JobTest.run(visits, {
      input: [
        input,
        JobTest.after("1 hour", {
          visits: `
            page | visitedAt
            /    | 2026-01-01T12:01:11Z
            /b   | 2026-01-01T12:00:11Z
          `
        })
      ],
      expect: {
        page_visits: `
          page  | window_start         | visits
          /docs | 2026-01-01T12:00:00Z |      1
          /     | 2026-01-01T12:00:00Z |      2
          /     | 2026-01-01T12:01:00Z |      2
        `,
        "visits.late": `
          page | visitedAt            | weir.step
          /b   | 2026-01-01T12:00:11Z | visits-by-page
        `
      }
    })
  )

  it.effect("has dead letters, with their bytes and their causes", () =>
    JobTest.run(visits, {
      input: {
        visits: ["no JSON", new Uint8Array([0xff, 0x00]), JobTest.record("{}", { key: "k", headers: { a: "b" } })]
      },
      expect: {
        page_visits: [],
        "visits.invalid": `
          value    | key  | weir.reason | weir.offset
          no JSON  | null | undecodable |           0
          \\xff00  | null | undecodable |           1
          {}       | k    | undecodable |           2
        `
      }
    })
  )

  it.effect("has the time that it says: what is further in the future is set aside", () =>
    JobTest.run(visits, {
      input,
      now: "2026-01-01T11:00:30Z",
      expect: {
        page_visits: "page | visits\n/ | 1\n/docs | 1\n",
        "visits.invalid": "weir.offset\n2\n3"
      }
    })
  )
})

describe("a test of a job that writes something else", () => {
  it.effect("shows what differs beside what does not, and what to paste", () =>
    Effect.map(
      failureOf({
        input,
        expect: {
          page_visits: `
            page  | window_start         | visits
            /     | 2026-01-01T12:00:00Z |      3
            /docs | 2026-01-01T12:00:00Z |      1
            /gone | 2026-01-01T12:05:00Z |      1
          `
        }
      }),
      (message) => {
        expect(message).toBe(`Job visits does not write what is expected.

table page_visits: 2 expected and not there (-), 2 there and not expected (+)

    page  | window_start         | visits
  - /     | 2026-01-01T12:00:00Z |      3
  + /     | 2026-01-01T12:00:00Z |      2
    /docs | 2026-01-01T12:00:00Z |      1
  - /gone | 2026-01-01T12:05:00Z |      1
  + /     | 2026-01-01T12:01:00Z |      1

What is there, to be pasted:

page_visits: \`
  page  | window_start         | visits
  /     | 2026-01-01T12:00:00Z |      2
  /     | 2026-01-01T12:01:00Z |      1
  /docs | 2026-01-01T12:00:00Z |      1
\``)
      }
    )
  )

  it.effect("fails for a dead letter that nobody expects", () =>
    Effect.map(failureOf({ input: { visits: ["no JSON"] }, expect: {} }), (message) => {
      expect(message).toContain("topic visits.invalid: 0 expected and not there (-), 1 there and not expected (+)")
      expect(message).toContain("+ no JSON | undecodable |")
      expect(message).toContain('"visits.invalid": `\n  value')
    })
  )

  it.effect("takes what it printed", () =>
    Effect.gen(function* () {
      const odd = ["", " a ", "null", "a|b", '"q"', "back\\slash", "tick`$\u007bx}", "line\nbreak", "日本語", "a\\|b"]
      const given = {
        visits: odd.map((page, i) => ({ page, visitedAt: new Date(Date.UTC(2026, 0, 1, 12, 0, i)).toISOString() }))
      }
      const message = yield* failureOf({ input: given, expect: { page_visits: [] } })
      const printed = /page_visits: (`[\s\S]*`)$/.exec(message)![1]!
      // As a person pastes it: text of a program.
      const pasted = new Function(`return ${printed}`)() as string
      const written = yield* JobTest.run(visits, { input: given, expect: { page_visits: pasted } })
      expect(written.page_visits!.map(({ page }) => page).sort()).toEqual([...odd].sort())
    })
  )

  it.effect.each([
    [
      { input: { vists: [] }, expect: {} },
      "does not read topic 'vists', which the input names. Did you mean 'visits'?"
    ],
    [
      { input, expect: { page_visit: [] } },
      "does not write 'page_visit', which the test expects. Did you mean 'page_visits'?"
    ],
    [
      { input, expect: { page_visits: "pages\n/" } },
      "what is expected of table page_visits: it has no column 'pages'. Did you mean 'page'?"
    ],
    [{ input, expect: { page_visits: "visits\nmany" } }, "column 'visits' holds a whole number, and 'many' is none"],
    [{ input, expect: { page_visits: "page | visits\n/" } }, "a row has 1 cells, and there are 2 columns: /"],
    [
      { input: { visits: "page | visited_at\n/ | 1" }, expect: {} },
      "the input of topic visits: its records have no field 'visited_at'"
    ],
    [{ input, expect: {}, now: "soon" }, "'now' is 'soon', and no instant"],
    [{ input, expect: {}, set: { window: "long" } }, "'long' is no duration"]
  ] as const)("says what is wrong with %j", ([options, sentence]) =>
    Effect.map(failureOf(options as JobTest.Options), (message) => expect(message).toContain(sentence))
  )

  it.effect("says why the job fails", () => {
    const failing = Job.make("failing", {
      parameters: {},
      trigger: Trigger.every("1 second"),
      outputs: () =>
        Flow.from(Topic.source("visits")).pipe(
          Flow.decode(Visit),
          Flow.map((visit) => {
            if (visit.page === "/docs") throw new Error("no documents here")
            return { page: visit.page }
          }),
          Flow.to(Sql.append("seen", Schema.Struct({ page: Schema.String })))
        )
    })
    return Effect.map(Effect.flip(JobTest.run(failing, { input, expect: {} })), ({ message }) => {
      expect(message).toContain("The job failed: ")
      expect(message).toContain("no documents here")
    })
  })
})

describe("a cell", () => {
  const Row = Schema.Struct({
    id: Schema.Int,
    price: Schema.NullOr(Decimal(12, 2)),
    ratio: Schema.Number,
    ok: Schema.Boolean,
    tags: Schema.Array(Schema.String)
  })
  const copied = Job.make("copied", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => {
      const rows = Flow.from(Topic.source("rows")).pipe(Flow.decode(Row))
      return [rows.pipe(Flow.to(Sql.append("kept", Row))), rows.pipe(Flow.to(Topic.sink("copies", Row)))]
    }
  })

  it.effect("is compared as what its column holds, of tables and of topics", () => {
    const expected = `
      id | price   | ratio | ok    | tags
       1 |   1.500 | 1e3   | true  | ["a", "b"]
       2 |         | 0.25  | false | []
    `
    return JobTest.run(copied, {
      input: {
        rows: `
          id | price | ratio  | ok    | tags
          1  | 1.5   | 1000.0 | true  | ["a","b"]
          2  |       | .25    | FALSE | []
        `
      },
      expect: { kept: expected, copies: expected }
    })
  })
})

describe("the job of orders", () => {
  it.effect("sums exactly", () =>
    JobTest.run(orders, {
      input: {
        orders: `
          orderid | region | shopid | itemid | price               | count | timestamp
                1 | ID     |      7 |      9 | 9999999999.99       |     1 | 1537514400
                2 | ID     |      7 |      9 | 0.01                |     2 | 1537514401
                3 | MY     |      7 |      9 | 0.10                |     3 | 1537514460
        `
      },
      expect: {
        shop_item_income: `
          region | shopid | itemid | window_start         | gross_income   | total_items | total_orders
          ID     |      7 |      9 | 2018-09-21T07:20:00Z | 10000000000.00 |           3 |            2
          MY     |      7 |      9 | 2018-09-21T07:21:00Z |           0.10 |           3 |            1
        `
      }
    })
  )
})

describe("a job that keeps no dead letters", () => {
  const Sale = Schema.Struct({ shop: Schema.String })
  const strict = Job.make("strict", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => Flow.from(Topic.source("sales")).pipe(Flow.decode(Sale), Flow.to(Sql.append("kept", Sale)))
  })

  it.effect("fails at a record that it cannot use, and the test says where", () =>
    Effect.map(Effect.flip(JobTest.run(strict, { input: { sales: ["x"] }, expect: {} })), ({ message }) => {
      expect(message).toContain("the record at sales, partition 0, offset 0 cannot be decoded")
      expect(message).toContain("`invalid`")
    })
  )
})
