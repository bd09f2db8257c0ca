import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"
import { Files } from "../../../src/connectors/files/index.ts"
import * as SinkWorld from "./SinkWorld.ts"

const Row = Schema.Struct({ id: Schema.Int, year: Schema.NullOr(Schema.Int), text: Schema.String })
type Row = typeof Row.Type

const folder = "/data/out"
const years = [2017, 2018, null] as const

/** Epoch e has rows of each year, of one, or none. */
const epochs: ReadonlyArray<ReadonlyArray<Row>> = [3, 5, 0, 1, 4, 2, 0, 6, 1].map((count, epoch) =>
  Array.from({ length: count }, (_, i) => {
    const id = epoch * 10 + i
    return { id, year: years[(epoch + i) % 3]!, text: `row ${id}\n${"x".repeat(id)}` }
  })
)

const sink = Files.toJsonLines(folder, Row, { by: ["year"], roll: { rows: 4, every: "3 minutes" } })

const yearOf = (path: string): number | null => {
  const [, year] = /^year=([^/]+)\//.exec(path)!
  return year === "__HIVE_DEFAULT_PARTITION__" ? null : Number(year)
}

/** Every row that a reader finds now; fails where a file is torn or a row is there twice. */
const rowsIn = (world: SinkWorld.SinkWorld): Effect.Effect<ReadonlyArray<Row>> =>
  Effect.map(SinkWorld.read(world, folder), (files) => {
    const rows = files.flatMap(({ bytes, path }) => {
      const text = new TextDecoder().decode(bytes)
      expect(text.endsWith("\n"), path).toBe(true)
      return text
        .trimEnd()
        .split("\n")
        .map((line) => ({ ...JSON.parse(line), year: yearOf(path) }) as Row)
    })
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
    return rows.sort((a, b) => a.id - b.id)
  })

const expectAll = (world: SinkWorld.SinkWorld) =>
  Effect.map(rowsIn(world), (rows) => expect(rows).toEqual(epochs.flat()))

/** A reader that looks whenever something may have changed for readers: before the step behind a rename. */
const watching = (world: SinkWorld.SinkWorld): SinkWorld.Before => {
  let isChanged = false
  return (step) => {
    const looks = isChanged
    isChanged = step.startsWith("rename")
    return looks ? Effect.asVoid(rowsIn(world)) : Effect.void
  }
}

/** A life that something happens to before its n-th step; answers how it ended, or `null` if it has fewer steps. */
const until = (world: SinkWorld.SinkWorld, n: number, what: (step: string) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    let steps = 0
    let reached: string | null = null
    const exit = yield* Effect.exit(
      SinkWorld.live(world, sink as never, epochs, (step) =>
        Effect.suspend(() => {
          if (++steps !== n) return Effect.void
          reached = step
          return what(step)
        })
      )
    )
    return { exit, reached: reached as string | null }
  })

describe("a sink of files", () => {
  it.effect("puts each row into a file of its folder, once, and files are as few as they may be", () =>
    Effect.gen(function* () {
      const world = SinkWorld.make()
      const outcomes = yield* SinkWorld.live(world, sink as never, epochs)
      expect(outcomes[0]).toBe("written")
      yield* expectAll(world)
      const files = yield* SinkWorld.read(world, folder)
      expect(files.length).toBeLessThan(epochs.length + 2)
      expect(files.map(({ path }) => path.replace(/-[0-9a-f]{8}-/, "-"))).toContain("year=2017/job-1-1-4.jsonl")
    })
  )

  it.effect("shows nothing before it is due, and all at the end of a run", () =>
    Effect.gen(function* () {
      const world = SinkWorld.make()
      const quiet = Files.toJsonLines(folder, Row, { by: ["year"], roll: { every: "1 day" } })
      const seen: Array<number> = []
      yield* SinkWorld.live(world, quiet as never, epochs, (step) =>
        step === "intent" ? Effect.map(rowsIn(world), (rows) => void seen.push(rows.length)) : Effect.void
      )
      expect(seen).toEqual(epochs.map(() => 0))
      yield* expectAll(world)
      expect((yield* SinkWorld.read(world, folder)).length).toBe(3)
    })
  )

  it.effect("has every row once after a crash at any step, and no reader ever finds one twice or torn", () =>
    Effect.gen(function* () {
      let crashes = 0
      for (let n = 1; ; n++) {
        const world = SinkWorld.make(n)
        const { exit, reached } = yield* until(world, n, () => SinkWorld.crash)
        if (reached === null) break
        expect(SinkWorld.isCrash(exit), `${n}: ${reached}`).toBe(true)
        crashes++
        yield* rowsIn(world)
        yield* SinkWorld.live(world, sink as never, epochs, watching(world))
        yield* expectAll(world)
      }
      expect(crashes).toBeGreaterThan(100)
    })
  )

  it.effect("has every row once after the power failed at any step", () =>
    Effect.gen(function* () {
      let names = 0
      for (let n = 1; ; n++) {
        for (let seed = 0; seed < 4; seed++) {
          const world = SinkWorld.make(n * 10 + seed)
          const { reached } = yield* until(world, n, () => SinkWorld.crash)
          if (reached === null) {
            expect(names).toBeGreaterThan(10)
            return
          }
          names += world.disk.losePower(() => seed % 2 === 0).namesLost
          yield* rowsIn(world)
          yield* SinkWorld.live(world, sink as never, epochs, watching(world))
          yield* expectAll(world)
        }
      }
    })
  )

  it.effect("has every row once after crashes while it recovers from crashes", () =>
    Effect.gen(function* () {
      for (let n = 5; ; n += 7) {
        for (let again = 1; again < 60; again += 4) {
          const world = SinkWorld.make(n)
          const { reached } = yield* until(world, n, () => SinkWorld.crash)
          if (reached === null) return
          yield* until(world, again, () => SinkWorld.crash)
          if (again % 2 === 0) world.disk.losePower(() => true)
          yield* SinkWorld.live(world, sink as never, epochs)
          yield* expectAll(world)
        }
      }
    })
  )

  it.effect("refuses an owner that was paused at any step and overtaken, and nothing that it does is seen", () =>
    Effect.gen(function* () {
      const refusals = new Set<string>()
      for (let n = 1; ; n++) {
        const world = SinkWorld.make(n)
        let seen: unknown = null
        const { exit, reached } = yield* until(world, n, () =>
          Effect.gen(function* () {
            yield* Effect.orDie(SinkWorld.live(world, sink as never, epochs))
            seen = (yield* SinkWorld.read(world, folder)).map(({ path }) => path)
          })
        )
        if (reached === null) break
        if (Exit.isSuccess(exit)) {
          // It had nothing left to do.
          expect(reached).toMatch(/^end$/)
          continue
        }
        const failure = Cause.squash(exit.cause)
        refusals.add(failure === "overtaken" ? failure : (failure as { _tag: string })._tag)
        expect((yield* SinkWorld.read(world, folder)).map(({ path }) => path)).toEqual(seen)
        yield* expectAll(world)
      }
      expect([...refusals].sort()).toEqual(["Fenced", "overtaken"])
    })
  )
})
