import { Duration, Either, FastCheck } from "effect"
import { describe, expect, it } from "vitest"
import * as Parameter from "../../src/flow/Parameter.ts"

const seconds = Parameter.duration("60 seconds", { meaning: "length of a window" })
const integers = Parameter.list(Parameter.integer, [1, 2])

/** What a text is read as, or why it is refused. */
const read = <A>(parameter: Parameter.Parameter<A>, text: string): A | string => Either.merge(parameter.parse(text))

describe("a parameter", () => {
  it("says its type, its default and what it means", () => {
    expect(seconds).toMatchObject({ type: "duration", fallback: Duration.minutes(1), meaning: "length of a window" })
    expect([Parameter.text("a"), Parameter.integer(1), Parameter.flag(true), integers].map(({ type }) => type)).toEqual(
      ["text", "integer", "flag", "list of integer"]
    )
    expect(Parameter.text("a").meaning).toBe("")
  })

  it.each<readonly [string, number]>([
    ["60 seconds", 60_000],
    ["5s", 5_000],
    ["500ms", 500],
    ["500 millis", 500],
    ["1.5 minutes", 90_000],
    [" 2 H ", 7_200_000],
    ["1 day", 86_400_000],
    ["1m 30s", 90_000],
    ["1d 2h 3m 4s 5ms", 93_784_005],
    ["0 seconds", 0],
    ["0", 0]
  ])("of time reads '%s' as %i milliseconds", (text, millis) => {
    expect(Duration.toMillis(read(seconds, text) as Duration.Duration)).toBe(millis)
    expect(Duration.toMillis(Parameter.parseDuration(text)!)).toBe(millis)
  })

  it.each([
    "",
    "60",
    "seconds",
    "-5 seconds",
    "5 fortnights",
    "5 secs",
    "1e3 seconds",
    "5 seconds 3",
    "1m 30",
    "1m, 30s",
    "٥ seconds"
  ])("of time refuses '%s', and says how to write it", (text) => {
    expect(read(seconds, text)).toBe(`'${text}' is no duration; write for example '60 seconds' or '500 millis'`)
    expect(Parameter.parseDuration(text)).toBeNull()
  })

  it.each<readonly [string, Parameter.Parameter<unknown>, string, unknown]>([
    ["text", Parameter.text("a"), "a=b, c", "a=b, c"],
    ["empty text", Parameter.text("a"), "", "it must not be empty"],
    ["a number", Parameter.integer(0), "-40", -40],
    ["a fraction", Parameter.integer(0), "4.5", "'4.5' is no whole number; write for example '40'"],
    ["an exponent", Parameter.integer(0), "4e1", "'4e1' is no whole number; write for example '40'"],
    [
      "a number that a double rounds",
      Parameter.integer(0),
      "9007199254740993",
      "'9007199254740993' is no whole number; write for example '40'"
    ],
    ["a yes", Parameter.flag(false), "true", true],
    ["a no", Parameter.flag(true), "false", false],
    ["neither", Parameter.flag(true), "yes", "'yes' is neither 'true' nor 'false'"],
    ["a list", integers, "3, 4,5", [3, 4, 5]],
    ["a list with a wrong element", integers, "3,x", "'x' is no whole number; write for example '40'"],
    ["an empty list", integers, "", "'' is no whole number; write for example '40'"]
  ])("reads %s", (_, parameter, text, wanted) => {
    expect(read(parameter, text)).toEqual(wanted)
  })

  it("reads what it wrote", () => {
    const same = <A>(parameter: Parameter.Parameter<A>, value: A) =>
      expect(read(parameter, parameter.format(value as never))).toEqual(value)
    FastCheck.assert(
      FastCheck.property(
        FastCheck.maxSafeInteger(),
        FastCheck.string({ minLength: 1 }),
        FastCheck.boolean(),
        FastCheck.array(FastCheck.maxSafeInteger(), { minLength: 1 }),
        (integer, text, flag, list) => {
          same(Parameter.integer(0), integer)
          same(Parameter.text("a"), text)
          same(Parameter.flag(false), flag)
          same(integers, list)
        }
      )
    )
  })
})
