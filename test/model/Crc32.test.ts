import { FastCheck } from "effect"
import { describe, expect, it } from "vitest"
import { crc32, crc32OfWords } from "../../src/model/Crc32.ts"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

describe("CRC-32", () => {
  it.each([
    ["", 0x00000000],
    ["a", 0xe8b7be43],
    ["123456789", 0xcbf43926],
    ["The quick brown fox jumps over the lazy dog", 0x414fa339]
  ])("of '%s' is the one of the standard", (text, wanted) => {
    expect(crc32(utf8(text))).toBe(wanted)
  })

  it("is of the part between start and end alone", () => {
    const bytes = utf8("before 123456789 after")
    expect(crc32(bytes, 7, 16)).toBe(0xcbf43926)
  })

  it("of words is that of their bytes, for every length", () => {
    const words = FastCheck.array(FastCheck.integer(), { maxLength: 40 })
    FastCheck.assert(
      FastCheck.property(words, FastCheck.nat(8), (values, start) => {
        const all = Int32Array.from(values)
        const from = Math.min(start, all.length)
        expect(crc32OfWords(all, from, all.length, 0) >>> 0).toBe(crc32(new Uint8Array(all.buffer), from * 4))
      })
    )
  })

  it("of words depends on the seed", () => {
    const words = Int32Array.of(1, 2, 3)
    expect(crc32OfWords(words, 0, 3, 7)).not.toBe(crc32OfWords(words, 0, 3, 8))
  })
})
