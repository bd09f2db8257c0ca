import { Duration } from "effect"
import { describe, expect, it } from "vitest"
import * as Window from "../../src/flow/Window.ts"
import * as Limits from "../../src/model/Limits.ts"

describe("a window", () => {
  it.each<readonly [Window.Window, Window.Window, string]>([
    [Window.tumbling("60 seconds"), { kind: "tumbling", sizeMillis: 60_000 }, "tumbling 1m"],
    [Window.tumbling(Duration.hours(1)), { kind: "tumbling", sizeMillis: 3_600_000 }, "tumbling 1h"],
    [
      Window.sliding("1 minute", "10 seconds"),
      { kind: "sliding", sizeMillis: 60_000, everyMillis: 10_000 },
      "sliding 1m every 10s"
    ],
    [
      Window.sliding("7 millis", "3 millis"),
      { kind: "sliding", sizeMillis: 7, everyMillis: 3 },
      "sliding 7ms every 3ms"
    ],
    [Window.session("30 minutes"), { kind: "session", gapMillis: 1_800_000 }, "session 30m"]
  ])("holds its lengths in milliseconds, and is drawn as it was said: %j", (window, wanted, drawn) => {
    expect(window).toEqual(wanted)
    expect(Window.format(window)).toBe(drawn)
  })

  it.each<readonly [string, () => Window.Window, RegExp]>([
    [
      "of no length",
      () => Window.tumbling("0 seconds"),
      /^Window: size must be a whole number of milliseconds above 0/
    ],
    ["of less than a millisecond", () => Window.tumbling("10 micros"), /^Window: size must be a whole number/],
    ["of a fraction of a millisecond", () => Window.session("1.5 millis"), /^Window: gap must be a whole number/],
    ["without an end", () => Window.session(Duration.infinity), /^Window: gap must be a whole number/],
    ["begun never", () => Window.sliding("1 second", "0 seconds"), /^Window: every must be a whole number/],
    [
      "begun less often than it is long",
      () => Window.sliding("1 second", "2 seconds"),
      /`every` is longer than `size`/
    ],
    [
      "begun so often that an event is in too many",
      () => Window.sliding(Duration.millis(Limits.windowsPerEventMax + 1), "1 millis"),
      new RegExp(`more than ${Limits.windowsPerEventMax} windows: make \`every\` longer`)
    ]
  ])("%s is refused", (_, make, told) => {
    expect(make).toThrow(RangeError)
    expect(make).toThrow(told)
  })

  it("may overlap up to the bound", () => {
    expect(() => Window.sliding(Duration.millis(Limits.windowsPerEventMax), "1 millis")).not.toThrow()
    expect(() => Window.sliding("1 second", "1 second")).not.toThrow()
  })
})
