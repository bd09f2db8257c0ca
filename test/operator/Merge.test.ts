import { describe, expect, test } from "vitest"
import { StepFailed } from "../../src/model/Errors.ts"
import * as Merge from "../../src/operator/Merge.ts"
import { batchOf, collect } from "./Messages.ts"

const merge = (sharesPlaces: boolean, inputs: number, changes = false) =>
  Merge.make({ id: "merge", changes: Array.from({ length: inputs }, (_, i) => changes && i === 0), sharesPlaces })

/** What a merge makes of a batch that comes by one of its inputs. */
const given = (operator: ReturnType<typeof merge>, input: number, batch: ReturnType<typeof batchOf>) =>
  collect({ ...operator, onBatch: (message, out) => operator.onBatch(message, out, input) }, batch)[0]!

describe("merge", () => {
  test("hands on batches as they came where no two inputs give one place", () => {
    for (const rows of [null, [0, 7]]) {
      const batch = batchOf(["a", "b"], [5, 5], rows)
      expect(given(merge(false, 2), 1, batch)).toEqual({ ...batch, port: "out" })
    }
  })

  test("gives rows of one place that come by several inputs places of their own, in the order of inputs", () => {
    for (const inputs of [2, 3]) {
      const operator = merge(true, inputs)
      const batches = Array.from({ length: inputs }, (_, input) =>
        given(operator, input, batchOf(["a", "b", "c"], [5, 5, 5], [0, 1, 4]))
      )
      const rows = [0, 1, 2].flatMap((i) => batches.map((batch) => batch.rows![i]!))
      expect(rows).toEqual([0, 1, 4].flatMap((row) => batches.map((_, input) => row * inputs + input)))
    }
  })

  test("takes a record without rows as its only one", () => {
    const operator = merge(true, 2)
    const rows = [0, 1].map((input) => [...given(operator, input, batchOf(["a", "b"], [5, 6])).rows!])
    expect(rows).toEqual([
      [0, 0],
      [1, 1]
    ])
  })

  test("makes changes of events where others carry changes, with places of their own", () => {
    const made = given(merge(true, 2, true), 1, batchOf(["a"], [5]))
    expect(made.values).toEqual([{ key: null, after: "a" }])
    expect([...made.rows!]).toEqual([1])
  })

  test("refuses a row whose number would not be exact", () => {
    const largest = (Number.MAX_SAFE_INTEGER - 1) / 2
    const operator = merge(true, 2)
    expect([...given(operator, 1, batchOf(["a"], [5], [largest])).rows!]).toEqual([Number.MAX_SAFE_INTEGER])
    const tooDeep = () => given(operator, 0, batchOf(["a"], [5], [largest + 1]))
    expect(tooDeep).toThrow(StepFailed)
    expect(tooDeep).toThrow("offset 5: the number of a row of it would reach 2^53")
  })
})
