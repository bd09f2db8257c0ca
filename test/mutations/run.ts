/**
 * A program: breaks every rule, one after the other, and prints who noticed. It ends with 1 if a mutant survives, or a
 * world is wrong without one.
 *
 *     npm run mutations                       # all of them
 *     npm run mutations -- --only 'a deadlock'  # those whose names hold these words
 *     npm run mutations -- --write            # and writes their rows of the table in docs/guarantees.md
 */
import { readFile, writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import * as Campaign from "./Campaign.ts"
import { mutations } from "./Mutations.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false }
  }
})
if (values.help) {
  console.log("npm run mutations -- [--only <words>] [--write]")
  process.exit(0)
}

const chosen = mutations.filter(({ name }) => name.includes(values.only))
const results = await Campaign.run(chosen, ({ millis, mutation, verdict }) => {
  const how = verdict.by === null ? "SURVIVES" : `caught${verdict.seeds === null ? "" : ` by world ${verdict.seeds}`}`
  console.log(`${how.padEnd(18)} ${(millis / 1000).toFixed(1).padStart(6)} s  ${mutation.name}\n    ${verdict.why}`)
})
const controls = await Campaign.controls(results)
for (const { job, why } of controls) console.log(`WRONG WITHOUT A MUTATION: ${job}: ${why}`)
const survivors = results.filter(({ verdict }) => verdict.by === null)
console.log(`\n${results.length} mutations, ${results.length - survivors.length} caught, ${survivors.length} survive`)
for (const { mutation } of survivors) console.log(`  ${mutation.name}`)
if (values.write) {
  const page = await readFile(Campaign.page, "utf8")
  await writeFile(Campaign.page, Campaign.written(page, mutations, results))
}
process.exit(survivors.length + controls.length === 0 ? 0 : 1)
