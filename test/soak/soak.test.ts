/** What the soak stands on: its schedule, its oracle, its watch, and the clock that it sets. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import { describe, expect, it } from "vitest"
import * as Bank from "./Bank.ts"
import { kindsOf, paths } from "./Paths.ts"
import * as Schedule from "./Schedule.ts"
import * as Watch from "./Watch.ts"

const first = <A>(count: number, all: Iterator<A>): ReadonlyArray<A> =>
  Array.from({ length: count }, () => all.next().value)

describe("the schedule of a soak", () => {
  it("is that of its seed, and has each kind of fault before any comes again", () => {
    for (const path of paths) {
      const kinds = kindsOf(path)
      const drawn = first(200, Schedule.faults(7, path.name, kinds))
      expect(first(200, Schedule.faults(7, path.name, kinds))).toEqual(drawn)
      expect(first(200, Schedule.faults(8, path.name, kinds))).not.toEqual(drawn)
      expect(
        drawn
          .slice(0, kinds.length)
          .map(({ kind }) => kind)
          .sort()
      ).toEqual([...kinds].sort())
      expect(drawn.filter(({ kind }) => kind.startsWith("kill")).length).toBeGreaterThan(120)
    }
  })

  it("has each server die within two minutes", () => {
    const servers = ["kafka", "mariadb", "postgres"] as const
    const drawn = first(servers.length, Schedule.restarts(7, servers))
    expect(drawn.map(({ server }) => server).sort()).toEqual(servers)
    const millis = drawn.reduce((sum, { awayMillis, pauseMillis }) => sum + awayMillis + pauseMillis, 0)
    expect(millis).toBeLessThan(120_000)
  })
})

describe("the watch of a soak", () => {
  it("tells of what falls, of what comes again, and of what does not hold, and of nothing else", () => {
    const heard: Array<string> = []
    const watch = Watch.make((what) => heard.push(what))
    for (const epoch of [1, 2, 2, 3]) watch.neverFalls("epoch", epoch)
    watch.neverFalls("generation", 1)
    for (const id of ["a", "b"]) watch.once("copies", id)
    watch.once("payments", "a")
    watch.holds("a sum", true)
    expect(heard).toEqual([])
    watch.neverFalls("epoch", 2)
    watch.once("copies", "a")
    watch.holds("a sum of 7", false)
    expect(heard).toEqual(["epoch fell from 3 to 2", "copies has a again", "a sum of 7"])
  })
})

describe("the bank of a soak", () => {
  it("is booked as by hand", () => {
    const at = Date.UTC(2020, 0, 1) / 1_000
    const transfer = (id: number, debtor: number, creditor: number, amount: number | string, second: number) =>
      JSON.stringify({ id, debtor, creditor, amount, at: at + second })
    const texts = [
      transfer(1, 0, 1, 10, 0),
      transfer(2, 0, 1, "much", 500),
      transfer(3, 1, 2, 4, 75),
      // The watermark is 70 s: the first minute takes no more.
      transfer(4, 0, 2, 1, 59),
      transfer(5, 0, 1, 5, 60)
    ]
    const other = { partition: 1, offset: 0, text: transfer(6, 0, 0, 3, 59) }
    const records = [...texts.map((text, offset) => ({ partition: 0, offset, text })), other]
    expect(Bank.expectedOf(records)).toEqual({
      records: 6,
      balances: ["0|-16|5", "1|11|3", "2|5|2"],
      booked: ["1|0|1|10", "3|1|2|4", "4|0|2|1", "5|0|1|5", "6|0|0|3"],
      paid: [`0|${at}|13|2`, `1|${at + 60}|4|1`, `0|${at + 60}|5|1`],
      invalid: ["0/1"],
      late: ["0/3"]
    })
  })

  it("makes the transfers of its seed, some of which are none, and some of which are late", () => {
    const made = first(4_000, Bank.transfers(3))
    expect(first(4_000, Bank.transfers(3))).toEqual(made)
    const records = made.map(({ id, partition, text }) => ({ partition, offset: id, text }))
    const { booked, invalid, late, paid } = Bank.expectedOf(records)
    expect(booked.length + invalid.length).toBe(4_000)
    for (const some of [invalid, late, paid]) expect(some.length).toBeGreaterThan(10)
  })
})

describe("the clock of a machine", () => {
  it("is set for a program that runs, and what counts the time that has passed goes on", async () => {
    const home = mkdtempSync(join(tmpdir(), "weir-clock-"))
    const file = join(home, "clock")
    const told = `setInterval(() => console.log(JSON.stringify([
      Date.now(), new Date().getTime(), Date.parse(Date()), new Date(0).getTime(), performance.now()])), 20)`
    writeFileSync(file, "0")
    const preload = pathToFileURL(join(import.meta.dirname, "clock.mjs")).href
    const child = spawn(process.execPath, ["--import", preload, "-e", told], {
      env: { ...process.env, SOAK_CLOCK: file },
      stdio: ["ignore", "pipe", "inherit"]
    })
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const next = async () => JSON.parse((await lines.next()).value) as [number, number, number, number, number]
      const off = async () => (await next())[0] - Date.now()
      expect(Math.abs(await off())).toBeLessThan(30_000)
      const [, , , , before] = await next()
      for (const wanted of [3_600_000, -3_600_000]) {
        writeFileSync(file, String(wanted))
        while (Math.abs((await off()) - wanted) > 30_000);
        const [now, made, said, epoch, passed] = await next()
        expect(made - now).toBeLessThan(1_000)
        expect(Math.abs(said - now)).toBeLessThan(2_000)
        expect(epoch).toBe(0)
        expect(passed - before).toBeLessThan(60_000)
        expect(passed).toBeGreaterThan(before)
      }
    } finally {
      child.kill("SIGKILL")
      rmSync(home, { recursive: true, force: true })
    }
  })
})
