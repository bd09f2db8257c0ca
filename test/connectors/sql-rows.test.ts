import { FastCheck, Schema } from "effect"
import { describe, expect, test } from "vitest"
import * as TableColumns from "../../src/connectors/sql/TableColumns.ts"
import * as TableRows from "../../src/connectors/sql/TableRows.ts"
import { Int64 } from "../../src/model/Columns.ts"
import type { Change } from "../../src/model/Event.ts"
import type { Batch } from "../../src/model/Message.ts"

const Seat = Schema.Struct({
  seat: Schema.Int,
  guest: Schema.NullOr(Schema.String),
  paid: Int64,
  tags: Schema.Array(Schema.String)
})
type Seat = typeof Seat.Type
type SeatChange = Change<unknown, Seat>

const columns = TableColumns.make("seats", Seat, ["seat"])
const options = { table: "seats", sink: "seats", columns, key: columns.slice(0, 1), replaces: true, rowBytesMax: 1_000 }

/** Values with their places, each a batch of its own. */
const batchesOf = (values: ReadonlyArray<unknown>): ReadonlyArray<Batch> =>
  values.map((value, i) => ({
    _tag: "Batch",
    origin: i % 3 === 0 ? "b" : "a",
    partition: i % 2,
    openedAt: 0,
    values: [value],
    offsets: Float64Array.of(7),
    rows: Float64Array.of(i),
    eventTimes: null,
    ownWatermarks: null,
    records: null,
    recordIndexes: null
  }))

type Table = Map<unknown, ReadonlyArray<unknown>>

/** What a table holds after an epoch: first what is removed, then what is written. */
const commit = (table: Table, made: TableRows.TableRows): void => {
  const rowsOf = ({ columns, rows }: TableRows.EncodedRows) =>
    Array.from({ length: rows }, (_, i) => columns.map((values) => values[i]))
  expect(made.invalid).toEqual([])
  for (const [seat] of rowsOf(made.removed)) {
    expect(table.has(seat)).toBe(true)
    table.delete(seat)
  }
  for (const row of rowsOf(made.written)) table.set(row[0], row)
}

const encoded = (row: Seat) => columns.map((column) => column.encode(row[column.field as keyof Seat]) ?? null)

/** Where each guest of four sits in turn, several times an epoch; at its end no two sit on one seat. */
const sitting = FastCheck.record({
  epochs: FastCheck.array(
    FastCheck.record({
      passing: FastCheck.array(
        FastCheck.record({ guest: FastCheck.nat(3), seat: FastCheck.option(FastCheck.nat(4)) }),
        {
          maxLength: 4
        }
      ),
      last: FastCheck.shuffledSubarray([0, 1, 2, 3, 4, null, null, null], { minLength: 4, maxLength: 4 }),
      paid: FastCheck.array(FastCheck.nat(1), { minLength: 8, maxLength: 8 }),
      order: FastCheck.array(FastCheck.nat(99), { minLength: 20, maxLength: 20 })
    }),
    { minLength: 1, maxLength: 5 }
  ),
  isNamed: FastCheck.boolean()
})

const shuffled = <A>(things: ReadonlyArray<A>, order: ReadonlyArray<number>): ReadonlyArray<A> =>
  things
    .map((thing, i) => ({ thing, at: order[i % order.length]! }))
    .sort((l, r) => l.at - r.at)
    .map(({ thing }) => thing)

