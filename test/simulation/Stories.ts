/** The job of orders in worlds where everything may go wrong, and what happened there. */
import orders from "../../actors/orders.ts"
import { orders as generate } from "../../fixtures/orders.ts"
import * as Database from "../../src/testing/simulation/Database.ts"
import * as Faults from "../../src/testing/simulation/Faults.ts"
import * as Scenario from "../../src/testing/simulation/Scenario.ts"

/** In the order in which they come. */
export const values: Array<Uint8Array> = []
for (const { records } of generate({ count: 150, items: 25, late: 0.04, outOfOrder: 0.1, malformed: 0.04, rate: 2 }))
  for (const { value } of records) values.push(value.slice())

/** What comes, and where it goes. */
export const scenario = {
  jobs: [{ job: orders as never, set: {} }],
  topics: { orders: 3 },
  records: values.map((value, i) => ({ topic: "orders", partition: i % 3, key: null, value, headers: [] }))
}

/** By seed. */
export const stories = async (seeds: ReadonlyArray<number>) => {
  const makeDatabase = await Database.load()
  return seeds.map((seed) => {
    const { failures, story } = Scenario.run({ ...scenario, faults: Faults.all, seed, makeDatabase })
    return { seed, failures, story }
  })
}

/** The seeds whose stories every runtime must tell. */
export const seedsOfAll = [1, 2, 3, 4, 5]
