/**
 * What must hold at every moment, broken on purpose: a job runs to its end where nothing happens, then somebody changes
 * what is kept as a wrong engine would. What is broken must be named.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import type { Manifest } from "../../src/checkpoint/Checkpoint.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, Instant, Int64, Job, Trigger, Window } from "../../src/index.ts"
import { Simulate } from "../../src/testing/index.ts"
import * as Database from "../../src/testing/simulation/Database.ts"
import * as Invariants from "../../src/testing/simulation/Invariants.ts"
import * as Keeper from "../../src/testing/simulation/Keeper.ts"
import * as Process from "../../src/testing/simulation/Process.ts"
import * as Recording from "../../src/testing/simulation/Recording.ts"
import * as Stage from "../../src/testing/simulation/Stage.ts"

const Visit = Schema.Struct({ page: Schema.String, at: Instant })
const Count = Schema.Struct({ page: Schema.String, windowStart: Instant, visits: Int64 })

const visits = Job.make("visits", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () =>
    Flow.from(Topic.source("visits")).pipe(
      Flow.decode(Visit, { invalid: Topic.deadLetter("visits.invalid") }),
      Flow.eventTime((visit) => visit.at, { maxOutOfOrderness: "2 seconds" }),
      Flow.keyBy("page"),
      Flow.window(Window.tumbling("10 seconds")),
      Flow.aggregate("count", { visits: Aggregate.count }),
      Flow.emit("onUpdate"),
      Flow.to(Sql.upsert("counts", Count, { key: ["page", "windowStart"] }))
    )
})

const values = Array.from({ length: 40 }, (_, i) =>
  i % 13 === 12 ? "no visit" : JSON.stringify({ page: `page ${i % 3}`, at: new Date(Date.UTC(2024, 0, 1, 0, 0, i)) })
)

/** The stage on which the job has run to its end, and who looked at it all the while. */
const ended = async (
  invariants: ReadonlyArray<Invariants.Invariant> = [],
  checkpoints: Stage.Layout["checkpoints"] = "tables"
) => {
  const stage = Stage.make({
    seed: 1,
    faults: [],
    topics: { visits: 2 },
    layout: { checkpoints, topics: "broker" },
    makeDatabase: await Database.load()
  })
  const recording = Recording.make()
  const jobs = [{ job: visits, set: { maxPerEpoch: "8" } }]
  const watch = Invariants.watch(stage, { jobs, recording, invariants, looks: [] })
  const keeper = Keeper.make({ stage, jobs, name: "process", recording })
  Stage.produce(
    stage,
    values.map((value, i) => ({
      topic: "visits",
      partition: i % 2,
      key: null,
      value: new TextEncoder().encode(value),
      headers: []
    }))
  )
  let isOver = false
  keeper.finish(() => {
    isOver = true
  })
  stage.world.run(() => isOver, 600_000)
  expect(watch.broken()).toBe(null)
  return { recording, stage, watch }
}

type Ended = Awaited<ReturnType<typeof ended>>

/** Lets somebody else do something, and answers what is broken then. */
const brokenBy = (
  { stage, watch }: Pick<Ended, "stage" | "watch">,
  what: Effect.Effect<unknown, unknown, Tables | Topics>
): string | null => {
  const process = Process.make(stage.world, "stranger")
  let isDone = false
  process.run(what.pipe(Effect.provide(stage.layers(process))), (exit) => {
    isDone = Exit.isSuccess(exit)
  })
  stage.world.run(() => isDone || watch.broken() !== null, 60_000)
  expect(isDone || watch.broken() !== null).toBe(true)
  return watch.broken()
}

const changed = async (...statements: ReadonlyArray<string>): Promise<string | null> =>
  brokenBy(
    await ended(),
    Effect.flatMap(Tables, (tables) => tables.transaction(statements.map((sql) => ({ sql, parameters: [] }))))
  )

/** Of a job whose checkpoints are in files, when another manifest is heard of. */
const heard = async (change: Partial<Manifest>): Promise<string | null> => {
  const world = await ended([], "files")
  const last = world.recording.manifest("visits")!
  world.recording.committed({ ...last, epoch: last.epoch + 1, openedAt: last.closedAt, ...change })
  return brokenBy(
    world,
    Effect.flatMap(Tables, (tables) => tables.transaction([{ sql: "create table seen (at int)", parameters: [] }]))
  )
}

/** The next epoch as a wrong engine would write it: the last one again, changed as these functions of JSON say. */
const intends = (body = "body") =>
  [
    "update weir_job set intended = intended + 1",
    `insert into weir_intent select job, lineage, epoch + 1, json_set(${body}, '$.openedAt', body ->> '$.closedAt'), 0
     from weir_intent where epoch = (select max(epoch) from weir_intent)`
  ] as const
