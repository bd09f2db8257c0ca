/** A folder that is equal to the result of the last run that came to its end, on a real disk. */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"
import { Files } from "../../../src/connectors/files/index.ts"
import * as SinkWorld from "./SinkWorld.ts"

const Row = Schema.Struct({ id: Schema.Int, year: Schema.Int })
const result = (first: number): ReadonlyArray<unknown> =>
  Array.from({ length: 6 }, (_, i) => ({ id: first + i, year: 2017 + (i % 2) }))

interface Given {
  readonly world: SinkWorld.SinkWorld
  readonly parent: string
  readonly folder: string
  readonly sink: never
  /** The numbers of the rows that a reader finds. */
  readonly ids: Effect.Effect<ReadonlyArray<number>>
}

const inFolder = <A>(body: (given: Given) => Effect.Effect<A, unknown, FileSystem.FileSystem>) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const parent = yield* files.makeTempDirectoryScoped({ prefix: "weir-replace-" })
    const folder = `${parent}/out`
    const world = SinkWorld.on(NodeContext.layer)
    const sink = Files.toJsonLines(folder, Row, { by: ["year"], replace: true }) as never
    const ids = Effect.map(SinkWorld.read(world, folder), (found) =>
      found
        .flatMap(({ bytes }) => new TextDecoder().decode(bytes).trimEnd().split("\n"))
        .map((line) => (JSON.parse(line) as { readonly id: number }).id)
        .sort((a, b) => a - b)
    )
    return yield* body({ world, parent, folder, sink, ids })
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const numbers = (first: number): ReadonlyArray<number> => Array.from({ length: 6 }, (_, i) => first + i)

describe("a folder that is replaced", () => {
  it.live("is the result of each run, and nothing of the one before", () =>
    inFolder(({ folder, ids, parent, sink, world }) =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        for (const first of [0, 10, 20]) {
          SinkWorld.beginAnew(world)
          yield* SinkWorld.live(world, sink, [result(first)])
          expect(yield* ids).toEqual(numbers(first))
        }
        SinkWorld.beginAnew(world)
        yield* SinkWorld.live(world, sink, [[]])
        expect(yield* ids).toEqual([])
        expect(yield* files.readLink(folder)).toBe(".out.weir/_versions/5-1")
        expect((yield* files.readDirectory(`${parent}/.out.weir/_versions`)).sort()).toEqual(["4-1", "5-1"])
      })
    )
  )

  it.live("is the old result or the new one after a crash at any step, and the next run makes it the newest", () =>
    inFolder(({ ids, sink, world }) =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        yield* SinkWorld.live(world, sink, [result(0)])
        let before = 0
        for (let n = 1; ; n++) {
          SinkWorld.beginAnew(world)
          let steps = 0
          let reached: string | null = null
          yield* Effect.exit(
            SinkWorld.live(world, sink, [result(n * 100)], (step) =>
              Effect.gen(function* () {
                expect([before, n * 100]).toContain((yield* ids)[0])
                if (++steps === n) {
                  reached = step
                  yield* SinkWorld.crash
                }
              })
            )
          )
          const found = yield* ids
          expect([numbers(before), numbers(n * 100)]).toContainEqual(found)
          seen.add(found[0] === before ? "old" : "new")
          before = found[0]!
          if (reached === null) break
        }
        expect([...seen].sort()).toEqual(["new", "old"])
      })
    )
  )

  it.live("is not touched by a run that another has overtaken", () =>
    inFolder(({ ids, sink, world }) =>
      Effect.gen(function* () {
        yield* SinkWorld.live(world, sink, [result(0)])
        const refusals = new Set<string>()
        for (let n = 1; ; n++) {
          SinkWorld.beginAnew(world)
          let steps = 0
          let reached: string | null = null
          const exit = yield* Effect.exit(
            SinkWorld.live(world, sink, [result(1)], (step) =>
              Effect.suspend(() => {
                if (++steps !== n) return Effect.void
                reached = step
                SinkWorld.beginAnew(world)
                return Effect.orDie(SinkWorld.live(world, sink, [result(n * 100)]))
              })
            )
          )
          if (reached === null) break
          expect(yield* ids).toEqual(numbers(n * 100))
          if (Exit.isSuccess(exit)) expect(reached).toBe("end")
          else {
            const failure = Cause.squash(exit.cause)
            refusals.add(failure === "overtaken" ? failure : (failure as { _tag: string })._tag)
          }
        }
        expect([...refusals].filter((tag) => !["Fenced", "OtherLineage", "overtaken"].includes(tag))).toEqual([])
        expect(refusals.size).toBeGreaterThan(1)
      })
    )
  )

  it.live("is refused where it is there and was made by somebody else, and nothing of it is touched", () =>
    inFolder(({ folder, sink, world }) =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        yield* files.makeDirectory(folder)
        yield* files.writeFileString(`${folder}/mine`, "mine")
        const error = yield* Effect.flip(SinkWorld.live(world, sink, [result(0)]))
        expect(error).toMatchObject({ _tag: "StorageFailed", hint: expect.stringContaining("move this one away") })
        expect(yield* files.readFileString(`${folder}/mine`)).toBe("mine")
      })
    )
  )

  it.live("is gone when it is cleared, with all that was kept beside it", () =>
    inFolder(({ folder, parent, world }) =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const sink = Files.toJsonLines(folder, Row, { replace: true })
        yield* SinkWorld.live(world, sink as never, [result(0)])
        yield* Effect.provide(sink.clear!("job"), NodeContext.layer)
        expect(yield* files.readDirectory(parent)).toEqual([])
      })
    )
  )
})