describe("rows that change within an epoch", () => {
  test("leave the table that its rows make, in whatever order they come and whatever keys they exchange", () => {
    const seen = { exchanges: 0, cancelled: 0 }
    FastCheck.assert(
      FastCheck.property(sitting, ({ epochs, isNamed }) => {
        const table: Table = new Map()
        const guests = new Map<number, Seat>()
        for (const { last, order, paid, passing } of epochs) {
          const changes: Array<SeatChange> = []
          const sit = (guest: number, seat: number | null, amount: number): void => {
            const before = guests.get(guest)
            if (seat === null) {
              if (before !== undefined) changes.push({ key: guest, before: structuredClone(before) })
              guests.delete(guest)
              return
            }
            // Rows without a name are equal to those of other guests.
            const after = {
              seat,
              guest: isNamed ? `${guest}` : null,
              paid: BigInt(amount) as Int64,
              tags: [`${amount}`]
            }
            changes.push({ key: guest, ...(before === undefined ? {} : { before: structuredClone(before) }), after })
            guests.set(guest, after)
          }
          for (const [i, { guest, seat }] of passing.entries()) sit(guest, seat, paid[i]!)
          for (const [guest, seat] of last.entries()) sit(guest, seat, paid[4 + guest]!)
          const held = new Set(table.keys())
          if (
            changes.some(({ after, before }) => before && after && held.has(after.seat) && before.seat !== after.seat)
          )
            seen.exchanges++
          const batches = batchesOf(changes)
          const made = TableRows.make(shuffled(batches, order), options)
          expect(TableRows.make(batches, options)).toEqual(made)
          if (made.written.rows + made.removed.rows < changes.length) seen.cancelled++
          commit(table, made)
          expect(table).toEqual(new Map([...guests.values()].map((row) => [row.seat, encoded(row)])))
        }
      }),
      { numRuns: 300 }
    )
    expect(seen.exchanges).toBeGreaterThan(100)
    expect(seen.cancelled).toBeGreaterThan(100)
  })

  const row = (seat: number, guest: string, paid = 1n): Seat => ({ seat, guest, paid: paid as Int64, tags: [] })
  const made = (...changes: ReadonlyArray<SeatChange>) => {
    const { removed, written } = TableRows.make(batchesOf(changes), options)
    return { removed: removed.columns[0], written: written.columns[1] }
  }

  test("exchange their keys", () => {
    const [a, b] = [row(1, "a"), row(2, "b")]
    const swapped = [
      { key: "a", before: a, after: row(2, "a") },
      { key: "b", before: b, after: row(1, "b") }
    ]
    for (const changes of [swapped, [...swapped].reverse()])
      expect(made(...changes)).toEqual({ removed: [], written: ["b", "a"] })
  })

  test("are nothing where they came and went, whichever is told first, and go where they were there", () => {
    const [came, went] = [
      { key: 1, after: row(1, "a") },
      { key: 1, before: row(1, "a") }
    ]
    expect(made(went, came)).toEqual({ removed: [], written: [] })
    expect(made({ key: 1, before: row(1, "a", 7n) }, came, went)).toEqual({ removed: [1], written: [] })
    expect(made(went)).toEqual({ removed: [1], written: [] })
  })
})

test("of events with one key the last by its place is kept, in whatever order partitions come", () => {
  const seats = FastCheck.array(FastCheck.record({ seat: FastCheck.nat(2), paid: FastCheck.nat(99) }), { minLength: 1 })
  FastCheck.assert(
    FastCheck.property(seats, FastCheck.array(FastCheck.nat(99), { minLength: 20, maxLength: 20 }), (rows, order) => {
      const values = rows.map(({ paid, seat }) => ({ seat, guest: null, paid: BigInt(paid), tags: [] }))
      const batches = batchesOf(values)
      const { columns: found } = TableRows.make(shuffled(batches, order), options).written
      const place = ({ origin, partition, rows }: Batch) =>
        `${origin} ${partition} ${String(rows![0]).padStart(9, "0")}`
      const last = new Map<number, bigint>()
      for (const batch of [...batches].sort((l, r) => (place(l) < place(r) ? -1 : 1))) {
        const { paid, seat } = batch.values[0] as (typeof values)[number]
        last.set(seat, paid)
      }
      const sorted = [...last].sort(([left], [right]) => left - right)
      expect(found.slice(0, 3)).toEqual([
        sorted.map(([seat]) => seat),
        sorted.map(() => null),
        sorted.map(([, p]) => p)
      ])
    })
  )
})
