import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import { PackedEntries } from "../../src/state/PackedEntries.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

const utf8 = new TextEncoder()
const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes))
const put = (packed: PackedEntries, key: string, value: string, dues?: ReadonlyArray<number>): void => {
  const keyBytes = utf8.encode(key)
  packed.put(new Uint8Array([...keyBytes, ...utf8.encode(value)]), keyBytes.length, dues)
}
const take = (packed: PackedEntries, key: string) => textOf(packed.take(utf8.encode(key)))
const all = (packed: PackedEntries): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let chunk = 0; chunk < packed.chunks; chunk++) packed.eachOf(chunk, (both) => found.push(textOf(both)!))
  return found.sort()
}

describe("packed entries", () => {
  test("are what a Map holds, whatever is put in, taken out and tidied", () => {
    const step = FastCheck.tuple(
      FastCheck.constantFrom("put", "put", "take", "tidy"),
      FastCheck.nat(30),
      FastCheck.string()
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(step, { minLength: 100, maxLength: 400, size: "max" }), (steps) => {
        const packed = new PackedEntries()
        const model = new Map<string, string>()
        for (const [what, id, value] of steps) {
          const key = `k${id}`
          if (what === "tidy") packed.tidy()
          else if (what === "take" || model.has(key)) {
            expect(take(packed, key)).toBe(model.get(key) ?? null)
            model.delete(key)
          } else {
            put(packed, key, value)
            model.set(key, textOf(utf8.encode(value))!)
          }
          expect(packed.size).toBe(model.size)
        }
        expect(all(packed)).toEqual([...model].map(([key, value]) => key + value).sort())
      })
    )
  })

  test("give back the places of what was taken out", () => {
    const packed = new PackedEntries()
    for (let i = 0; i < 50_000; i++) put(packed, `key ${i}`, "some value of some bytes")
    const full = packed.bytes
    for (let i = 0; i < 40_000; i++) expect(take(packed, `key ${i}`)).not.toBeNull()
    packed.tidy()
    expect(packed.bytes).toBeLessThan(full / 4)
    for (let i = 0; i < 50_000; i++) expect(take(packed, `key ${i}`) === null).toBe(i < 40_000)
    expect([packed.size, packed.bytes, packed.chunks]).toEqual([0, 0, 0])
  })

  test("may be longer than a chunk", () => {
    const packed = new PackedEntries()
    const long = "x".repeat(200_000)
    for (const key of ["a", "b", "c"]) put(packed, key, key === "b" ? long : key)
    expect([take(packed, "c"), take(packed, "b"), take(packed, "a")]).toEqual(["c", long, "a"])
  })

  test("are found by when they fall due on each clock, whatever was put in, taken out and tidied between", () => {
    const due = FastCheck.oneof(FastCheck.integer({ min: -20, max: 20 }), FastCheck.constant(Number.POSITIVE_INFINITY))
    const step = FastCheck.oneof(
      { weight: 6, arbitrary: FastCheck.tuple(FastCheck.constant("put" as const), FastCheck.nat(5_000), due, due) },
      { weight: 2, arbitrary: FastCheck.tuple(FastCheck.constant("take" as const), FastCheck.nat(5_000)) },
      { weight: 1, arbitrary: FastCheck.tuple(FastCheck.constant("due" as const), FastCheck.nat(1), due) },
      { weight: 1, arbitrary: FastCheck.constant(["tidy"] as const) }
    )
    let found = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.array(step, { minLength: 100, maxLength: 300, size: "max" }), (steps) => {
        const packed = new PackedEntries()
        const model = new Map<string, { readonly value: string; readonly dues: ReadonlyArray<number> }>()
        // Long enough for several chunks.
        const value = "some value".repeat(300)
        for (const step of steps) {
          if (step[0] === "tidy") packed.tidy()
          else if (step[0] === "due") {
            const [, clock, limit] = step
            const falls = [...model].filter(([, { dues }]) => dues[clock]! <= limit && dues[clock]! < Infinity)
            const taken: Array<string> = []
            packed.takeDue(clock, limit, (key, value) => taken.push(`${textOf(key)} ${textOf(value)}`))
            expect(taken.sort()).toEqual(falls.map(([key, { value }]) => `${key} ${value}`).sort())
            for (const [key] of falls) model.delete(key)
            found += falls.length
            if (limit < Infinity) expect(packed.earliest(clock)).toBeGreaterThan(limit)
          } else {
            const key = `k${step[1] % 300}`
            if (step[0] === "take" || model.has(key)) {
              expect(take(packed, key)).toBe(model.get(key)?.value ?? null)
              model.delete(key)
            } else {
              const dues = [step[2], step[3]]
              put(packed, key, value + key, dues)
              model.set(key, { value: value + key, dues })
            }
          }
          for (const clock of [0, 1]) {
            const times = [...model.values()].map(({ dues }) => dues[clock]!)
            expect(packed.earliest(clock)).toBeLessThanOrEqual(Math.min(...times))
            expect(packed.dueCount(clock)).toBe(times.filter((time) => time < Infinity).length)
          }
        }
      }),
      { numRuns: 60 }
    )
    expect(found).toBeGreaterThan(500)
  })

  test("that are due are found without a look at chunks of later ones", () => {
    const packed = new PackedEntries()
    for (let i = 0; i < 20_000; i++) put(packed, `key ${i}`, "some value of some bytes", [i])
    expect(packed.chunks).toBeGreaterThan(10)
    const read = vi.spyOn(DataView.prototype, "getFloat64")
    packed.takeDue(0, 0, () => {})
    expect(read.mock.calls.length).toBeLessThan(20_000 / 5)
    read.mockRestore()
    expect([packed.size, packed.earliest(0)]).toEqual([19_999, 1])
  })
})
