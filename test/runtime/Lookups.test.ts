import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, LogLevel, Schema, TestClock } from "effect"
import type { Intent } from "../../src/checkpoint/Checkpoint.ts"
import type { CheckpointStoreService } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import * as Lookup from "../../src/flow/Lookup.ts"
import { TablesUnavailable } from "../../src/model/Errors.ts"
import { readerOf } from "../../src/operator/LookupTable.ts"
import * as Lookups from "../../src/runtime/Lookups.ts"
import { epochOf, intentOf } from "../../src/testing/StoreSuite.ts"

const Shop = Schema.Struct({ shopid: Schema.String, name: Schema.String, size: Schema.Number })
type Shop = typeof Shop.Type

/** A table that a test changes, and may make fail. */
class Table {
  rows: ReadonlyArray<Shop> = []
  loads = 0
  failure: TablesUnavailable | null = null

  lookup(options: Partial<Lookup.Options<Shop, "shopid", Lookup.Refresh>> = {}) {
    const load = Effect.suspend(() => {
      this.loads++
      return this.failure === null ? Effect.succeed({ rows: this.rows, placeOf: null }) : this.failure
    })
    return Lookup.make(
      { from: "shops", label: "shops", schema: Shop, load },
      { key: ["shopid"], refresh: "10 seconds", ...options }
    ) as Lookup.AnyLookup
  }
}

const shop = (shopid: string, name: string, size = 1): Shop => ({ shopid, name, size })
const away = new TablesUnavailable({ code: "08006", message: "the database is away", hint: "wait" })

const opened = (store: CheckpointStoreService, lookup: Lookup.AnyLookup) =>
  Effect.flatMap(store.claim("job", "id"), (claim) =>
    Effect.map(Lookups.open({ lookups: [lookup], store, claim }), (lookups) => ({ claim, lookups }))
  ).pipe(Logger.withMinimumLogLevel(LogLevel.None))

const nameOf = (lookups: Lookups.Lookups, version: string | undefined, shopid: string): string | undefined => {
  const reader = readerOf(["shopid"])
  const found = lookups.tables.of("shops", version!).find(reader.read({ shopid } as never), reader.columns)
  return (found as Shop | undefined)?.name
}

/** Lets a load that was begun come to its end. */
const settled = Effect.repeatN(Effect.yieldNow(), 200)
/** A trigger after some time: what is due is loaded. */
const triggerAfter = (lookups: Lookups.Lookups, millis: number) =>
  Effect.gen(function* () {
    yield* TestClock.adjust(millis)
    yield* lookups.refresh(yield* TestClock.currentTimeMillis)
    yield* settled
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))

const write = (store: CheckpointStoreService, claim: Parameters<typeof intentOf>[0], epoch: number, shops: string) => {
  const intent: Intent = { ...intentOf(claim, epoch), lookups: { shops } }
  const commit = epochOf(claim, epoch)
  return Effect.as(
    Effect.zipRight(
      store.writeIntent(claim, intent),
      store.commit(claim, { ...commit, manifest: { ...commit.manifest, lookups: { shops } } })
    ),
    intent
  )
}

