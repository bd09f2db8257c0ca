import { describe, expect, it } from "vitest"
import * as Trigger from "../../src/flow/Trigger.ts"

describe("a trigger", () => {
  it("is an interval, or what is there now", () => {
    expect(Trigger.every("1 second")).toEqual({ kind: "every", intervalMillis: 1_000 })
    expect([Trigger.every("90 seconds"), Trigger.availableNow].map(Trigger.format)).toEqual([
      "every 1m 30s",
      "available now"
    ])
  })

  it.each(["0 seconds", "999 micros"] as const)("of %s is refused", (interval) => {
    expect(() => Trigger.every(interval)).toThrow("Trigger.every: the interval must be at least 1 millisecond")
  })
})
