import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { inProcess } from "./in-process.ts"

const home = mkdtempSync(join(tmpdir(), "weir-waiting-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))
const environment = { WEIR_DATA: join(home, "data") }

it("weir explain makes no data folder, and says of a checkpoint which partition each open window waits for", async () => {
  expect((await inProcess(["explain", "orders"], { environment })).out).not.toContain("What it waits for")
  expect(existsSync(environment.WEIR_DATA)).toBe(false)
  await inProcess(["generate", "orders", "--count", "400", "--rate", "max"], { environment })
  await inProcess(["run", "orders", "--available-now"], { environment })
  const { code, out } = await inProcess(["explain", "orders"], { environment })
  expect(code).toBe(0)
  const told = out.split("What it waits for\n\n")[1]!
  expect(told).toMatch(/^eventTime: watermark \d{4}-\S+Z$/m)
  expect(told.match(/^ {2}orders\/\d: has come to \S+Z, watermark \S+Z/gm)!.length).toBe(4)
  expect(told).toMatch(/^income: \d+ open windows?, watermark /m)
  expect(told).toMatch(
    /^ {2}\S+Z to \S+Z, \d+ rows: waits for the watermark of orders\/\d to come to \S+Z, [\d.]+ s of event time from now$/m
  )
  const { waiting } = JSON.parse((await inProcess(["explain", "orders", "--format", "json"], { environment })).out)
  expect(waiting.map(({ node }: { node: string }) => node)).toEqual(["eventTime", "income"])
  const [time] = waiting
  const least = Math.min(...time.waiting.partitions.map(({ watermark }: { watermark: number }) => watermark))
  expect(time.waiting.watermark).toBe(least)
}, 90_000)
