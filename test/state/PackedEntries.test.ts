import { FastCheck } from "effect"
import { describe, expect, test } from "vitest"
import { PackedEntries } from "../../src/state/PackedEntries.ts"

const utf8 = new TextEncoder()
const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes))
const put = (packed: PackedEntries, key: string, value: string): void => {
  const keyBytes = utf8.encode(key)
  packed.put(new Uint8Array([...keyBytes, ...utf8.encode(value)]), keyBytes.length)
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

  test("are taken out by their keys", () => {
    const packed = new PackedEntries()
    for (let i = 0; i < 100; i++) put(packed, `${i % 3} ${i}`, `value ${i}`)
    const taken: Array<string> = []
    packed.takeWhere(
      (key) => textOf(key)!.startsWith("1 "),
      (key, value) => taken.push(`${textOf(key)}: ${textOf(value)}`)
    )
    expect(taken.length).toBe(33)
    expect(taken[0]).toBe("1 1: value 1")
    expect(packed.size).toBe(67)
    expect(take(packed, "1 1")).toBeNull()
  })
})
