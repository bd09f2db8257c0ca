import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import { StateUnreadable } from "../../src/model/Errors.ts"
import * as Key from "../../src/model/Key.ts"
import * as Limits from "../../src/model/Limits.ts"
import type { StatePart } from "../../src/state/StatePart.ts"
import { Entry, type EntryCodec, StateStore } from "../../src/state/StateStore.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

class Counter extends Entry {
  readonly id: number
  count = 0
  constructor(id: number) {
    super(Key.keyGroupOf([id]))
    this.id = id
  }
}

const dueAt = ({ count }: Counter): number => (count < 3 ? Number.POSITIVE_INFINITY : count)

/** A step that counts ids, and how many bytes each snapshot encoded. */
class Counters {
  readonly byId = new Map<number, Counter>()
  total = 0
  encoded = 0
  readonly store: StateStore<Counter>
  constructor(entriesMax = Number.POSITIVE_INFINITY) {
    this.store = new StateStore<Counter>(this.#codec, { entriesMax })
  }
  readonly #codec: EntryCodec<Counter> = {
    writeKey: (entry, writer) => writer.varint(entry.id),
    writeValue: (entry, writer) => {
      this.encoded++
      writer.value(entry.count)
      writer.value("some text that takes place")
    },
    readKey: (reader) => {
      const id = reader.varint()
      const known = this.byId.get(id) ?? new Counter(id)
      this.byId.set(id, known)
      return known
    },
    readValue: (entry, reader) => {
      entry.count = reader.value() as number
      reader.value()
    },
    forget: (entry) => void this.byId.delete(entry.id),
    dueAt: [dueAt],
    writeHeader: (writer) => writer.varint(this.total),
    readHeader: (reader) => {
      this.total = reader.varint()
    }
  }

  count(id: number): void {
    let entry = this.byId.get(id)
    if (entry === undefined) {
      entry = new Counter(id)
      this.byId.set(id, entry)
      if (!this.store.recall(entry)) this.store.add(entry)
    }
    entry.count++
    this.total++
    this.store.change(entry)
    this.store.changeHeader()
  }

  remove(id: number): void {
    const entry = this.byId.get(id) ?? new Counter(id)
    if (!this.byId.delete(id) && !this.store.recall(entry)) return
    this.store.remove(entry)
  }

  /** Removes what has counted as far; those below 3 never fall due. */
  removeUntil(count: number): void {
    const due = this.store.recallDue(0, count)
    for (const entry of [...this.byId.values()])
      if (!due.includes(entry) && dueAt(entry) <= count) this.remove(entry.id)
    for (const entry of due) {
      this.byId.delete(entry.id)
      this.store.remove(entry)
    }
  }

  contents(): ReadonlyArray<readonly [number, number]> {
    return [...this.byId.values()].map((entry) => [entry.id, entry.count] as const).sort((a, b) => a[0] - b[0])
  }
}

/** What a checkpoint store keeps: for each key group its base and the deltas since. */
class Kept {
  readonly groups = new Map<number, Array<StatePart>>()
  bytes = 0
  take(parts: ReadonlyArray<StatePart>): void {
    for (const part of parts) {
      const before = this.groups.get(part.keyGroup)
      if (part.kind === "base" || before === undefined) {
        expect(part.kind).toBe("base")
        this.groups.set(part.keyGroup, [part])
      } else before.push(part)
    }
  }
  parts(): ReadonlyArray<StatePart> {
    return [...this.groups.values()].flat()
  }
  storedBytes(): number {
    return this.parts().reduce((sum, part) => sum + part.bytes.length, 0)
  }
  longest(): number {
    return Math.max(0, ...[...this.groups.values()].map((parts) => parts.length - 1))
  }
}

const restored = (kept: Kept, entriesMax = Number.POSITIVE_INFINITY): Counters => {
  const counters = new Counters(entriesMax)
  counters.store.restore(kept.parts())
  return counters
}

const random = (seed: number) => (bound: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor((seed / 2 ** 32) * bound)
}

