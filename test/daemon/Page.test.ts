import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ApiServer from "./ApiServer.ts"

const files = readdirSync(ApiServer.pageFolder)
const sources = files.map((file) => [file, readFileSync(`${ApiServer.pageFolder}/${file}`, "utf8")] as const)

const get = (url: string, headers: Record<string, string> = {}) => Effect.promise(() => fetch(url, { headers }))

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8"
}

describe("Page", () => {
  it.scopedLive("serves each of its files with its type", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const index = yield* get(url)
      expect([index.status, index.headers.get("content-type")]).toEqual([200, types.html])
      for (const file of files) {
        const answer = yield* get(`${url}/page/${file}`)
        expect([file, answer.status, answer.headers.get("content-type")]).toEqual([
          file,
          200,
          types[file.split(".")[1]!]
        ])
      }
    })
  )

  it.scopedLive("tells a browser that asks again that nothing changed", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start()
      const first = yield* get(`${url}/page/page.js`)
      const etag = first.headers.get("etag")!
      expect(first.headers.get("cache-control")).toBe("no-cache")
      const again = yield* get(`${url}/page/page.js`, { "if-none-match": etag })
      expect([again.status, yield* Effect.promise(() => again.text())]).toEqual([304, ""])
      expect((yield* get(`${url}/page/page.js`, { "if-none-match": '"other"' })).status).toBe(200)
      expect((yield* get(`${url}/page/page.css`)).headers.get("etag")).not.toBe(etag)
    })
  )

  it.scopedLive("asks for no token, so that it can ask the person", () =>
    Effect.gen(function* () {
      const { url } = yield* ApiServer.start({ token: "t" })
      expect((yield* get(url)).status).toBe(200)
      expect((yield* get(`${url}/page/page.js`)).status).toBe(200)
    })
  )

  it("loads nothing from anywhere else", () => {
    for (const [file, text] of sources) {
      const addresses = (text.match(/https?:\/\/[^\s"'`)]+/g) ?? []).filter(
        (address) => address !== "http://www.w3.org/2000/svg"
      )
      expect([file, addresses]).toEqual([file, []])
    }
  })

  it("imports only files that are there", () => {
    for (const [file, text] of sources) {
      for (const [, imported] of text.matchAll(/from "\.\/([^"]+)"/g))
        expect([file, files]).toEqual([file, expect.arrayContaining([imported])])
    }
  })

  it("has an element for every id that its modules ask for", () => {
    const html = readFileSync(`${ApiServer.pageFolder}/index.html`, "utf8")
    const ids = sources.flatMap(([, text]) => [...text.matchAll(/byId\("([^"]+)"\)/g)].map((match) => match[1]!))
    expect(ids.length).toBeGreaterThan(10)
    for (const id of ids) expect(html).toContain(`id="${id}"`)
  })

  it("keeps script and style out of its markup, as its policy demands", () => {
    const html = readFileSync(`${ApiServer.pageFolder}/index.html`, "utf8")
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=/)
    for (const [, text] of sources) expect(text).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|eval\(/)
  })
})