describe("lookups", () => {
  it.scoped("are loaded when they are due, and a new version waits for a barrier", () =>
    Effect.gen(function* () {
      const table = new Table()
      table.rows = [shop("a", "one"), shop("b", "two")]
      const { lookups } = yield* opened(yield* MemoryCheckpointStore.make, table.lookup())
      const v1 = lookups.start.shops
      expect(nameOf(lookups, v1, "a")).toBe("one")
      yield* triggerAfter(lookups, 9_999)
      expect([table.loads, lookups.isWaiting()]).toEqual([1, false])
      // The same rows in another order are the same version.
      table.rows = [shop("b", "two"), shop("a", "one")]
      yield* triggerAfter(lookups, 1)
      expect([table.loads, lookups.isWaiting(), lookups.take().shops]).toEqual([2, false, v1])
      table.rows = [shop("a", "new")]
      yield* triggerAfter(lookups, 10_000)
      expect([table.loads, lookups.isWaiting()]).toEqual([3, true])
      const v2 = lookups.take().shops
      expect([lookups.isWaiting(), nameOf(lookups, v2, "a"), nameOf(lookups, v2, "b")]).toEqual([
        false,
        "new",
        undefined
      ])
      // An epoch in flight may still look at the one before; later it is dropped.
      expect(nameOf(lookups, v1, "a")).toBe("one")
      for (let barrier = 0; barrier < 4; barrier++) lookups.take()
      expect(() => nameOf(lookups, v1, "a")).toThrow("not at hand")
      expect(lookups.figures()).toMatchObject([{ lookup: "shops", version: v2, rows: 1, loads: 3, failures: 0 }])
    })
  )

  it.scoped("keep the version before while a refresh fails, and try again more and more patiently", () =>
    Effect.gen(function* () {
      const table = new Table()
      table.rows = [shop("a", "one")]
      const { lookups } = yield* opened(yield* MemoryCheckpointStore.make, table.lookup())
      const v1 = lookups.start.shops
      table.failure = away
      yield* triggerAfter(lookups, 10_000)
      yield* triggerAfter(lookups, 999)
      expect(table.loads).toBe(2)
      yield* triggerAfter(lookups, 1)
      yield* triggerAfter(lookups, 1_999)
      expect(table.loads).toBe(3)
      table.failure = null
      table.rows = [shop("a", "once"), shop("a", "twice")]
      yield* triggerAfter(lookups, 1)
      expect(lookups.take().shops).toBe(v1)
      expect(lookups.figures()).toMatchObject([
        { loads: 1, failures: 3, reason: expect.stringContaining("two rows have the key shopid = a") }
      ])
      table.rows = [shop("a", "new")]
      yield* triggerAfter(lookups, 4_000)
      expect(nameOf(lookups, lookups.take().shops, "a")).toBe("new")
      expect(lookups.figures()).toMatchObject([{ loads: 2, failures: 3, reason: null }])
    })
  )

  it.scoped("fail a first load with its error, and go on with what was recorded in a later life", () =>
    Effect.gen(function* () {
      const table = new Table()
      const store = yield* MemoryCheckpointStore.make
      table.failure = away
      expect(yield* Effect.flip(opened(store, table.lookup()))).toBe(away)
      table.failure = null
      table.rows = [shop("a", "one")]
      const first = yield* opened(store, table.lookup())
      const v1 = first.lookups.start.shops!
      yield* write(store, first.claim, 1, v1)
      table.failure = away
      const second = yield* opened(store, table.lookup())
      expect(second.lookups.start.shops).toBe(v1)
      expect(second.lookups.figures()).toMatchObject([{ failures: 1, reason: "the database is away" }])
      expect(nameOf(second.lookups, second.lookups.tables.first("shops").version, "a")).toBe("one")
    })
  )

  it.scoped("begin a life with the version of the first intent that is replayed, and load what comes after", () =>
    Effect.gen(function* () {
      const table = new Table()
      const store = yield* MemoryCheckpointStore.make
      table.rows = [shop("a", "one")]
      const first = yield* opened(store, table.lookup())
      const v1 = first.lookups.start.shops!
      yield* write(store, first.claim, 1, v1)
      table.rows = [shop("a", "two")]
      yield* triggerAfter(first.lookups, 10_000)
      const v2 = first.lookups.take().shops!
      yield* store.writeIntent(first.claim, { ...intentOf(first.claim, 2), lookups: { shops: v2 } })
      table.rows = [shop("a", "three")]
      const second = yield* opened(store, table.lookup())
      expect(second.lookups.tables.first("shops").version).toBe(v2)
      expect(nameOf(second.lookups, v2, "a")).toBe("two")
      expect(nameOf(second.lookups, second.lookups.start.shops, "a")).toBe("three")
      const fixed = yield* opened(store, table.lookup({ refresh: "fixed" }))
      expect(fixed.lookups.start.shops).toBe(v2)
    })
  )

  it.scoped.each([
    ["first", "one"],
    ["last", "three"],
    [(left: Shop, right: Shop) => left.size - right.size, "two"]
  ] as const)("choose of several rows of one key by the rule %s", ([duplicates, name]) =>
    Effect.gen(function* () {
      const table = new Table()
      table.rows = [shop("a", "one", 1), shop("a", "two", 5), shop("a", "three", 5)]
      const { lookups } = yield* opened(yield* MemoryCheckpointStore.make, table.lookup({ duplicates }))
      expect(nameOf(lookups, lookups.start.shops, "a")).toBe(name)
    })
  )

  it.scoped("refuse several rows of one key by name, with both rows", () =>
    Effect.gen(function* () {
      const table = new Table()
      table.rows = [shop("a", "one"), shop("b", "x"), shop("a", "two")]
      const error = yield* Effect.flip(opened(yield* MemoryCheckpointStore.make, table.lookup()))
      expect(error).toMatchObject({ _tag: "DuplicateKey", lookup: "shops", key: "shopid = a" })
      expect(error.message).toContain('"name":"one"')
      expect(error.message).toContain('"name":"two"')
    })
  )

  it.scoped("say so where recorded rows do not fit the Schema of this code", () =>
    Effect.gen(function* () {
      const table = new Table()
      const store = yield* MemoryCheckpointStore.make
      table.rows = [shop("a", "one")]
      const { claim, lookups } = yield* opened(store, table.lookup())
      yield* write(store, claim, 1, lookups.start.shops!)
      const Other = Schema.Struct({ shopid: Schema.String, colour: Schema.String })
      const other = { ...table.lookup({ refresh: "fixed" }), schema: Other }
      const error = yield* Effect.flip(opened(store, other))
      expect(error._tag).toBe("LookupUnreadable")
      expect(error.message).toMatch(/version \w+ cannot be read by this code: .*colour/)
    })
  )
})