const manifest = (body = "body") =>
  [
    "update weir_job set committed = committed + 1",
    `insert into weir_manifest
     select job, lineage, epoch + 1, json_set(${body}, '$.epoch', epoch + 1, '$.openedAt', body ->> '$.closedAt'), 0
     from weir_manifest where epoch = (select max(epoch) from weir_manifest)`
  ] as const
const report = (body = "body") => [
  `insert into weir_progress select job, epoch + 1, ${body} from weir_progress where epoch = (select max(epoch) from weir_progress)`
]
const fences = ["update weir_fence set epoch = epoch + 1"]
/** No record and no row of the last epoch a second time. */
const emptied = `json_set(body, '$.sinks', json('[]'))`

describe("an epoch that is added as the protocol says", () => {
  it("breaks nothing", async () => {
    expect(await changed(...intends(), ...manifest(), ...report(emptied), ...fences)).toBe(null)
  })
})

describe("at any moment, it is named", () => {
  const cases: ReadonlyArray<readonly [what: string, statements: ReadonlyArray<string>, broken: RegExp]> = [
    [
      "that a generation falls",
      ["update weir_job set generation = generation - 1"],
      /the generation of visits falls from 1 to 0/
    ],
    ["that a lineage falls", ["update weir_job set lineage = lineage - 1"], /the lineage of visits falls from 1 to 0/],
    [
      "that an intent is left out",
      ["update weir_job set intended = intended + 2"],
      /the intents of visits skip from epoch \d+ to \d+/
    ],
    [
      "that intents go back",
      ["update weir_job set intended = intended - 1"],
      /the intents of visits fall from epoch \d+ to \d+/
    ],
    [
      "that a manifest is left out",
      ["update weir_job set committed = committed + 2"],
      /the manifests of visits skip from epoch \d+ to \d+/
    ],
    [
      "that manifests go back",
      ["update weir_job set committed = committed - 1"],
      /the manifests of visits fall from epoch \d+ to \d+/
    ],
    [
      "that there is no manifest",
      ["update weir_job set committed = committed + 1"],
      /visits has committed epoch \d+, and there is no manifest of it/
    ],
    [
      "that a manifest has no intent",
      [...manifest(), ...report(emptied), ...fences],
      /epoch \d+ of visits is visible before its intent is durable/
    ],
    [
      "that an epoch has no report",
      [...intends(), ...manifest(), ...fences],
      /epoch \d+ of visits is durable, and there is no report of it/
    ],
    [
      "that a watermark falls",
      [
        ...intends(),
        ...manifest("json_set(body, '$.watermark', (body ->> '$.watermark') - 1)"),
        ...report(emptied),
        ...fences
      ],
      /the watermark of visits falls from 2024-\S+ to 2024-\S+ at epoch \d+/
    ],
    [
      "that a watermark is lost",
      [...intends(), ...manifest("json_set(body, '$.watermark', null)"), ...report(emptied), ...fences],
      /the watermark of visits falls from 2024-\S+ to none at epoch \d+/
    ],
    [
      "that the time of epochs falls",
      [
        ...intends(),
        ...manifest("json_set(body, '$.closedAt', (body ->> '$.closedAt') - 1)"),
        ...report(emptied),
        ...fences
      ],
      /epoch \d+ of visits is open from \S+Z to \S+Z, and the one before it was closed at \S+Z/
    ],
    [
      "that a partition is read again",
      [
        ...intends("json_set(body, '$.partitions[1].offset', 3)"),
        ...manifest("json_set(body, '$.partitions[1].offset', 3)"),
        ...report(emptied),
        ...fences
      ],
      /visits\/1 falls from offset 20 to 3 at epoch \d+ of visits/
    ],
    [
      "that an epoch ends elsewhere than its intent says",
      [...intends(), ...manifest("json_set(body, '$.partitions[1].offset', 21)"), ...report(emptied), ...fences],
      /epoch \d+ of visits ends elsewhere than its intent says/
    ],
    [
      "that records are counted that were not read",
      [...intends(), ...manifest("json_set(body, '$.totals.recordsIn', 41)"), ...report(emptied), ...fences],
      /epoch \d+ of visits counts 1 records, and 0 were read/
    ],
    [
      "that dead letters are counted that are not kept",
      [...intends(), ...manifest("json_set(body, '$.totals.deadLetters', 4)"), ...report(emptied), ...fences],
      /visits counts 4 dead letters up to epoch \d+, and 3 are kept/
    ],
    [
      "that records of a topic are reported that are not there",
      [
        ...intends(),
        ...manifest("json_set(body, '$.totals.deadLetters', 5)"),
        ...report(`json_set(body, '$.sinks', json('[{"sink":"visits.invalid","rows":2}]'))`),
        ...fences
      ],
      /visits has reported 5 records to visits.invalid up to epoch \d+, and 3 are there/
    ],
    [
      "that rows are there before their intent",
      fences,
      /rows of epoch \d+ of visits are visible in counts before its intent is durable/
    ],
    [
      "that rows are there before their manifest",
      [...intends(), ...fences],
      /counts holds epoch \d+ of visits, and the manifest beside it is of epoch \d+/
    ],
    [
      "that a manifest is there before its rows",
      [...intends(), ...manifest(), ...report(emptied)],
      /counts holds epoch \d+ of visits, and the manifest beside it is of epoch \d+/
    ],
    [
      "that an epoch of a sink is left out",
      ["update weir_fence set epoch = epoch + 2"],
      /counts skips from epoch \d+ to \d+/
    ],
    ["that a sink goes back", ["update weir_fence set epoch = epoch - 1"], /counts falls from epoch \d+ to \d+/],
    [
      "that a fence goes back to an older owner",
      ["update weir_fence set generation = generation - 1"],
      /the fence of counts falls from generation 1 to 0/
    ],
    [
      "that a fence goes back to an older lineage",
      ["update weir_fence set lineage = lineage - 1"],
      /the fence of counts falls from lineage 1 to 0/
    ]
  ]
  for (const [what, statements, broken] of cases)
    it(what, async () => {
      const found = await changed(...statements)
      expect(found).toMatch(broken)
      expect(found).toMatch(/^at \d+\.\d{3} s, after stranger /)
    })

  it("that a manifest in files is there before its rows", async () => {
    expect(await heard({})).toMatch(/the manifest of visits is of epoch \d+, and counts holds epoch \d+/)
  })

  it("that a watermark in files falls", async () => {
    expect(await heard({ watermark: 0 })).toMatch(
      /the watermark of visits falls from 2024-\S+ to 1970-\S+ at epoch \d+/
    )
  })

  it("that an epoch is written to a topic without an intent", async () => {
    const stamp = { job: "visits", sink: "visits.invalid", lineage: 1, generation: 7, epoch: 0 }
    const record = { key: null, value: new Uint8Array([1]), headers: [] }
    const writes = Effect.gen(function* () {
      const topics = yield* Topics
      const opened = { stamp, intentEpochs: Array.from({ length: 99 }, (_, i) => i), position: null, partitions: 4 }
      const writer = yield* topics.epochWriter("visits.invalid", opened)
      yield* writer.write(99, new Map([[0, [record]]]))
    })
    expect(brokenBy(await ended(), Effect.scoped(writes))).toMatch(
      /^at .* s, after stranger writes epoch 99 to visits.invalid: rows of epoch 99 of visits are visible in visits.invalid before its intent is durable/
    )
  })
})

