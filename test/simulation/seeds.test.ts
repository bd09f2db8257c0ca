/** Every simulated job in worlds where anything may go wrong: three hundred of them, on all cores. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, it } from "vitest"
import { jobs } from "./jobs.ts"

const root = join(import.meta.dirname, "../..")
const seeds = 300

it("writes in hundreds of worlds what was to be written", { timeout: 600_000 }, async () => {
  const command = promisify(execFile)(
    process.execPath,
    ["test/run.mjs", "simulation/Seeds.ts", "--seeds", `${seeds}`],
    {
      cwd: root,
      maxBuffer: 100_000_000
    }
  )
  const { stdout } = await command.catch((failed: { readonly stdout: string; readonly stderr: string }) => failed)
  process.stdout.write(stdout)
  expect(stdout).not.toMatch(/FAILED|NEVER STRUCK/)
  expect(stdout).toMatch(/seeds\/s on \d+ processes/)
  const [, tried] = /^all +(\d+)/m.exec(stdout)!
  expect(Number(tried)).toBeGreaterThanOrEqual(Math.max(seeds, jobs.length))
})
