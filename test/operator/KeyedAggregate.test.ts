import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import type { SpecOf } from "../../src/flow/Topology.ts"
import type { Int64, KeyValue } from "../../src/model/Columns.ts"
import { StateLimitExceeded, StepFailed } from "../../src/model/Errors.ts"
import type { Change } from "../../src/model/Event.ts"
import * as KeyedAggregate from "../../src/operator/KeyedAggregate.ts"
import { type Arrival, byPlace, type Given, Run, type Story, storyOf, tell } from "./Epochs.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

interface Sale {
  readonly region: KeyValue
  readonly item: number
  readonly price: number
}
type Row = Readonly<Record<string, unknown>>

const sales = FastCheck.record({
  region: FastCheck.constantFrom<KeyValue>("n", "s", 0, -0, Number.NaN, null, 1n, true),
  item: FastCheck.nat(3),
  price: FastCheck.nat(9)
})

/** Can be taken back, and changes its states in place. */
const spread = Aggregate.make<Sale, Map<number, number>, string>({
  empty: () => new Map(),
  add: (counts, { price }) => counts.set(price, (counts.get(price) ?? 0) + 1),
  remove: (counts, { price }) => counts.set(price, (counts.get(price) ?? 0) - 1),
  merge: (left, right) => {
    for (const [price, count] of right) left.set(price, (left.get(price) ?? 0) + count)
    return left
  },
  result: (counts) =>
    [...counts]
      .filter(([, count]) => count !== 0)
      .sort(([left], [right]) => left - right)
      .flatMap(([price, count]) => Array(count).fill(price))
      .join()
})

const takenBack = {
  count: Aggregate.count,
  total: Aggregate.sum((sale: Sale) => sale.price),
  mean: Aggregate.avg((sale: Sale) => sale.price),
  least: Aggregate.min((sale: Sale) => sale.price),
  most: Aggregate.max((sale: Sale) => sale.price),
  items: Aggregate.distinctCount((sale: Sale) => sale.item),
  best: Aggregate.topN(2, (sale: Sale) => sale.price),
  spread
}
const kept = { ...takenBack, latest: Aggregate.last((sale: Sale) => sale.item) }

const regions: SpecOf<"keyBy"> = { kind: "keyBy", columns: [{ name: "region", of: (sale: Sale) => sale.region }] }

const make = (
  options: {
    readonly changes?: boolean
    readonly timeToLive?: number
    readonly keyBy?: SpecOf<"keyBy">
    readonly keysMax?: number
    readonly entriesMax?: number
  } = {}
) => {
  const changes = options.changes ?? false
  return KeyedAggregate.make({
    id: "sales",
    keyBy: options.keyBy ?? regions,
    aggregate: {
      kind: "aggregate",
      id: "sales",
      aggregates: changes ? takenBack : kept,
      timeToLiveMillis: options.timeToLive ?? null
    },
    changes,
    ...(options.keysMax === undefined ? {} : { stateKeysMax: options.keysMax }),
    ...(options.entriesMax === undefined ? {} : { stateEntriesMax: options.entriesMax })
  })
}

// The oracle: the rows of a key, all at once.

const nameOf = (key: KeyValue): string => `${typeof key} ${key === 0 ? 0 : key}`

const rowOf = (rows: ReadonlyArray<Sale>): Row => {
  const prices = rows.map((sale) => sale.price).sort((left, right) => left - right)
  const total = prices.reduce((sum, price) => sum + price, 0)
  const { region } = rows[0]!
  const best = [...rows].sort(
    (left, right) =>
      right.price - left.price ||
      left.item - right.item ||
      Number(Object.is(right.region, -0)) - Number(Object.is(left.region, -0))
  )
  return {
    region: region === 0 ? 0 : region,
    count: BigInt(rows.length),
    total,
    mean: total / rows.length,
    least: prices[0],
    most: prices.at(-1),
    items: BigInt(new Set(rows.map((sale) => sale.item)).size),
    best: best.slice(0, 2),
    spread: prices.join()
  }
}

const groupsOf = (rows: ReadonlyArray<Sale>): Map<string, Array<Sale>> => {
  const groups = new Map<string, Array<Sale>>()
  for (const row of rows) groups.set(nameOf(row.region), [...(groups.get(nameOf(row.region)) ?? []), row])
  return groups
}