describe("an invariant of a user", () => {
  const adds = (rows: string) =>
    Effect.flatMap(Tables, (tables) =>
      tables.transaction([{ sql: `insert into counts (page, window_start, visits) values ${rows}`, parameters: [] }])
    )

  it("is told rows as the job has them, and says what it did not hold of", async () => {
    const found: Array<ReadonlyArray<typeof Count.Type>> = []
    const few = Simulate.invariant("no page has more than 9 visits", {
      of: "counts",
      schema: Count,
      holds: (counts) => {
        found.push(counts)
        return counts.every((count) => count.visits <= 9n)
      }
    })
    const world = await ended([few])
    expect(found.at(-1)!.reduce((sum, count) => sum + count.visits, 0n)).toBe(37n)
    expect(found.at(-1)!.some((count) => count.windowStart === Date.UTC(2024, 0, 1, 0, 0, 10))).toBe(true)
    expect(new Set(found.map((counts) => counts.length)).size).toBeGreaterThan(2)
    expect(brokenBy(world, adds("('page 9', 0, 10)"))).toMatch(
      /^at \d+\.\d{3} s, after stranger insert counts: no page has more than 9 visits: it does not hold of .*"page":"page 9"/
    )
  })

  it("says in its own words why it does not hold", async () => {
    const known = Simulate.invariant("pages are known", {
      of: "select distinct page, 0 as visits, 0 as window_start from counts",
      schema: Schema.Struct({ page: Schema.String }),
      holds: (pages) => pages.every(({ page }) => page < "page 5") || `${pages.at(-1)?.page} is not`
    })
    expect(brokenBy(await ended([known]), adds("('page 7', 0, 1)"))).toMatch(/: pages are known: page 7 is not$/)
  })

  it("that never saw a table is told of: it would hold whatever happened", async () => {
    const lost = Simulate.invariant("nobody is poor", {
      of: "balance",
      schema: Schema.Struct({ balance: Int64 }),
      holds: () => false
    })
    const { watch } = await ended([lost])
    expect(watch.unseen()).toEqual([
      expect.stringMatching(/^the invariant 'nobody is poor' never saw a row: .*balance/)
    ])
  })

  it("whose Schema is not that of the table is told of at once", async () => {
    const stage = await ended()
    const wrong = Simulate.invariant("nobody is poor", {
      of: "counts",
      schema: Schema.Struct({ balance: Int64 }),
      holds: () => true
    })
    expect(wrong.look(stage.stage.database)).toMatchObject({ _tag: "Broken", why: expect.stringContaining("balance") })
  })
})
