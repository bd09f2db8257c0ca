/**
 * How long a person waits, on Node: `weir --help`, and `npm start` until the first row can be seen.
 *
 * Runs in a copy of the working tree. First runs begin with nothing built and no data; later ones find both, and rows:
 * there, what counts is the first row that this run wrote. A row can be seen when `POST /api/query`, which the page
 * asks, answers it over TCP; it is asked every 20 ms. `npm` itself and the build are in the time.
 */
import { execFileSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as Program from "./Program.ts"
import * as World from "./World.ts"

const options = Figures.options({ runs: 5, helps: 15 })

/** What is asked while the program begins to listen is asked again after so long. */
const answerMillisMax = 250

interface Start {
  readonly page: number
  readonly anyRow: number
  readonly newRow: number
}

const start = async (folder: string): Promise<Start> => {
  const since = new Date().toISOString()
  const served = await Program.serve("npm", ["start"], folder)
  try {
    await Program.until(() => Program.get(served, "/", answerMillisMax), 20)
    const page = served.age()
    await Program.until(() => Program.rowsOf(served, "select * from shop_item_income limit 1", answerMillisMax), 20)
    const anyRow = served.age()
    await Program.until(
      () =>
        Program.rowsOf(
          served,
          `select * from shop_item_income where updated_at >= '${since}' limit 1`,
          answerMillisMax
        ),
      20
    )
    return { page, anyRow, newRow: served.age() }
  } finally {
    await Program.stop(served)
  }
}

const print = (what: string, starts: ReadonlyArray<Start>): void => {
  const seconds = (of: (start: Start) => number): string =>
    Figures.show(Figures.spreadOf(starts.map((start) => of(start) / 1000)), 2)
  console.log(`npm start, ${what}: page ${seconds((start) => start.page)} s, any row ${seconds((start) => start.anyRow)} s, \
a row of this run ${seconds((start) => start.newRow)} s`)
}

console.log(`${Processes.machine()}\nmedian (least to most) of ${options.runs} starts, ${options.helps} helps\n`)
await World.withFolder(async (folder) => {
  Program.copyTo(folder)
  const first: Array<Start> = []
  const later: Array<Start> = []
  for (let run = 0; run < options.runs; run++) {
    for (const name of ["dist", ".weir"]) rmSync(join(folder, name), { recursive: true, force: true })
    first.push(await start(folder))
    later.push(await start(folder))
  }
  print("first run", first)
  print("later run", later)
  const helps: Array<number> = []
  for (let run = 0; run <= options.helps; run++) {
    const began = performance.now()
    execFileSync("node", ["bin/weir.mjs", "--help"], { cwd: folder })
    // The first one reads the bundle from the disk.
    if (run > 0) helps.push((performance.now() - began) / 1000)
  }
  console.log(`weir --help: ${Figures.show(Figures.spreadOf(helps), 3)} s`)
})