/** The table after each epoch, made of the changes; each must fit the table before it and change something. */
const tablesOf = (given: ReadonlyArray<Given>, epochs: number): ReadonlyArray<ReadonlyMap<string, Row>> => {
  const table = new Map<string, Row>()
  return Array.from({ length: epochs }, (_, i) => {
    for (const { value } of given.filter(({ epoch }) => epoch === i + 1)) {
      const { after, before, key } = value as Change<ReadonlyArray<KeyValue>, Row>
      const name = nameOf(key[0]!)
      expect(before).toEqual(table.get(name))
      expect(after).not.toEqual(before)
      if (after === undefined) table.delete(name)
      else table.set(name, after)
    }
    return new Map(table)
  })
}

const rowsOf = (groups: ReadonlyMap<string, ReadonlyArray<Sale>>): ReadonlyMap<string, Row> =>
  new Map([...groups].map(([name, rows]) => [name, rowOf(rows)]))

describe("over events", () => {
  const oracle = (told: Story<Sale>, timeToLive: number) => {
    const groups = new Map<string, { rows: Array<Arrival<Sale>>; lastAt: number }>()
    let forgotten = 0
    const tables = told.epochs.map((events, i) => {
      const closedAt = told.closedAts[i]!
      for (const event of events) {
        const group = groups.get(nameOf(event.value.region)) ?? { rows: [], lastAt: 0 }
        group.rows.push(event)
        group.lastAt = closedAt
        groups.set(nameOf(event.value.region), group)
      }
      for (const [name, { lastAt }] of groups) {
        if (lastAt > closedAt - timeToLive) continue
        groups.delete(name)
        forgotten++
      }
      return new Map(
        [...groups].map(([name, { rows }]) => [
          name,
          { ...rowOf(rows.map(({ value }) => value)), latest: latestOf(rows) }
        ])
      )
    })
    return { tables, forgotten }
  }
  const latestOf = (rows: ReadonlyArray<Arrival<Sale>>) =>
    [...rows].sort((l, r) => l.at - r.at || l.partition - r.partition || l.offset - r.offset || l.row - r.row).at(-1)!
      .value.item

  test.each([
    [Number.POSITIVE_INFINITY, 1_000],
    [Number.POSITIVE_INFINITY, 2],
    [25, 1_000],
    [25, 2],
    [25, 0]
  ])(
    "has the rows of all events after every epoch, however it is cut, interleaved and restarted (kept for %s ms, %s entries not packed)",
    (timeToLive, entriesMax) => {
      const seen = { rows: 0, forgotten: 0 }
      FastCheck.assert(
        FastCheck.property(storyOf(sales), (told) => {
          const operator = () => make({ entriesMax, ...(Number.isFinite(timeToLive) ? { timeToLive } : {}) })
          const run = tell(told, operator, true)
          const expected = oracle(told, timeToLive)
          expect(tablesOf(run.given, told.epochs.length)).toEqual(expected.tables)
          expect(byPlace(tell(told, operator, false).given)).toEqual(byPlace(run.given))
          expect(run.operator.counts!().keys).toBe(expected.tables.at(-1)!.size)
          seen.rows += run.given.length
          seen.forgotten += expected.forgotten
        }),
        { numRuns: 100 }
      )
      expect(seen.rows).toBeGreaterThan(500)
      expect(seen.forgotten > 50).toBe(Number.isFinite(timeToLive))
    }
  )

  test("takes events without event time", () => {
    const run = new Run(() => make(), false)
    run.give([sale("n", 1), { ...sale("n", 2), offset: 1 }])
    run.barrier()
    expect(run.given).toMatchObject([{ at: null, own: null, value: { key: ["n"], after: { count: 2n, latest: 2 } } }])
  })

  test("puts all events under one key where it has no columns", () => {
    const run = new Run(() => make({ keyBy: { kind: "keyBy", columns: [] } }))
    run.barrier()
    run.give([sale("n", 1), sale("s", 2)])
    run.barrier()
    run.restart()
    run.give([sale("n", 3)])
    run.barrier()
    expect(run.given.map(({ value }) => value)).toMatchObject([
      { key: [], after: { count: 2n } },
      { key: [], before: { count: 2n }, after: { count: 3n } }
    ])
    expect("region" in (run.given[0]!.value as Change<unknown, Row>).after!).toBe(false)
  })
})