describe("a snapshot", () => {
  test("of every epoch restores to the live state, whatever is added, changed and removed", () => {
    const step = FastCheck.tuple(FastCheck.constantFrom("count", "count", "remove"), FastCheck.nat(40))
    const epoch = FastCheck.array(step, { maxLength: 30 })
    FastCheck.assert(
      FastCheck.property(FastCheck.array(epoch, { maxLength: 40 }), FastCheck.nat(40), (epochs, restart) => {
        let live = new Counters()
        const kept = new Kept()
        epochs.forEach((steps, at) => {
          for (const [what, id] of steps) what === "count" ? live.count(id) : live.remove(id)
          const snapshot = live.store.snapshot()
          kept.take(snapshot.parts)
          expect(snapshot.rows).toBe(live.byId.size)
          expect(snapshot.bytes).toBe(kept.storedBytes())
          const again = restored(kept)
          expect(again.contents()).toEqual(live.contents())
          expect(again.total).toBe(live.total)
          if (at === restart) live = again
        })
      }),
      { numRuns: 150 }
    )
  })

  test("restores to the live state while folds are spread over epochs", () => {
    const live = new Counters()
    const kept = new Kept()
    const below = random(1)
    for (let id = 0; id < 20_000; id++) live.count(id)
    kept.take(live.store.snapshot().parts)
    let folds = 0
    for (let epoch = 0; epoch < 300; epoch++) {
      for (let i = 0; i < 60; i++) live.count(below(20_000))
      for (let i = 0; i < 20; i++) live.remove(below(20_000))
      if (epoch % 3 === 0) for (let i = 0; i < 30; i++) live.count(20_000 + below(5_000))
      // A fold under way finds its key group shorter than it left it.
      if (epoch % 100 === 80) for (let id = 1_000; id < 20_000; id++) live.remove(id)
      if (epoch % 100 === 99) for (let id = 0; id < 20_000; id++) live.count(id)
      const { parts } = live.store.snapshot()
      folds += parts.filter((part) => part.kind === "base").length
      kept.take(parts)
      if (epoch % 50 === 31 || epoch % 100 === 81) expect(restored(kept).contents()).toEqual(live.contents())
    }
    expect(folds).toBeGreaterThan(60)
  })

  test("without changes hands over nothing", () => {
    const live = new Counters()
    live.count(1)
    expect(live.store.snapshot().parts.length).toBeGreaterThan(0)
    expect(live.store.snapshot().parts).toEqual([])
  })

  test("of an entry that came and went since the last one holds no trace of it", () => {
    const live = new Counters()
    live.count(1)
    live.remove(1)
    const kept = new Kept()
    kept.take(live.store.snapshot().parts)
    expect(restored(kept).contents()).toEqual([])
    expect(live.encoded).toBe(0)
  })
})

describe("folding", () => {
  const ids = 30_000
  const perEpoch = 1_000

  test.each([600, 3_000, ids])("of %i entries costs an epoch a bounded number of entries", (entries) => {
    const live = new Counters()
    const below = random(7)
    for (let id = 0; id < entries; id++) live.count(id)
    live.store.snapshot()
    let worst = 0
    for (let epoch = 0; epoch < 200; epoch++) {
      live.encoded = 0
      const touched = new Set(Array.from({ length: perEpoch }, () => below(entries)))
      for (const id of touched) live.count(id)
      live.store.snapshot()
      worst = Math.max(worst, live.encoded / touched.size)
    }
    expect(worst).toBeGreaterThan(1.2)
    expect(worst).toBeLessThan(3)
  })

  test("keeps stored bytes near those of the state, and deltas few", () => {
    const live = new Counters()
    const kept = new Kept()
    const below = random(3)
    for (let id = 0; id < 5_000; id++) live.count(id)
    for (let epoch = 0; epoch < 300; epoch++) {
      for (let i = 0; i < 500; i++) live.count(below(5_000))
      kept.take(live.store.snapshot().parts)
    }
    const base = new Counters()
    for (let id = 0; id < 5_000; id++) base.count(id)
    expect(kept.storedBytes()).toBeLessThan(base.store.snapshot().bytes * 5)
    expect(kept.longest()).toBeLessThan(Limits.stateDeltasMax)
  })

  test("bounds the deltas of a large state of which little changes, without a slow epoch", () => {
    const live = new Counters()
    const kept = new Kept()
    for (let id = 0; id < ids; id++) live.count(id)
    kept.take(live.store.snapshot().parts)
    let worst = 0
    let longest = 0
    for (let epoch = 0; epoch < 700; epoch++) {
      live.encoded = 0
      for (let id = 0; id < 200; id++) live.count(id)
      kept.take(live.store.snapshot().parts)
      worst = Math.max(worst, live.encoded)
      longest = Math.max(longest, kept.longest())
    }
    expect(longest).toBeGreaterThan(48)
    expect(longest).toBeLessThan(Limits.stateDeltasMax)
    expect(worst).toBeLessThan(200 + ids / 20)
  })

  test("forgets what was removed: a state that emptied is stored in no bytes", () => {
    const live = new Counters()
    for (let id = 0; id < 1_000; id++) live.count(id)
    live.store.snapshot()
    for (let id = 0; id < 1_000; id++) live.remove(id)
    live.store.snapshot()
    for (let i = 0; i < 200; i++) {
      live.count(1)
      live.store.snapshot()
    }
    expect(live.store.snapshot().rows).toBe(1)
    live.count(1)
    expect(live.store.snapshot().bytes).toBeLessThan(20_000)
  })
})

