import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import type { Browser, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { executablePath, launch, type Opened, open, type Served, serve, unnamed } from "./Browser.ts"

let browser: Browser
let served: Served
let folder = ""
let opened: Opened
let page: Page

const visit = async (hash: string, options: Parameters<typeof open>[2] = {}) => {
  opened = await open(browser, `${served.world.url}/${hash}`, options)
  page = opened.page
  await page.getByText("Live", { exact: true }).waitFor()
}
const widthOfContent = () => page.evaluate<number>("document.documentElement.scrollWidth")
const focused = (what: "id" | "textContent" | "ariaLabel") => page.evaluate<string>(`document.activeElement.${what}`)
const goTo = (hash: string) => page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
const dashboard = (tiles: ReadonlyArray<object>) => ({ version: 1, title: "Sales", tiles })
const tile = (id: string, type: string, more: object = {}) => ({
  id,
  title: `Tile ${id}`,
  sql: "select window_start, sum(gross_income) from shop_item_income group by 1",
  chart: { type, x: "at", values: ["total"], by: null, stacked: false },
  width: 2,
  height: 1,
  ...more
})
const keep = (name: string, value: object) =>
  fetch(`${served.world.url}/api/dashboards/${name}`, { method: "PUT", body: JSON.stringify(value) })
const kept = (name: string) => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"))

describe.skipIf(executablePath === undefined)("the page in a browser", { timeout: 20_000 }, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "weir-page-"))
    browser = await launch()
  }, 30_000)
  afterAll(async () => {
    await browser.close()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    served = await serve({ dashboardsFolder: folder })
  })
  afterEach(async () => {
    await opened.close()
    await served.stop()
    for (const file of readdirSync(folder)) rmSync(join(folder, file))
  })

  const views = [
    "#/",
    "#/jobs/orders",
    "#/jobs/stocks-average",
    "#/sql",
    "#/dashboards",
    "#/dashboards/sales",
    "#/topics/orders"
  ]

  it.each(["light", "dark"] as const)(
    "opens every view in %s without a complaint and without a control that has no name",
    async (colorScheme) => {
      await keep(
        "sales",
        dashboard([tile("a", "line"), tile("b", "treemap"), tile("c", "wordcloud"), tile("d", "table")])
      )
      await visit("#/", { colorScheme })
      for (const view of views) {
        await goTo(view)
        await page.waitForTimeout(150)
        expect([view, await unnamed(page)]).toEqual([view, []])
      }
      expect(opened.complaints).toEqual([])
      const ground = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor")
      const red = Number(/\d+/.exec(ground)![0])
      expect(red < 128).toBe(colorScheme === "dark")
    }
  )

  it("needs no sideways scrolling at 390 pixels", async () => {
    await keep("sales", dashboard([tile("a", "line"), tile("b", "number"), tile("d", "table")]))
    await visit("#/", { viewport: { width: 390, height: 844 }, reducedMotion: "reduce" })
    for (const view of views) {
      await goTo(view)
      await page.waitForTimeout(250)
      expect([view, await widthOfContent()]).toEqual([view, 390])
    }
    expect(opened.complaints).toEqual([])
  })

  it("opens the only job that has begun, and shows what it makes by window", async () => {
    opened = await open(browser, "about:blank")
    page = opened.page
    await page.route("**/api/jobs", async (route) => {
      const answer = await route.fetch()
      const jobs: ReadonlyArray<{ readonly job: string }> = await answer.json()
      const json = jobs.map((one) => (one.job === "orders" ? one : { ...one, state: "stopped", epoch: 0 }))
      expect(json.length).toBeGreaterThan(1)
      await route.fulfill({ response: answer, json })
    })
    await page.goto(served.world.url)
    await page.getByRole("heading", { level: 1, name: "orders" }).waitFor()
    const chart = page.getByRole("img", { name: "Gross income of shop_item_income by window, bar chart" })
    await chart.waitFor()
    await page.locator("#result summary").click()
    const newest = page.locator("#result tbody tr").last()
    const before = await newest.textContent()
    await served.tick()
    await newest.filter({ hasNotText: before! }).waitFor()
    await page.getByRole("link", { name: "Jobs", exact: true }).first().click()
    await page.getByRole("row", { name: /orders/ }).waitFor()
  })

  it("follows epochs and states without being loaded again", async () => {
    await visit("#/")
    const row = page.getByRole("row", { name: /orders/ })
    await row.getByText("41", { exact: true }).waitFor()
    await served.tick()
    await row.getByText("42", { exact: true }).waitFor()
    await Effect.runPromise(served.world.setState("orders", "paused"))
    await row.getByText("paused").waitFor()
    await row.getByRole("link").click()
    await page.getByRole("heading", { level: 1, name: "orders" }).waitFor()
    await Effect.runPromise(served.world.setState("orders", "running"))
    await served.tick()
    await page.locator("#recent").getByRole("cell", { name: "43", exact: true }).waitFor()
    expect(opened.requests.filter((path) => path === "/")).toHaveLength(1)
  })

  it("loads the chart library only for charts, and gives each a table and a sentence", async () => {
    await visit("#/")
    await page.getByRole("link", { name: "stocks-archive" }).waitFor()
    expect(opened.requests.filter((path) => path.includes("echarts"))).toEqual([])
    await page.getByRole("link", { name: "orders" }).click()
    const chart = page.getByRole("img", { name: /^Input rate, rows per second: 40 points, the last: Input [\d,]+$/ })
    await chart.scrollIntoViewIfNeeded()
    await chart.locator("canvas").waitFor()
    expect(opened.requests.filter((path) => path.includes("echarts"))).toEqual(["/page/echarts-5.6.0.js"])
    const figure = page.getByRole("figure").filter({ hasText: "Input rate" })
    await figure.getByText("As a table").click()
    await expect.poll(() => figure.getByRole("row").count()).toBe(41)
    await served.tick()
    await page.getByRole("img", { name: /^Input rate, rows per second: 41 points/ }).waitFor()
    expect(opened.complaints).toEqual([])
  })

  it("controls a job, says what was refused, and asks before it resets", async () => {
    await visit("#/jobs/orders")
    await page.getByRole("button", { name: "Stop" }).click()
    await page.locator("#job-state").getByText("stopped").waitFor()
    await page.route("**/start", (route) =>
      route.fulfill({
        status: 409,
        json: { error: { tag: "InvalidJob", message: "Job orders is held", hint: "Ask again." } }
      })
    )
    await page.getByRole("button", { name: "Start" }).click()
    await page.getByRole("alert").filter({ hasText: "Job orders is heldAsk again." }).waitFor()
    await page.unroute("**/start")
    await page.getByRole("button", { name: "Reset…" }).click()
    const dialog = page.getByRole("dialog", { name: "Reset orders?" })
    await dialog.waitFor()
    await page.keyboard.press("Escape")
    await dialog.waitFor({ state: "detached" })
    expect(opened.requests.filter((path) => path.endsWith("/reset"))).toEqual([])
    expect(await focused("textContent")).toBe("Reset…")
    await page.getByRole("button", { name: "Reset…" }).click()
    await dialog.getByLabel("Remove the rows of its tables too").check()
    await dialog.getByRole("button", { name: "Reset" }).click()
    await page.getByText("Table shop_item_income is empty.").waitFor()
    await page.getByRole("button", { name: "Start" }).click()
    await page.locator("#job-state").getByText("running").waitFor()
  })

  it("pauses and resumes a job, keeps a savepoint and goes on from it", async () => {
    await visit("#/jobs/orders")
    const state = page.locator("#job-state")
    await page.getByRole("button", { name: "Pause" }).click()
    await state.getByText("paused").waitFor()
    await page.getByRole("button", { name: "Resume" }).click()
    await state.getByText("running").waitFor()
    await page.getByRole("button", { name: "Savepoint…" }).click()
    await page.getByRole("dialog", { name: "Savepoint of orders" }).getByLabel("Name").fill("before")
    await page.keyboard.press("Enter")
    await page.getByText("The savepoint before is taken, of epoch 41.").waitFor()
    await page.getByRole("table", { name: "Savepoints, the newest first" }).getByText("before").waitFor()
    await page.getByRole("button", { name: "Stop" }).click()
    await page.getByRole("button", { name: "Go on from savepoint before" }).click()
    const dialog = page.getByRole("dialog", { name: "Go on from before?" })
    await dialog.getByRole("button", { name: "Go on from here" }).click()
    await page.getByText("From before, with the rows.").waitFor()
    await page.getByText("What a start of this code would do").click()
    await page.getByRole("cell", { name: "goes on with its state" }).waitFor()
    await page.getByRole("button", { name: "Remove savepoint before" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click()
    await page.getByText("The savepoint before is removed.").waitFor()
    expect(opened.complaints).toEqual([])
  })

  it("says which partition holds the watermark, and which windows wait for it", async () => {
    await visit("#/jobs/orders")
    await page.getByText(/held by orders \/ 2 since/).waitFor()
    const row = page
      .getByRole("table", { name: "Partitions of the last epoch" })
      .getByRole("row", { name: /orders \/ 2/ })
    await row.getByText("holds", { exact: true }).waitFor()
    await page.getByRole("cell", { name: "income (2 open)" }).waitFor()
  })

  it("completes a query by the keyboard alone, and runs it", async () => {
    await visit("#/sql")
    await page.locator("#catalog-tree").getByText("shop_item_income", { exact: true }).first().waitFor()
    const text = page.getByRole("textbox", { name: "SQL" })
    const list = page.getByRole("listbox", { name: "Completions" })
    await text.focus()
    await page.keyboard.type("select * from sho")
    await list.getByRole("option", { name: /shop_item_income/, selected: true }).waitFor()
    await page.keyboard.press("Tab")
    expect(await text.inputValue()).toBe("select * from shop_item_income")
    await page.keyboard.type(" where window_")
    await list.getByRole("option", { name: /window_start/, selected: true }).waitFor()
    expect(await text.getAttribute("aria-activedescendant")).toBe("completion-0")
    await page.keyboard.press("ArrowDown")
    await list.getByRole("option", { name: /window_end/, selected: true }).waitFor()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    expect(await text.inputValue()).toBe("select * from shop_item_income where window_start")
    await page.keyboard.type(" > gro")
    await list.waitFor()
    await page.keyboard.press("Escape")
    await list.waitFor({ state: "hidden" })
    await page.keyboard.press("Tab")
    expect(await focused("id")).toBe("sql-run")
    await text.focus()
    await page.keyboard.press("Control+Enter")
    await page.getByText(/^20 rows in/).waitFor()
    expect(opened.complaints).toEqual([])
  })

  it("sorts an answer by a column and says what is wrong with a query", async () => {
    await visit("#/sql")
    const text = page.getByRole("textbox", { name: "SQL" })
    await text.fill("select * from shop_item_income limit 9")
    await page.keyboard.press("Control+Enter")
    const result = page.getByRole("table", { name: "Result of the query" })
    const first = result.getByRole("row").nth(1).getByRole("cell")
    await page.getByRole("button", { name: "itemid" }).click()
    expect(await first.nth(2).textContent()).toBe("11")
    await page.getByRole("button", { name: "itemid" }).click()
    expect(await first.nth(2).textContent()).toBe("13")
    expect(await result.locator("th[aria-sort]").getAttribute("aria-sort")).toBe("descending")
    await text.fill("select 1 from nowhere")
    await page.getByRole("button", { name: "Run" }).click()
    await page.getByRole("alert").filter({ hasText: "relation does not exist`weir query` lists tables" }).waitFor()
  })

  it("saves a chart as a tile that is there after the daemon was started again", async () => {
    await visit("#/sql")
    await page
      .getByRole("textbox", { name: "SQL" })
      .fill("select window_start, sum(gross_income) from shop_item_income group by 1")
    await page.keyboard.press("Control+Enter")
    await page.getByRole("button", { name: "Line" }).click()
    await page.getByRole("img", { name: /^Result of the query, line chart: 30 points/ }).waitFor()
    await page.getByRole("button", { name: "Save as tile…" }).click()
    const dialog = page.getByRole("dialog", { name: "Save as tile" })
    await dialog.getByLabel("Title of the tile").fill("Income")
    await dialog.getByLabel("Name of the dashboard").fill("Ünsere Zahlen")
    await dialog.getByRole("button", { name: "Save" }).click()
    await page.getByRole("link", { name: "Ünsere Zahlen" }).click()
    await page
      .getByRole("img", { name: /^Income, line chart: 30 points/ })
      .locator("canvas")
      .waitFor()
    expect(
      kept("unsere-zahlen").tiles.map((of: any) => [of.title, of.chart.type, of.chart.x, of.chart.values])
    ).toEqual([["Income", "line", "at", ["total"]]])
    const { port } = served.world
    await served.stop()
    await page.getByText("The daemon does not answer: trying again").waitFor()
    served = await serve({ dashboardsFolder: folder, port })
    await page.getByText("Live", { exact: true }).waitFor()
    await page.reload()
    await page
      .getByRole("img", { name: /^Income, line chart: 30 points/ })
      .locator("canvas")
      .waitFor()
  })

  it("asks a tile's query again at an epoch, and not while nobody looks", async () => {
    await keep("sales", dashboard([tile("a", "number")]))
    await visit("#/dashboards/sales")
    const asked = () => page.locator("[data-tile=a]").getAttribute("data-asked").then(Number)
    await page.locator("[data-tile=a][data-asked='1']").waitFor()
    const began = performance.now()
    await served.tick()
    await page.locator("[data-tile=a][data-asked='2']").waitFor({ timeout: 5_000 })
    expect(performance.now() - began).toBeLessThan(5_000)
    await page.waitForTimeout(1_000)
    await page.evaluate('Object.defineProperty(document, "hidden", { get: () => true, configurable: true })')
    await served.tick()
    await page.waitForTimeout(1_500)
    expect(await asked()).toBe(2)
  })

  it("changes a tile by the keyboard: wider, later, another chart, removed", async () => {
    await keep("sales", dashboard([tile("a", "line", { width: 1 }), tile("b", "number", { width: 1 })]))
    await visit("#/dashboards/sales")
    const button = page.getByRole("button", { name: "Change Tile a" })
    await button.focus()
    await page.keyboard.press("ArrowDown")
    await page.getByRole("menuitem", { name: "Rename…" }).waitFor()
    expect(await focused("textContent")).toBe("Rename…")
    await page.keyboard.press("End")
    expect(await focused("textContent")).toBe("Remove…")
    await page.keyboard.press("Escape")
    expect(await button.getAttribute("aria-expanded")).toBe("false")
    const choose = async (name: string) => {
      await button.press("Enter")
      await page.getByRole("menuitem", { name }).press("Enter")
    }
    await choose("Wider")
    await expect.poll(() => kept("sales").tiles[0].width).toBe(2)
    await choose("Move later")
    await expect.poll(() => kept("sales").tiles.map((of: any) => of.id)).toEqual(["b", "a"])
    // It is kept first, then shown, and the menu's button has the focus again.
    await page.locator("[data-tile=b] + [data-tile=a]").waitFor()
    await expect.poll(() => focused("ariaLabel")).toBe("Change Tile a")
    await choose("Change chart")
    await page.locator("[data-tile=a]").getByRole("button", { name: "Bar" }).click()
    await expect.poll(() => kept("sales").tiles[1].chart.type).toBe("bar")
    await page.getByRole("img", { name: /^Tile a, bar chart/ }).waitFor()
    await choose("Remove…")
    await page.getByRole("dialog", { name: "Remove Tile a?" }).getByRole("button", { name: "Remove" }).click()
    await expect.poll(() => kept("sales").tiles.map((of: any) => of.id)).toEqual(["b"])
    expect(opened.complaints).toEqual([])
  })

  it("offers the charts of a tile as soon as its answer is there", async () => {
    await keep("sales", dashboard([tile("a", "number")]))
    await visit("#/dashboards")
    let answered = () => {}
    const held = new Promise<void>((resolve) => (answered = resolve))
    await page.route("**/api/query", async (route) => {
      await held
      await route.continue()
    })
    await goTo("#/dashboards/sales")
    await page.getByRole("button", { name: "Change Tile a" }).press("Enter")
    await page.getByRole("menuitem", { name: "Change chart" }).press("Enter")
    answered()
    await page.locator("[data-tile=a]").getByRole("button", { name: "Bar" }).waitFor()
    await page.unroute("**/api/query")
  })

  it("takes a dashboard out to a file and in again, and refuses what is none", async () => {
    await keep("sales", dashboard([tile("a", "number")]))
    await visit("#/dashboards/sales")
    const downloading = page.waitForEvent("download")
    await page.getByRole("button", { name: "Export" }).click()
    const download = await downloading
    expect(download.suggestedFilename()).toBe("sales.json")
    const buffer = readFileSync(await download.path())
    await page.getByRole("link", { name: "All dashboards" }).click()
    const bring = async (content: Buffer) => {
      const choosing = page.waitForEvent("filechooser")
      await page.getByRole("button", { name: "Import…" }).click()
      await (await choosing).setFiles({ name: "sales.json", mimeType: "application/json", buffer: content })
    }
    await bring(Buffer.from('{"title": "None"}'))
    await page.getByRole("alert").filter({ hasText: "is missing" }).waitFor()
    await bring(buffer)
    await page.waitForURL(/#\/dashboards\/sales-2$/)
    await expect.poll(() => kept("sales-2")).toEqual(kept("sales"))
  })

  it("shows the tail of a topic, followed and searched", async () => {
    await visit("#/topics/orders")
    await page.getByRole("cell", { name: '{"n":399}' }).waitFor()
    await fetch(`${served.world.url}/api/topics/orders?partition=0`, { method: "POST", body: '{"n":"fresh"}' })
    await page.getByRole("cell", { name: '{"n":"fresh"}' }).waitFor()
    await page.getByRole("searchbox").fill("fresh")
    expect(await page.locator("#tail-records tbody tr").count()).toBe(1)
  })

  it("asks for the daemon's token, once more if it is wrong, and shows nothing before", async () => {
    await served.stop()
    served = await serve({ dashboardsFolder: folder, token: "right" })
    opened = await open(browser, `${served.world.url}/#/jobs/orders`)
    page = opened.page
    const field = page.getByLabel("This daemon asks for its token (WEIR_TOKEN).")
    await field.fill("wrong")
    await page.keyboard.press("Enter")
    await expect.poll(() => field.inputValue()).toBe("")
    await field.waitFor()
    expect(await page.getByRole("heading", { level: 1 }).count()).toBe(0)
    await field.fill("right")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { level: 1, name: "orders" }).waitFor()
    await page.getByText("Live", { exact: true }).waitFor()
  })
})