describe("over changes", () => {
  interface Edit extends Sale {
    readonly id: number
    readonly isGone: boolean
  }
  const edits = FastCheck.record({
    id: FastCheck.nat(7),
    isGone: FastCheck.nat(3).map((n) => n === 0),
    region: FastCheck.constantFrom<KeyValue>("n", "s", 0, -0, Number.NaN),
    item: FastCheck.nat(2),
    price: FastCheck.nat(3)
  })

  /** What happens to a table of sales, as changes; and the table after each epoch. */
  const changesOf = (told: Story<Edit>) => {
    const table = new Map<number, Sale>()
    const tables: Array<ReadonlyArray<Sale>> = []
    const epochs = told.epochs.map((events) => {
      const changes = events.flatMap((event): ReadonlyArray<Arrival<Change<unknown, Sale>>> => {
        const { id, isGone, item, price, region } = event.value
        const before = table.get(id)
        if (isGone) table.delete(id)
        else table.set(id, { region, item, price })
        const after = table.get(id)
        if (before === undefined && after === undefined) return []
        const had = before === undefined ? {} : { before: { ...before } }
        return [{ ...event, value: { key: id, ...had, ...(after === undefined ? {} : { after: { ...after } }) } }]
      })
      tables.push([...table.values()])
      return changes
    })
    return { told: { ...told, epochs }, tables }
  }

  test.each([1_000, 1])(
    "has the rows of what the table holds after every epoch, in whatever order rows are taken back and added (%s entries not packed)",
    (entriesMax) => {
      const seen = { changes: 0, removals: 0 }
      FastCheck.assert(
        FastCheck.property(storyOf(edits), (story) => {
          const { tables, told } = changesOf(story)
          const run = tell(told, () => make({ changes: true, entriesMax }), true)
          expect(tablesOf(run.given, told.epochs.length)).toEqual(tables.map((rows) => rowsOf(groupsOf(rows))))
          expect(byPlace(tell(told, () => make({ changes: true }), false).given)).toEqual(byPlace(run.given))
          expect(run.operator.counts!().keys).toBe(groupsOf(tables.at(-1)!).size)
          seen.changes += run.given.length
          seen.removals += run.given.filter(({ value }) => (value as Change).after === undefined).length
        }),
        { numRuns: 150 }
      )
      expect(seen.changes).toBeGreaterThan(1_000)
      expect(seen.removals).toBeGreaterThan(100)
    }
  )

  const change = (value: Change<unknown, Sale>): Arrival => ({ ...sale("", 0), value })
  const bread: Sale = { region: "n", item: 1, price: 5 }

  test("says nothing of a key whose rows came and went within an epoch, whichever is told first", () => {
    const run = new Run(() => make({ changes: true }))
    run.give([change({ key: 1, before: bread }), change({ key: 1, after: bread })])
    run.barrier()
    expect(run.given).toEqual([])
    expect(run.operator.counts!().keys).toBe(0)
  })

  test("says nothing of a row that was replaced by one that counts the same", () => {
    const run = new Run(() => make({ changes: true }))
    run.give([change({ key: 1, after: bread })])
    run.barrier()
    run.give([change({ key: 1, before: bread, after: { ...bread } })])
    run.barrier()
    expect(run.given.length).toBe(1)
  })

  test("fails where more rows of a key are taken back than came, and names the key", () => {
    const run = new Run(() => make({ changes: true }))
    run.give([change({ key: 1, before: bread })])
    expect(() => run.barrier()).toThrow(StepFailed)
    expect(() => run.barrier()).toThrow("Step 'sales' took back 1 more rows than came for the key (n)")
  })
})

const sale = (region: KeyValue, item: number): Arrival<Sale> => ({
  value: { region, item, price: 1 },
  origin: "orders",
  partition: 0,
  offset: 0,
  row: 0,
  at: 10,
  own: 3,
  input: 0
})