test("damaged state is refused", () => {
  const live = new Counters()
  for (let id = 0; id < 100; id++) live.count(id)
  const parts = live.store.snapshot().parts
  const cut = parts.map((part) => ({ ...part, bytes: part.bytes.subarray(0, part.bytes.length - 1) }))
  expect(() => new Counters().store.restore(cut)).toThrow(StateUnreadable)
  expect(() => new Counters().store.restore([{ keyGroup: 999, kind: "base", bytes: new Uint8Array() }])).toThrow(
    StateUnreadable
  )
})

describe("a store that packs", () => {
  test("holds and hands over what one without a bound does, through restarts", () => {
    const what = FastCheck.constantFrom("count", "count", "count", "count", "count", "remove", "removeUntil")
    const epoch = FastCheck.array(FastCheck.tuple(what, FastCheck.nat(40)), { maxLength: 30 })
    let due = 0
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(epoch, { maxLength: 40, size: "max" }),
        FastCheck.nat(12),
        FastCheck.nat(40),
        (epochs, entriesMax, restart) => {
          let packing = new Counters(entriesMax)
          const whole = new Counters()
          const kept = new Kept()
          epochs.forEach((steps, at) => {
            for (const [what, id] of steps) {
              if (what === "removeUntil")
                due += whole.contents().filter(([, count]) => count >= 3 && count <= id / 5).length
              for (const counters of [packing, whole]) {
                if (what === "count") counters.count(id)
                else if (what === "remove") counters.remove(id)
                else counters.removeUntil(id / 5)
              }
            }
            const snapshot = packing.store.snapshot()
            kept.take(snapshot.parts)
            whole.store.snapshot()
            expect(snapshot.rows).toBe(whole.byId.size)
            expect(snapshot.bytes).toBe(kept.storedBytes())
            expect(packing.store.size - packing.store.packed).toBeLessThanOrEqual(entriesMax)
            expect(packing.byId.size).toBe(packing.store.size - packing.store.packed)
            expect(restored(kept).contents()).toEqual(whole.contents())
            if (at === restart) packing = restored(kept, entriesMax)
          })
        }
      ),
      { numRuns: 150 }
    )
    expect(due).toBeGreaterThan(1_000)
  })

  test("folds what is packed, too, and gives its places back", () => {
    const live = new Counters(500)
    const kept = new Kept()
    const below = random(3)
    let folds = 0
    for (let id = 0; id < 20_000; id++) live.count(id)
    for (let epoch = 0; epoch < 300; epoch++) {
      for (let i = 0; i < 200; i++) live.count(below(20_000))
      const { parts } = live.store.snapshot()
      folds += parts.filter((part) => part.kind === "base").length
      kept.take(parts)
    }
    expect(live.store.packed).toBe(19_500)
    expect(folds).toBeGreaterThan(2 * Limits.keyGroups)
    const again = restored(kept)
    expect(again.byId.size).toBe(20_000)
    expect([...again.byId.values()].reduce((sum, entry) => sum + entry.count, 0)).toBe(20_000 + 300 * 200)
  })
})
