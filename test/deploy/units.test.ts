/** The units of systemd: by systemd's own check where it is there, and by what the program does. */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { drainMillisMax } from "../../src/model/Limits.ts"

const folder = join(import.meta.dirname, "../../deploy/systemd")
const settingOf = (unit: string, name: string): string | undefined =>
  readFileSync(join(folder, unit), "utf8")
    .split("\n")
    .findLast((line) => line.startsWith(`${name}=`))
    ?.slice(name.length + 1)

const copies = mkdtempSync(join(tmpdir(), "weir-units-"))
afterAll(() => rmSync(copies, { recursive: true, force: true }))
const isThere = spawnSync("systemd-analyze", ["--version"]).status === 0

describe("Units of systemd", { timeout: 60_000 }, () => {
  it.skipIf(!isThere).each(readdirSync(folder))("systemd finds nothing wrong with %s", (unit) => {
    cpSync(folder, copies, { recursive: true })
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", join(copies, unit)], { encoding: "utf8" })
    // Where Node lies elsewhere, the program is not the unit's fault.
    const said = stderr.split("\n").filter((line) => line.includes(copies) && !line.includes("is not executable"))
    expect([said, stderr.includes("is not executable") || status === 0]).toEqual([[], true])
  })

  it.each(["weir.service", "weir-job@.service"])("%s is given time to drain", (unit) => {
    expect(Number(settingOf(unit, "TimeoutStopSec")) * 1000).toBeGreaterThan(drainMillisMax)
    expect(settingOf(unit, "User")).toBe("weir")
  })

  it("an interrupted daemon has ended well, and wrong usage is not tried again", () => {
    expect([
      settingOf("weir.service", "SuccessExitStatus"),
      settingOf("weir.service", "RestartPreventExitStatus")
    ]).toEqual(["130", "2"])
  })
})
