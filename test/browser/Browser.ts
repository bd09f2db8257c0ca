/** A daemon over a fake world and the system's Chromium, for tests of the page. */
import { existsSync } from "node:fs"
import { Effect, Exit, Scope } from "effect"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import * as ApiServer from "../daemon/ApiServer.ts"

const places = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/opt/google/chrome/chrome"
]
/** Where Chromium is; `undefined`: nowhere that is known. */
export const executablePath: string | undefined = places.find((place) => place !== "" && existsSync(place))

if (executablePath === undefined)
  process.stderr.write("The page is not tested in a browser: no Chromium was found (CHROMIUM=<path> names one).\n")

export const launch = (): Promise<Browser> => chromium.launch({ executablePath: executablePath ?? "", headless: true })

type Started = Effect.Effect.Success<ReturnType<typeof ApiServer.start>>

/** A daemon that lives until `stop`. */
export interface Served {
  readonly world: Started
  readonly tick: () => Promise<void>
  readonly stop: () => Promise<void>
}

export const serve = async (options: Parameters<typeof ApiServer.start>[0] = {}): Promise<Served> => {
  const scope = await Effect.runPromise(Scope.make())
  const world = await Effect.runPromise(Scope.extend(ApiServer.start(options), scope))
  return {
    world,
    tick: () => Effect.runPromise(world.tick),
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** A page in a context of its own, with everything that its console complained of. */
export interface Opened {
  readonly page: Page
  readonly complaints: ReadonlyArray<string>
  readonly requests: ReadonlyArray<string>
  readonly close: () => Promise<void>
}

export const open = async (browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  context.setDefaultTimeout(8_000)
  const page = await context.newPage()
  const complaints: Array<string> = []
  const requests: Array<string> = []
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text())
  })
  page.on("pageerror", (error) => complaints.push(error.message))
  page.on("request", (request) => requests.push(new URL(request.url()).pathname))
  await page.goto(url)
  return { page, complaints, requests, close: () => context.close() }
}

/** Controls that a screen reader meets without a name, by the browser's own accessibility tree. */
export const unnamed = async (page: Page): Promise<ReadonlyArray<string>> => {
  const session = await page.context().newCDPSession(page)
  const { nodes } = await session.send("Accessibility.getFullAXTree")
  const controls = [
    "button",
    "link",
    "textbox",
    "searchbox",
    "combobox",
    "checkbox",
    "menuitem",
    "option",
    "image",
    "region",
    "dialog",
    "listbox",
    "table"
  ]
  const found = nodes.filter(
    (node) => !node.ignored && controls.includes(node.role?.value ?? "") && (node.name?.value ?? "").trim() === ""
  )
  await session.detach()
  return found.map((node) => `${node.role?.value} ${node.nodeId}`)
}
