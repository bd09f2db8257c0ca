/** The dashboards that come with Weir, over its jobs at work: what is drawn is what the tables hold. */
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { plant } from "../../fixtures/plant.ts"
import { stocks } from "../../fixtures/stocks.ts"
import { listings } from "../../fixtures/stocks-listings.ts"
import { executablePath, launch, open, unnamed } from "./Browser.ts"
import * as RealDaemon from "./RealDaemon.ts"

let browser: Browser
let daemon: RealDaemon.RealDaemon

/** High enough for all tiles: what is out of sight is not drawn. */
const viewport = { width: 1280, height: 3_000 }
const patience = { timeout: 30_000, interval: 250 }

const visit = async (dashboard: string) => {
  const opened = await open(browser, `${daemon.url}/#/dashboards/${dashboard}`, { viewport })
  opened.page.setDefaultTimeout(patience.timeout)
  return opened
}

/** Every point that a tile's chart holds: its place, then the name of its line or row if it has one, then its value. */
const drawn = (page: Page, tile: string): Promise<ReadonlyArray<string>> =>
  page.evaluate<ReadonlyArray<string>>(`(() => {
    const canvas = document.querySelector('[data-tile="${tile}"] .chart')
    const chart = canvas === null ? undefined : globalThis.echarts?.getInstanceByDom(canvas)
    if (chart === undefined) return []
    const { series, xAxis, yAxis } = chart.getOption()
    const pointOf = (type, name) => (point, i) =>
      type === "heatmap"
        ? [xAxis[0].data[point[0]], yAxis[0].data[point[1]], point[2]]
        : type === "treemap" || type === "wordCloud"
          ? [point.name, point.value]
          : Array.isArray(point)
            ? [new Date(point[0]).toISOString(), name, point[1]]
            : [xAxis[0].data[i], name, point]
    const points = series.flatMap(({ data, name, type }) => data.map(pointOf(type, name)))
    return points.filter((point) => point.at(-1) !== null).map((point) => point.join(" | ")).sort()
  })()`)
const number = (page: Page, tile: string) => page.locator(`[data-tile="${tile}"] .big b`).textContent()

/** The rows of a question as points. */
const wanted = async (sql: string) => (await daemon.rows(sql)).map(pointOf).sort()
const pointOf = (row: ReadonlyArray<string>) =>
  row.map((text, i) => (i === row.length - 1 ? String(Number(text)) : text)).join(" | ")
/** An instant as `new Date(…).toISOString()` says it. */
const instant = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
const minutes = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI')`

const expectDrawn = (page: Page, tile: string, sql: string) =>
  expect
    .poll(async () => {
      const [seen, meant] = [await drawn(page, tile), await wanted(sql)]
      const isMore = seen.filter((point) => !meant.includes(point))
      return { tile, isEmpty: meant.length === 0, isMore, isLess: meant.filter((point) => !seen.includes(point)) }
    }, patience)
    .toEqual({ tile, isEmpty: false, isMore: [], isLess: [] })

/** One number, which is more than nothing. */
const expectNumber = (page: Page, tile: string, sql: string) =>
  expect
    .poll(async () => {
      const [[meant] = ["none"]] = await daemon.rows(sql)
      return { tile, isZero: Number(meant) === 0, meant, isSeen: (await number(page, tile)) === meant }
    }, patience)
    .toMatchObject({ tile, isZero: false, isSeen: true })

const expectFit = async (page: Page) => {
  expect(await unnamed(page)).toEqual([])
  await page.setViewportSize({ width: 390, height: 3_000 })
  await expect.poll(() => page.evaluate("document.documentElement.scrollWidth"), patience).toBe(390)
  await page.setViewportSize(viewport)
}

