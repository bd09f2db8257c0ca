import { describe, expect, it } from "vitest"
import { murmur2, partitionOf } from "../../src/model/Partition.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

describe("Partition", () => {
  // The hashes that Kafka's own tests expect of its producer.
  it.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107]
  ])("hashes %s as Kafka does", (key, hash) => {
    expect(murmur2(bytes(key))).toBe(hash)
  })

  it("gives every key a partition that exists", () => {
    for (let i = 0; i < 1_000; i++) {
      const partition = partitionOf(bytes(`key ${i}`), 7)
      expect(partition).toBeGreaterThanOrEqual(0)
      expect(partition).toBeLessThan(7)
    }
  })
})
