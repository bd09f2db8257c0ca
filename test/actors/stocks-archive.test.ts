/** The archive of prices: in worlds where everything goes wrong, and its files against an oracle that knows nothing of Weir. */
import { readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { parquetMetadata, parquetReadObjects } from "hyparquet"
import archive from "../../actors/stocks-archive.ts"
import { stocks } from "../../fixtures/stocks.ts"
import { expectedOf } from "../../fixtures/stocks-oracle.ts"
import { Faults, Simulate } from "../../src/testing/index.ts"
import { inProcess } from "../cli/in-process.ts"
import { newFolder } from "../cli/program.ts"
import { isThorough } from "../Thorough.ts"

const timeout = 240_000

const values = [...stocks({ count: 400, malformed: 0.03 })].flatMap(({ records }) => records.map(({ value }) => value))

describe("the archive of prices", () => {
  it.effect(
    "is the same files, byte for byte, however often it is killed",
    () =>
      Effect.map(
        Simulate.job(archive, {
          input: { stocks: values },
          partitions: 1,
          set: { trigger: "1 second" },
          seeds: isThorough ? 12 : 4,
          faults: Faults.except("stalled topic")
        }),
        ({ replays, struck }) => {
          expect(struck.kill + struck["power loss"]).toBeGreaterThanOrEqual(8)
          expect(replays).toBeGreaterThan(0)
        }
      ),
    timeout
  )

  it(
    "holds every price once, in the folder of its minute, with all its digits",
    async () => {
      const data = newFolder()
      try {
        const environment = { WEIR_DATA: data }
        const said = async (...words: ReadonlyArray<string>): Promise<string> => {
          const { code, err, out } = await inProcess(words, { environment })
          expect([code, err]).toEqual([0, expect.not.stringContaining("failed")])
          return out
        }
        await said("generate", "stocks", "--rate", "max", "--count", "600", "--set", "malformed=0.03")
        await said("run", "stocks-archive", "--available-now", "--set", "maxPerEpoch=100")
        await said("generate", "stocks", "--rate", "max", "--count", "300", "--seed", "9")
        await said("run", "stocks-archive", "--available-now", "--final")
        const came = (await said("tail", "stocks")).trim().split("\n")
        const encoder = new TextEncoder()
        const { prices, unusable } = expectedOf(
          [came.map((line) => encoder.encode(line.split("\t").slice(4).join("\t")))],
          30_000
        )
        expect([came.length, unusable]).toEqual([900, expect.any(Number)])
        expect(unusable).toBeGreaterThan(5)
        const expected = prices.map(
          ({ at, symbol, thousandths, volume }) => `${minuteOf(at)} ${symbol} ${at} ${thousandths} ${volume}`
        )
        expect((await rowsIn(join(data, "out/stocks-archive"))).sort()).toEqual(expected.sort())
      } finally {
        rmSync(data, { recursive: true, force: true })
      }
    },
    timeout
  )
})

const minuteOf = (at: number): string => {
  const date = new Date(at)
  const parts = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes()
  ]
  return ["year", "month", "day", "hour", "minute"].map((name, i) => `${name}=${parts[i]}`).join("/")
}

const rowsIn = async (folder: string): Promise<Array<string>> => {
  const rows: Array<string> = []
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith(".parquet")) continue
    const below = entry.parentPath.slice(folder.length + 1)
    const bytes = readFileSync(join(entry.parentPath, entry.name))
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    const metadata = parquetMetadata(file)
    // As they are stored: a reader that makes doubles of decimals shows nothing of their digits.
    const schema = metadata.schema.map(({ converted_type, logical_type, ...element }) =>
      converted_type === "UTF8" ? { ...element, converted_type } : element
    )
    for (const row of await parquetReadObjects({ file, metadata: { ...metadata, schema } }))
      rows.push(`${below} ${row.symbol} ${row.timestamp} ${row.price} ${row.volume}`)
  }
  return rows
}
