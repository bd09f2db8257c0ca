import { spawn } from "node:child_process"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")

/** Sends each signal as soon as the program has said the word before it; answers how it ended. */
const ended = (signals: ReadonlyArray<readonly [after: string, signal: NodeJS.Signals]>) =>
  new Promise<{ code: number | null; millis: number }>((resolve) => {
    const child = spawn(join(root, "node_modules/.bin/bun"), [join(import.meta.dirname, "slow-drain.ts")])
    const left = [...signals]
    let at = performance.now()
    child.stderr.on("data", (piece) => {
      while (left.length > 0 && String(piece).includes(left[0]![0])) {
        at = performance.now()
        child.kill(left.shift()![1])
      }
    })
    child.on("close", (code) => resolve({ code, millis: performance.now() - at }))
  })

describe("An interrupt", { timeout: 30_000 }, () => {
  it.concurrent.each(["SIGINT", "SIGTERM"] as const)(
    "lets a program drain; a second one, %s, ends it at once",
    async (signal) => {
      const { code, millis } = await ended([
        ["runs", "SIGINT"],
        ["drains", signal]
      ])
      expect(code).toBe(130)
      expect(millis).toBeLessThan(2_000)
    }
  )

  it.concurrent("ends a program within ten seconds, whatever it still does", async () => {
    const { code, millis } = await ended([["runs", "SIGINT"]])
    expect(code).toBe(130)
    expect(millis).toBeGreaterThan(5_000)
    expect(millis).toBeLessThan(10_000)
  })
})