describe("time to live", () => {
  const counts = (run: Run) =>
    run.given.map(({ epoch, value }) => {
      const { after, before, key } = value as Change<ReadonlyArray<KeyValue>, { readonly count: Int64 }>
      return [epoch, key[0], before?.count, after?.count]
    })

  test.each([1_000, 0])(
    "counts from the end of the epoch of a key's last event, and ends at the first barrier that is late enough (%s entries not packed)",
    (entriesMax) => {
      const run = new Run(() => make({ timeToLive: 100, entriesMax }))
      const epoch = (closedAt: number, ...regions: ReadonlyArray<string>) => {
        run.give(regions.map((region) => sale(region, 1)))
        run.barrier({ closedAt })
        run.restart()
      }
      epoch(1_000, "n", "s")
      epoch(1_060, "n")
      epoch(1_099)
      epoch(1_100)
      epoch(1_159, "s")
      epoch(1_160)
      epoch(1_161, "n")
      expect(counts(run)).toEqual([
        [1, "s", undefined, 1n],
        [1, "n", undefined, 1n],
        [2, "n", 1n, 2n],
        [4, "s", 1n, undefined],
        [5, "s", undefined, 1n],
        [6, "n", 2n, undefined],
        [7, "n", undefined, 1n]
      ])
    }
  )

  test.each([1_000, 0])(
    "wants a barrier when a key is due, though no record comes; without it, never (%s entries not packed)",
    (entriesMax) => {
      const run = new Run(() => make({ timeToLive: 100, entriesMax }))
      expect(run.operator.dueAt!()).toBe(Number.POSITIVE_INFINITY)
      run.give([sale("n", 1)])
      run.barrier({ closedAt: 1_000 })
      expect(run.operator.dueAt!()).toBe(1_100)
      run.restart()
      expect(run.operator.dueAt!()).toBe(1_100)
      run.barrier({ closedAt: 1_100 })
      expect(run.operator.dueAt!()).toBe(Number.POSITIVE_INFINITY)
      const forGood = new Run(() => make({}))
      forGood.give([sale("n", 1)])
      forGood.barrier({ closedAt: 1_000 })
      expect(forGood.operator.dueAt!()).toBe(Number.POSITIVE_INFINITY)
    }
  )

  test.each([1_000, 0])("may be given, changed and left out between restarts (%s entries not packed)", (entriesMax) => {
    let timeToLive: number | null = null
    const run = new Run(() => make({ entriesMax, ...(timeToLive === null ? {} : { timeToLive }) }))
    const epochAfterRestart = (closedAt: number, millis: number | null) => {
      timeToLive = millis
      run.restart()
      run.barrier({ closedAt })
      return run.operator.counts!().keys
    }
    run.give([sale("n", 1)])
    run.barrier({ closedAt: 1_000 })
    expect(epochAfterRestart(9_000, null)).toBe(1)
    expect(epochAfterRestart(9_001, 8_002)).toBe(1)
    expect(epochAfterRestart(9_002, null)).toBe(1)
    expect(epochAfterRestart(9_003, 8_003)).toBe(0)
  })

  test("looks at no key that stays, however many there are and however often their events come", () => {
    let looked = 0
    const counted = Aggregate.make<Sale, number, number>({
      empty: () => 0,
      add: (state) => state + 1,
      merge: (left, right) => left + right,
      result: (state) => {
        looked++
        return state
      }
    })
    const run = new Run(() =>
      KeyedAggregate.make({
        id: "sales",
        keyBy: regions,
        aggregate: { kind: "aggregate", id: "sales", aggregates: { counted }, timeToLiveMillis: 100 },
        changes: false
      })
    )
    run.give(Array.from({ length: 500 }, (_, i) => sale(`many ${i}`, 1)))
    run.barrier({ closedAt: 50 })
    looked = 0
    run.give([sale("one", 1)])
    run.barrier({ closedAt: 100 })
    expect(looked).toBe(1)
    run.barrier({ closedAt: 150 })
    expect(looked).toBe(501)
    expect(run.operator.counts!().keys).toBe(1)
  })
})

describe("a step without a window", () => {
  test("stops by name above its bound, and says the way out", () => {
    const run = new Run(() => make({ keysMax: 2 }))
    const filling = () => run.give([sale("n", 1), sale("s", 1), sale("w", 1)])
    expect(filling).toThrow(StateLimitExceeded)
    expect(filling).toThrow("Step 'sales' would keep more than 2 keys")
    try {
      filling()
    } catch (error) {
      expect((error as StateLimitExceeded).hint).toContain("timeToLive")
    }
  })

  test("says at which event an aggregate threw", () => {
    const run = new Run(() => make())
    const broken: Arrival = { ...sale("n", 1), value: { region: "n", price: "five" }, partition: 4, offset: 17 }
    expect(() => run.give([broken])).toThrow(
      /^Step 'sales' failed at orders, partition 4, offset 17: five is no number/
    )
  })

  test("names in its fingerprint what makes old state unreadable, and not its time to live", () => {
    const fingerprint = (options: Parameters<typeof make>[0]) => make(options).state!.fingerprint
    expect(fingerprint({ timeToLive: 5 })).toBe(fingerprint({}))
    const others = [{}, { changes: true }, { keyBy: { kind: "keyBy", columns: [] } as const }]
    expect(new Set(others.map(fingerprint)).size).toBe(3)
  })
})
