import { describe, expect, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import * as Fence from "../../src/checkpoint/Fence.ts"
import * as SqlClient from "../../src/connectors/sql/SqlClient.ts"
import { Tables, type TablesService } from "../../src/flow/Tables.ts"
import { TablesUnavailable } from "../../src/model/Errors.ts"

// A busy machine is slow; none of these waits for a time.
vi.setConfig({ testTimeout: 60_000 })

const opening = (of: Partial<Fence.FenceOpening> = {}): Fence.FenceOpening => ({
  job: "orders",
  sink: "income",
  lineage: 1,
  generation: 1,
  manifestEpoch: 0,
  intentEpochs: [],
  ...of
})

const stamp = (epoch: number, of: Partial<Fence.FenceStamp> = {}): Fence.FenceStamp => ({
  job: "orders",
  sink: "income",
  lineage: 1,
  generation: 1,
  epoch,
  ...of
})

const rowOf = (lineage: number, generation: number, epoch: number) => ({ lineage, generation, epoch })

/** An empty table of fences, and one of rows beside it. */
const cleared = Effect.gen(function* () {
  const tables = yield* Tables
  const drops = [
    "drop table if exists weir_fence",
    "drop table if exists income",
    "create table income (epoch integer)"
  ]
  yield* tables.transaction(drops.map((sql) => ({ sql, parameters: [] })))
  yield* Fence.ensureTable(tables)
  return tables
})

const putRow = (tables: TablesService, row: { lineage: number; generation: number; epoch: number }) =>
  tables.transaction([
    {
      sql: `insert into weir_fence values ('orders', 'income', 0, ${row.lineage}, ${row.generation}, ${row.epoch}, 'old')`,
      parameters: []
    }
  ])

/** The epoch with one row that says so. */
const write = (tables: TablesService, of: Fence.FenceStamp, digest: string) =>
  tables.transaction([
    Fence.advance(tables, of, digest),
    { sql: `insert into income values (${of.epoch})`, parameters: [], rowsExpected: 1 }
  ])

const written = (tables: TablesService) =>
  Effect.map(tables.query({ sql: "select epoch from income order by epoch", parameters: [] }), (rows) =>
    rows.map((row) => row.epoch)
  )

const fenceOf = (tables: TablesService) => Effect.map(Fence.read(tables, "orders"), ([row]) => row)

interface Opened {
  readonly name: string
  readonly row: { readonly lineage: number; readonly generation: number; readonly epoch: number } | null
  readonly open: Partial<Fence.FenceOpening>
  /** What the row is afterwards, or the error. */
  readonly becomes: { readonly lineage: number; readonly generation: number; readonly epoch: number } | string
}

const openings: ReadonlyArray<Opened> = [
  {
    name: "no row: created at the manifest",
    row: null,
    open: { generation: 3, manifestEpoch: 7 },
    becomes: rowOf(1, 3, 7)
  },
  {
    name: "no row, though the manifest knows the sink: behind",
    row: null,
    open: { generation: 3, manifestEpoch: 7, isKnown: true },
    becomes: "SinkBehind"
  },
  {
    name: "at the manifest, older owner: taken",
    row: rowOf(1, 2, 7),
    open: { generation: 3, manifestEpoch: 7 },
    becomes: rowOf(1, 3, 7)
  },
  {
    name: "at the manifest, same owner again: kept",
    row: rowOf(1, 3, 7),
    open: { generation: 3, manifestEpoch: 7 },
    becomes: rowOf(1, 3, 7)
  },
  {
    name: "at the manifest, newer owner: fenced",
    row: rowOf(1, 4, 7),
    open: { generation: 3, manifestEpoch: 7 },
    becomes: "Fenced"
  },
  {
    name: "above it, each epoch intended: taken where it is",
    row: rowOf(1, 2, 9),
    open: { generation: 3, manifestEpoch: 7, intentEpochs: [8, 9] },
    becomes: rowOf(1, 3, 9)
  },
  {
    name: "above it, each epoch intended, newer owner: fenced",
    row: rowOf(1, 4, 9),
    open: { generation: 3, manifestEpoch: 7, intentEpochs: [8, 9] },
    becomes: "Fenced"
  },
  {
    name: "above it, the last epoch not intended: ahead",
    row: rowOf(1, 2, 9),
    open: { generation: 3, manifestEpoch: 7, intentEpochs: [8] },
    becomes: "SinkAhead"
  },
  {
    name: "above it, an epoch between not intended: ahead",
    row: rowOf(1, 2, 9),
    open: { generation: 3, manifestEpoch: 7, intentEpochs: [9] },
    becomes: "SinkAhead"
  },
  {
    name: "below the manifest: behind",
    row: rowOf(1, 2, 6),
    open: { generation: 3, manifestEpoch: 7 },
    becomes: "SinkBehind"
  },
  {
    name: "of a newer lineage: refused",
    row: rowOf(2, 1, 7),
    open: { generation: 3, manifestEpoch: 7 },
    becomes: "OtherLineage"
  },
  {
    name: "of an older lineage, at our floor: taken over",
    row: rowOf(1, 9, 7),
    open: { lineage: 2, generation: 3, manifestEpoch: 7, epochFloor: 7 },
    becomes: rowOf(2, 3, 7)
  },
  {
    name: "of an older lineage, below our floor: taken over at the floor",
    row: rowOf(1, 9, 4),
    open: { lineage: 3, generation: 3, manifestEpoch: 7, epochFloor: 7 },
    becomes: rowOf(3, 3, 7)
  },
  {
    name: "of an older lineage, above our floor: refused, or its epochs would be used twice",
    row: rowOf(1, 9, 8),
    open: { lineage: 2, generation: 3, manifestEpoch: 7, epochFloor: 7 },
    becomes: "OtherLineage"
  },
  {
    name: "of an older lineage, while ours has manifests already: behind",
    row: rowOf(1, 9, 5),
    open: { lineage: 2, generation: 3, manifestEpoch: 7, epochFloor: 6 },
    becomes: "SinkBehind"
  }
]

describe("the fence of a sink in a database", () => {
  it.layer(SqlClient.layerMemory, { timeout: "60 seconds" })((it) => {
    for (const { name, row, open, becomes } of openings) {
      it.effect(`opens a fence ${name}`, () =>
        Effect.gen(function* () {
          const tables = yield* cleared
          if (row !== null) yield* putRow(tables, row)
          const result = yield* Effect.either(Fence.open(tables, opening(open)))
          if (typeof becomes === "string") {
            expect(result).toMatchObject({ _tag: "Left", left: { _tag: becomes } })
            expect(yield* fenceOf(tables)).toEqual(row === null ? undefined : expect.objectContaining(row))
          } else {
            expect(result).toMatchObject({ _tag: "Right", right: becomes.epoch })
            expect(yield* fenceOf(tables)).toMatchObject(becomes)
          }
        })
      )
    }

    it.effect("names sink and both epochs of a sink that is behind or ahead", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* putRow(tables, rowOf(1, 1, 6))
        for (const manifestEpoch of [5, 7]) {
          const error = yield* Effect.flip(Fence.open(tables, opening({ generation: 2, manifestEpoch })))
          expect(error).toMatchObject({ sink: "income", sinkEpoch: 6, manifestEpoch })
          for (const word of ["income", "orders", "epoch 6", `epoch ${manifestEpoch}`])
            expect(error.message).toContain(word)
        }
      })
    )

    it.effect("lets epochs pass once and in order", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* Fence.open(tables, opening())
        yield* write(tables, stamp(1), "a")
        for (const epoch of [1, 3, 0]) {
          expect(yield* Effect.flip(write(tables, stamp(epoch), "b"))).toMatchObject({
            _tag: "RowsUnexpected",
            statement: 0
          })
        }
        yield* write(tables, stamp(2), "b")
        expect(yield* written(tables)).toEqual([1, 2])
        expect(yield* fenceOf(tables)).toEqual({ sink: "income", ...rowOf(1, 1, 2), digest: "b" })
      })
    )

    it.effect("lets no row of an older owner through once a newer one has opened it", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* Fence.open(tables, opening())
        yield* write(tables, stamp(1), "a")
        yield* Fence.open(tables, opening({ generation: 2, intentEpochs: [1] }))
        expect(yield* Effect.flip(write(tables, stamp(2), "b"))).toMatchObject({ _tag: "RowsUnexpected" })
        const error = yield* Effect.flip(Fence.afterRefusal(tables, stamp(2), "b"))
        expect(error).toMatchObject({ _tag: "Fenced", generation: 1, newer: 2 })
        yield* write(tables, stamp(2, { generation: 2 }), "b")
        expect(yield* written(tables)).toEqual([1, 2])
      })
    )

    it.effect("stops an older owner even where the epoch it wants is there already", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* putRow(tables, rowOf(1, 2, 5))
        expect(yield* Effect.flip(Fence.afterRefusal(tables, stamp(5), "old"))).toMatchObject({ _tag: "Fenced" })
      })
    )

    it.effect("lets no row of an abandoned lineage through, whatever its generation", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* putRow(tables, rowOf(1, 9, 4))
        yield* Fence.open(tables, opening({ lineage: 2, generation: 1, manifestEpoch: 4, epochFloor: 4 }))
        for (const generation of [1, 9]) {
          const old = stamp(5, { generation })
          expect(yield* Effect.flip(write(tables, old, "b"))).toMatchObject({ _tag: "RowsUnexpected" })
          expect(yield* Effect.flip(Fence.afterRefusal(tables, old, "b"))).toMatchObject({ _tag: "Fenced" })
        }
        yield* write(tables, stamp(5, { lineage: 2 }), "b")
        expect(yield* written(tables)).toEqual([5])
      })
    )

    it.effect("finds an epoch whose acknowledgement was lost", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        const lost = new TablesUnavailable({ code: "08006", message: "the connection was lost", hint: "" })
        const losing = (statements: Parameters<TablesService["transaction"]>[0]) =>
          Effect.zipRight(tables.transaction(statements), Effect.fail(lost))
        yield* Fence.open(tables, opening())
        const error = yield* Effect.flip(losing([Fence.advance(tables, stamp(1), "a")]))
        expect(error).toBe(lost)
        expect(yield* Fence.afterRefusal(tables, stamp(1), "a")).toBe("already there")
        expect(yield* Fence.afterRefusal(tables, stamp(2), "b")).toBe("not there")
      })
    )

    it.effect("refuses an epoch that gives other rows than it gave before", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* Fence.open(tables, opening())
        yield* write(tables, stamp(1), "a")
        const error = yield* Effect.flip(Fence.afterRefusal(tables, stamp(1), "b"))
        expect(error).toMatchObject({ _tag: "NotDeterministic", sink: "income", epoch: 1 })
        yield* write(tables, stamp(2), "c")
        // Its digest is not kept any more.
        expect(yield* Fence.afterRefusal(tables, stamp(1), "a")).toBe("already there")
      })
    )

    for (const [name, row] of [
      ["has lost its row", null],
      ["has lost epochs", rowOf(1, 1, 3)],
      ["has lost its owner", rowOf(1, 0, 4)]
    ] as const) {
      it.effect(`does not try an epoch again on a fence that ${name}`, () =>
        Effect.gen(function* () {
          const tables = yield* cleared
          if (row !== null) yield* putRow(tables, row)
          const error = yield* Effect.flip(Fence.afterRefusal(tables, stamp(5), "a"))
          expect(error).toMatchObject({ _tag: "SinkBehind", sink: "income" })
        })
      )
    }

    it.effect("does not overwrite an epoch that passes while the fence is being taken", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* Fence.open(tables, opening())
        let passing = 1
        const racing: TablesService = {
          ...tables,
          query: (statement) =>
            Effect.tap(tables.query(statement), () =>
              passing-- > 0 ? write(tables, stamp(1), "a").pipe(Effect.orDie) : Effect.void
            )
        }
        expect(yield* Fence.open(racing, opening({ generation: 2, intentEpochs: [1] }))).toBe(1)
        expect(passing).toBeLessThan(0)
        expect(yield* fenceOf(tables)).toMatchObject({ ...rowOf(1, 2, 1), digest: "a" })
      })
    )

    it.effect("is created once by owners that open it at the same moment", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        let creating = 1
        const racing: TablesService = {
          ...tables,
          query: (statement) =>
            Effect.tap(tables.query(statement), () =>
              creating-- > 0 ? Fence.open(tables, opening({ generation: 2 })).pipe(Effect.orDie) : Effect.void
            )
        }
        expect(yield* Effect.flip(Fence.open(racing, opening()))).toMatchObject({ _tag: "Fenced", newer: 2 })
        expect(creating).toBeLessThan(0)
      })
    )

    it.effect("reads no fences where no table of them is, and opens the first by making it", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* tables.transaction([{ sql: "drop table weir_fence", parameters: [] }])
        expect(yield* Fence.read(tables, "orders")).toEqual([])
        expect(yield* Fence.open(tables, opening({ manifestEpoch: 3 }))).toBe(3)
      })
    )

    it.effect("keeps the fences of jobs and sinks apart", () =>
      Effect.gen(function* () {
        const tables = yield* cleared
        yield* Fence.open(tables, opening())
        yield* Fence.open(tables, opening({ sink: "counts", manifestEpoch: 4 }))
        yield* Fence.open(tables, opening({ job: "refunds", manifestEpoch: 9 }))
        yield* write(tables, stamp(1), "a")
        const found = yield* Fence.read(tables, "orders")
        expect(found.map(({ sink, epoch }) => [sink, epoch])).toEqual([
          ["counts", 4],
          ["income", 1]
        ])
      })
    )
  })
})
