/** The files of a new project. */

const job = `import { Schema } from "effect"
import { Aggregate, Flow, Instant, Int64, Job, Parameter, Trigger, Window } from "weir"
import { Sql } from "weir/sql"
import { Topic } from "weir/topic"

/** What comes: one visit of a page. */
export class Visit extends Schema.Class<Visit>("Visit")({
  page: Schema.String,
  visitedAt: Instant
}) {}

/** What is written: visits of a page in a window. */
export class PageVisits extends Schema.Class<PageVisits>("PageVisits")({
  page: Schema.String,
  windowStart: Instant,
  windowEnd: Instant,
  visits: Int64
}) {}

/** Visits of each page, by window. */
export default Job.make("visits", {
  parameters: { window: Parameter.duration("60 seconds", { meaning: "length of a window" }) },
  trigger: Trigger.every("1 second"),
  outputs: ({ window }) =>
    Flow.from(Topic.source("visits")).pipe(
      Flow.decode(Visit, { invalid: Topic.deadLetter("visits.invalid") }),
      Flow.eventTime((visit) => visit.visitedAt, { maxOutOfOrderness: "5 seconds" }),
      Flow.keyBy("page"),
      Flow.window(Window.tumbling(window), { allowedLateness: "30 seconds" }),
      Flow.aggregate("visits-by-page", { visits: Aggregate.count }),
      Flow.emit("onUpdate"),
      Flow.to(Sql.upsert("page_visits", PageVisits, { key: ["page", "windowStart"] }))
    )
})
`

const test = `import assert from "node:assert/strict"
import { test } from "node:test"
import { Effect } from "effect"
import { Arbitraries, JobTest, Simulate } from "weir/testing"
import visits, { Visit } from "../actors/visits.ts"

test("visits are counted by page and window", async () => {
  await Effect.runPromise(
    JobTest.run(visits, {
      input: {
        visits: \`
          page  | visitedAt
          /     | 2026-01-01T12:00:01Z
          /docs | 2026-01-01T12:00:05Z
          /     | 2026-01-01T12:00:42Z
          /     | 2026-01-01T12:01:10Z
        \`
      },
      expect: {
        page_visits: \`
          page  | window_start         | visits
          /     | 2026-01-01T12:00:00Z |      2
          /     | 2026-01-01T12:01:00Z |      1
          /docs | 2026-01-01T12:00:00Z |      1
        \`
      }
    })
  )
})

test("nothing that goes wrong changes what is written", async () => {
  const summary = await Effect.runPromise(
    Simulate.job(visits, {
      input: (seed: number) => ({ visits: Arbitraries.records(Visit, { seed, count: 60 }) }),
      seeds: 5
    })
  )
  assert.equal(summary.seeds, 5)
})
`

const readme = (name: string) => `# ${name}

A project on Weir: \`actors/visits.ts\` counts the visits of each page.

    npm install
    npx weir explain visits
    npx weir produce visits visits.jsonl
    npx weir run visits --available-now --final
    npx weir query "select * from page_visits"

\`npx weir start\` runs all jobs of \`actors/\` as a daemon, with a page on http://127.0.0.1:7070.
\`npm test\` checks the types and runs the tests; \`npx weir simulate visits\` runs the job in worlds where things go wrong.
`

const visits = `{"page": "/", "visitedAt": "2026-01-01T12:00:01Z"}
{"page": "/docs", "visitedAt": "2026-01-01T12:00:05Z"}
{"page": "/", "visitedAt": "2026-01-01T12:00:42Z"}
{"page": "/", "visitedAt": "2026-01-01T12:01:10Z"}
`

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Paths and texts of a project of this name; `weir` is where its package manager finds Weir, such as `file:../weir`. */
export const files = (name: string, weir: string): ReadonlyArray<readonly [path: string, text: string]> => [
  [
    "package.json",
    json({
      name,
      private: true,
      type: "module",
      scripts: {
        start: "weir start",
        test: "tsc --noEmit && esbuild test/*.ts --bundle --platform=node --format=esm --packages=external --outdir=.weir/test --out-extension:.js=.mjs --log-level=warning && node --test .weir/test/"
      },
      dependencies: { effect: "3.22.4", weir },
      devDependencies: { "@types/node": "^20.19.0", esbuild: "^0.28.0", typescript: "^7.0.2" }
    })
  ],
  [
    "tsconfig.json",
    json({
      compilerOptions: {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        module: "NodeNext",
        moduleResolution: "NodeNext",
        target: "ES2022",
        lib: ["ES2023"],
        types: ["node"],
        noEmit: true,
        allowImportingTsExtensions: true,
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
        skipLibCheck: true
      },
      include: ["actors", "test"]
    })
  ],
  ["weir.config.json", json({ data: "./.weir", host: "127.0.0.1", port: 7070 })],
  ["actors/visits.ts", job],
  ["test/visits.test.ts", test],
  ["visits.jsonl", visits],
  ["README.md", readme(name)],
  [".gitignore", "node_modules\n.weir\n"]
]