describe.skipIf(executablePath === undefined)("the dashboards of systems", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    browser = await launch()
    daemon = await RealDaemon.make()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await daemon?.stop()
  }, 60_000)

  it("show the plant: what is awaited, then every tile, then what comes new", async () => {
    const { close, complaints, page } = await visit("plant")
    await page.getByText("weir run plant", { exact: true }).waitFor()
    await page.getByText("Waits for plant_total, which job plant makes.").waitFor()
    await daemon.produce("TFI", plant({ units: 150 }))
    await page.route("**/api/jobs/plant/start", (route) => route.continue({ postData: RealDaemon.oftener }))
    await page.getByRole("button", { name: "Start plant" }).click()
    await page.locator('[data-tile="total"] .big b').waitFor()
    await expect.poll(() => page.getByText("weir run plant").count(), patience).toBe(0)

    const tiles: ReadonlyArray<[tile: string, sql: string]> = [
      ["units-per-hour", `select ${instant("hour")}, 'Units', units from plant_units_per_hour`],
      ["concerns-per-hour", `select ${instant("hour")}, 'Defective units', units from plant_concerns_per_hour`],
      [
        "running-total",
        `select ${instant("hour")}, 'Total', total from plant_running_total
         union all select ${instant("hour")}, 'Plan', plan from plant_running_total where plan is not null`
      ],
      ["daily", "select to_char(day at time zone 'UTC', 'YYYY-MM-DD'), 'Units', units from plant_daily"],
      ["units-per-zone", "select zone_id, 'Units', units from plant_units_per_zone"],
      ["nok-per-zone", "select zone_charged_id, 'Units', units from plant_nok_per_zone"],
      ["nok-per-station", "select collection_point_id, 'Units', units from plant_nok_per_station"],
      [
        "defects",
        `select ${minutes("window_start")}, collection_point_id, fail_count from plant_defects_per_hour_station`
      ]
    ]
    for (const [tile, sql] of tiles) await expectDrawn(page, tile, sql)
    await expectNumber(page, "total", "select total from plant_total")
    await expectNumber(page, "nok", "select nok from plant_nok")
    await expectNumber(page, "throughput", "select round(100 * share::numeric, 1) from plant_throughput")
    await expectNumber(page, "throughput-seen", "select round(100 * share_seen::numeric, 1) from plant_throughput")
    await expectFit(page)

    const before = await number(page, "total")
    await daemon.produce("TFI", plant({ units: 60, seed: 2, start: Date.UTC(2020, 4, 28, 8) }))
    const total = async () => (await daemon.rows("select total from plant_total"))[0]![0]
    await expect.poll(total, patience).not.toBe(before)
    const written = performance.now()
    await expect.poll(() => number(page, "total"), { timeout: 10_000, interval: 100 }).not.toBe(before)
    expect(performance.now() - written).toBeLessThan(10_000)
    await expectNumber(page, "total", "select total from plant_total")
    await expectDrawn(page, "daily", tiles.find(([tile]) => tile === "daily")![1])
    expect(complaints).toEqual([])
    await close()
  })

  it("show the stocks: each chart from its tables, one number or the other, and rows as they arrive", async () => {
    await daemon.write(
      `create table stocks (full_date timestamptz not null, symbol text not null, category text, open numeric,
         high numeric, low numeric, close numeric, volume bigint, ma20 numeric, ma50 numeric, ma100 numeric,
         primary key (full_date, symbol))`,
      `insert into stocks values ${days().join(", ")}`
    )
    await daemon.produce("stocks", stocks({ count: 2_000 }))
    await daemon.start("stocks-average")
    await daemon.start("stocks-windows")
    const { close, complaints, page } = await visit("stocks")
    await expectDrawn(page, "daily", `select ${instant("full_date")}, symbol, close from stocks`)
    await expectDrawn(page, "highest", "select symbol, max(close) from stocks group by 1")
    await expectDrawn(page, "words", "select symbol, max(close) from stocks group by 1")
    await expectDrawn(
      page,
      "categories",
      `select ${instant("full_date")}, case when category is null then 'No category' else category end,
         round(sum(close) / count(*), 4) from stocks group by full_date, category`
    )
    await expectDrawn(page, "averages", "select symbol, 'Avg price', avg_price from stock_averages")
    const top = page.getByRole("table", { name: "Top five by average price" }).locator("tbody tr")
    await expect.poll(() => top.count(), patience).toBe(5)
    const cells = (await top.allInnerTexts()).map((row) => row.split(/\s+/))
    expect(cells).toEqual(await daemon.rows("select rank, symbol, avg_price from stock_top order by rank"))

    await page.getByRole("button", { name: "Ma20" }).press("Enter")
    await expectDrawn(page, "daily", `select ${instant("full_date")}, symbol, ma20 from stocks`)
    await page.getByRole("button", { name: "Max ma100" }).press("Space")
    await expectDrawn(page, "highest", "select symbol, max(ma100) from stocks group by 1")

    const arrived = async () => {
      const points = await drawn(page, "arrivals")
      return points.reduce((sum, point) => sum + Number(point.split(" | ").at(-1)), 0)
    }
    const rows = async () =>
      Number((await daemon.rows("select count(*) from streaming_inserts_avg_price_final"))[0]![0])
    await expect.poll(rows, patience).toBeGreaterThan(0)
    const before = await rows()
    await expect.poll(arrived, patience).toBe(before)
    await daemon.produce("stocks", stocks({ count: 500, seed: 2, start: Date.UTC(2017, 11, 1, 10) }))
    await expect.poll(rows, patience).toBeGreaterThan(before)
    await expect.poll(async () => (await arrived()) - (await rows()), patience).toBe(0)
    const written = new Map<string, number>()
    for (const { cutAt, sinks } of await daemon.progress("stocks-windows")) {
      const minute = new Date(cutAt).toISOString().slice(0, 16).replace("T", " ")
      const found = sinks.find(({ sink }: { sink: string }) => sink === "streaming_inserts_avg_price_final")
      written.set(minute, (written.get(minute) ?? 0) + (found?.rows ?? 0))
    }
    const isSome = (point: string) => !point.endsWith(" | 0")
    expect((await drawn(page, "arrivals")).filter(isSome)).toEqual(
      [...written].map(([minute, count]) => `${minute} | Rows | ${count}`).filter(isSome)
    )
    await expectFit(page)
    expect(complaints).toEqual([])
    await close()
  })
})

/** Rows of `stocks`: ten days of every share, as no real ones are, so that each number is another. */
const days = (): ReadonlyArray<string> =>
  listings.flatMap(({ price, symbol }, share) =>
    Array.from({ length: 10 }, (_, day) => {
      const close = price + day * 1.25 - (share % 3)
      const category = share === 4 ? "null" : `'Category ${share % 14}'`
      const means = [close - 1.5, close - 2.25, close - 3.125].map((mean) => mean.toFixed(4)).join(", ")
      const date = new Date(Date.UTC(2017, 8, 1 + day)).toISOString()
      return `('${date}', '${symbol}', ${category}, 1, 2, 1, ${close.toFixed(2)}, 100, ${means})`
    })
  )
