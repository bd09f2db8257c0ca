import { FastCheck } from "effect"
import { describe, expect, test } from "vitest"
import { Calendar } from "../../src/operator/Calendar.ts"
import { type Due, DueEntries } from "../../src/operator/DueEntries.ts"

const steps = FastCheck.array(
  FastCheck.tuple(FastCheck.constantFrom("put", "put", "put", "remove", "take"), FastCheck.nat(30), FastCheck.nat(40)),
  { minLength: 50, maxLength: 300, size: "max" }
)

describe("entries that fall due", () => {
  test.each([1, 8])("are found in slots of %s ms, whatever was put in and taken out before", (slotMillis) => {
    FastCheck.assert(
      FastCheck.property(steps, (steps) => {
        const due = new DueEntries<Due & { readonly id: number }>(slotMillis)
        const model = new Map<number, { readonly entry: Due & { readonly id: number }; readonly slot: number }>()
        for (const [what, id, time] of steps) {
          if (what === "take") {
            const expected = [...model].filter(([, { slot }]) => slot <= time).map(([id]) => id)
            const taken = due.takeUntil(time)
            expect(taken.map(({ id }) => id).sort()).toEqual(expected.sort())
            expect(taken.map(({ id }) => model.get(id)!.slot)).toEqual(
              taken.map(({ id }) => model.get(id)!.slot).sort((a, b) => a - b)
            )
            for (const id of expected) model.delete(id)
          } else if (what === "remove" || model.has(id)) {
            due.remove(model.get(id)?.entry ?? { dueAt: time, dueIndex: -1, id })
            model.delete(id)
          } else {
            const entry = { dueAt: 0, dueIndex: -1, id }
            due.put(entry, time)
            model.set(id, { entry, slot: time - (time % slotMillis) })
          }
          const slots = [...model.values()].map(({ slot }) => slot)
          expect(due.size).toBe(model.size)
          expect(due.earliest).toBe(Math.min(...slots))
          expect(due.first.map(({ id }) => id).sort()).toEqual(
            [...model]
              .filter(([, { slot }]) => slot === due.earliest)
              .map(([id]) => id)
              .sort()
          )
          expect(due.firstOf(3).map(({ id }) => model.get(id)!.slot)).toEqual(slots.sort((a, b) => a - b).slice(0, 3))
        }
      })
    )
  })
})

describe("a calendar", () => {
  test("has what it is left with, however often times are put and removed", () => {
    const calendar = new Calendar<string>()
    calendar.put(1_000, "last")
    for (let i = 0; i < 1_000; i++) {
      calendar.put(i % 97, "x")
      calendar.remove(i % 97)
    }
    calendar.put(5, "first")
    expect([calendar.size, calendar.earliest, calendar.first(3)]).toEqual([2, 5, [5, 1_000]])
    expect(calendar.takeUntil(Number.POSITIVE_INFINITY)).toEqual(["first", "last"])
    expect(calendar.earliest).toBe(Number.POSITIVE_INFINITY)
  })
})
