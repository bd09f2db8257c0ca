import { describe, expect, it } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Frame from "../../src/flow/Frame.ts"
import * as Window from "../../src/flow/Window.ts"
import * as OperatorIndex from "./OperatorIndex.ts"

/** What `Flow` exports that is no step: where flows begin and end, and parts of others. */
const others = ["from", "to", "output", "idleAfterDefault", "maxFutureSkewDefault"]

describe("docs/operators.md", () => {
  it("says of every step what its docstrings say (write it with `vitest -u`)", async () => {
    await expect(OperatorIndex.page()).toMatchFileSnapshot("../../docs/operators.md")
  })

  it("leaves no step out", () => {
    const steps = Object.keys(Flow).filter((name) => !others.includes(name))
    expect(
      OperatorIndex.combinators()
        .map(({ name }) => name)
        .sort()
    ).toEqual(steps.sort())
  })

  it("leaves out no aggregate, window or frame", () => {
    const names = (["Aggregate", "Window", "Frame"] as const).flatMap(OperatorIndex.described).map(({ name }) => name)
    const exported = Object.entries({ Aggregate, Window, Frame }).flatMap(([part, of]) =>
      Object.keys(of).flatMap((name) => (name === "format" ? [] : [`${part}.${name}`]))
    )
    expect(names.sort()).toEqual(exported.sort())
  })

  it("has for every step the one form: what it emits, keeps, sets aside, restores and fails with, and a drawing", () => {
    const sections = OperatorIndex.page().split("\n## ").slice(1)
    const formed = sections.filter((text) => text.includes("\n- **Emits**"))
    const without = (part: string) => formed.filter((text) => !text.includes(part)).map((text) => text.split("\n")[0])
    for (const word of ["Keeps", "Sets aside", "Restores", "Fails with"]) expect(without(`\n- **${word}**`)).toEqual([])
    expect(without("\n\n    ")).toEqual([])
    expect(formed.length).toBeGreaterThan(10)
  })
})
