/** `npm run services`: the servers that tests start, for a person. They run until this is interrupted. */
import * as Services from "./Services.ts"

const services = Services.make()
let ending = false
const end = async (): Promise<void> => {
  if (ending) return
  ending = true
  await services.stop()
  process.exit(0)
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end())

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const names = Object.keys(Services.all) as ReadonlyArray<Services.ServiceName>
const found = await Promise.all(names.map(async (name) => ({ ...Services.all[name], ...(await services.ask(name)) })))
if (!ending) {
  for (const one of found) {
    if ("missing" in one) process.stderr.write(`${one.name} is missing: ${one.missing}\n`)
    else process.stdout.write(`export ${one.variable}=${quoted(String(one.address))}\n`)
  }
  process.stderr.write("They run, with data that is gone afterwards, until this is interrupted.\n")
}
// Whoever waits for these lines has them; the servers hold this process open.
setInterval(() => {}, 2_147_483_647)
