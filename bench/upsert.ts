/**
 * The upsert of `Sql.upsert` into Postgres alone, against `psql`: `\copy` of a file into an unlogged table, then
 * `insert … on conflict` from it. The same rows in as many epochs, first into an empty table, then all again with
 * other sums.
 *
 * Weir's time is told with what it does for an epoch before (`prepare`: order, one row for each key, checks, a digest)
 * and without; the files of `psql` are made before and cost it nothing.
 */
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect } from "effect"
import { ShopItemIncome } from "../actors/orders.ts"
import { Sql } from "../src/connectors/sql/index.ts"
import type { TablesWriter } from "../src/flow/Sink.ts"
import { Tables } from "../src/flow/Tables.ts"
import type { Barrier, Batch } from "../src/model/Message.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as Servers from "./Servers.ts"
import * as World from "./World.ts"

const options = Figures.options({
  rows: 500_000,
  /** Rows of one epoch. */
  epoch: 50_000,
  /** Rounds of both sides. */
  rounds: 5,
  // What the process of one round is told:
  side: "both",
  database: ""
})

const start = Date.UTC(2026, 0, 1)
const regions = ["TW", "ID", "TH", "SG", "VN", "MY", "PH"]
const passes = ["into an empty table", "all rows again"] as const
type Pass = 0 | 1

/** Rows of one epoch, in no order: a factor without a common one spreads the numbers. */
const numbersOf = (epoch: number): ReadonlyArray<number> =>
  Array.from({ length: options.epoch }, (_, i) => epoch * options.epoch + ((i * 7_919) % options.epoch))

const rowOf = (n: number, pass: Pass) => ({
  region: regions[n % regions.length]!,
  shopid: 100_000 + (n % 1_200),
  itemid: 100_000 + n,
  windowStart: start + 60_000 * (n % 20),
  windowEnd: start + 60_000 * (n % 20) + 60_000,
  cents: 100 + ((n * 31) % 99_900) + pass,
  items: 1 + (n % 100) + pass,
  orders: 1 + (n % 7)
})

const epochs = Array.from({ length: Math.floor(options.rows / options.epoch) }, (_, epoch) => epoch)

/** Seconds of each pass. */
interface Round {
  readonly prepare: ReadonlyArray<number>
  readonly write: ReadonlyArray<number>
}

// Weir

const batchOf = (epoch: number, pass: Pass): Batch => {
  const values = numbersOf(epoch).map((n) => {
    const { cents, items, orders, ...row } = rowOf(n, pass)
    return { ...row, grossIncome: BigInt(cents), totalItems: BigInt(items), totalOrders: BigInt(orders) }
  })
  return {
    _tag: "Batch",
    origin: "orders",
    partition: 0,
    openedAt: start,
    values,
    offsets: Float64Array.from(values.keys()),
    rows: null,
    eventTimes: null,
    ownWatermarks: null,
    records: null,
    recordIndexes: null
  }
}

const barrierOf = (epoch: number): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: start,
  closedAt: start,
  final: false,
  partitions: [],
  watermark: start,
  idle: false
})

const byWeir = Effect.gen(function* () {
  const tables = yield* Tables
  const sink = Sql.upsert("weir_rows", ShopItemIncome, { key: ["region", "shopid", "itemid", "windowStart"] })
  const opening = { job: "upsert", sink: sink.name, lineage: 1, generation: 1 }
  const writer = (yield* sink.open({
    ...opening,
    manifestEpoch: 0,
    intentEpochs: [],
    position: null
  })) as TablesWriter
  const round = { prepare: [0, 0], write: [0, 0] }
  for (const pass of [0, 1] as const) {
    for (const epoch of epochs) {
      const batches = [batchOf(epoch, pass)]
      const began = performance.now()
      const prepared = yield* writer.prepare({ barrier: barrierOf(pass * epochs.length + epoch + 1), batches })
      const ready = performance.now()
      yield* tables.transaction(writer.statements(prepared))
      writer.committed(prepared)
      round.prepare[pass]! += (ready - began) / 1000
      round.write[pass]! += (performance.now() - ready) / 1000
    }
  }
  Processes.tell(round satisfies Round)
}).pipe(Effect.scoped, Effect.provide(Servers.tablesLayer(options.database)))

// psql

const columns = "region, shopid, itemid, window_start, window_end, gross_income, total_items, total_orders"

const textOf = (epoch: number, pass: Pass): string =>
  numbersOf(epoch)
    .map((n) => {
      const { cents, items, itemid, orders, region, shopid, windowEnd, windowStart } = rowOf(n, pass)
      const [from, to] = [windowStart, windowEnd].map((at) => new Date(at).toISOString())
      return `${region}\t${shopid}\t${itemid}\t${from}\t${to}\t${(cents / 100).toFixed(2)}\t${items}\t${orders}\n`
    })
    .join("")

const makeTables = `
  create table psql_rows (like weir_rows including all);
  create unlogged table staging (like weir_rows);`

const replaced = `
  insert into psql_rows (${columns}) select ${columns} from staging
  on conflict (region, shopid, itemid, window_start) do update set
    window_end = excluded.window_end, gross_income = excluded.gross_income,
    total_items = excluded.total_items, total_orders = excluded.total_orders;`

const psql = async (script: string): Promise<void> => {
  await promisify(execFile)("psql", [options.database, "-q", "-X", "-v", "ON_ERROR_STOP=1", "-f", script])
}

/** One process of `psql` for each pass, over files that are there. */
const byPsql = (): Promise<void> =>
  World.withFolder(async (folder) => {
    const files = (pass: Pass) =>
      epochs.map((epoch) => {
        const file = join(folder, `${pass}-${epoch}`)
        writeFileSync(file, textOf(epoch, pass))
        return file
      })
    const scripts = ([0, 1] as const).map((pass) => {
      const script = join(folder, `${pass}.sql`)
      const copies = files(pass).map(
        (file) => `begin;\ntruncate staging;\n\\copy staging (${columns}) from '${file}'\n${replaced}\ncommit;\n`
      )
      writeFileSync(script, copies.join(""))
      return script
    })
    const tables = join(folder, "tables.sql")
    writeFileSync(tables, makeTables)
    await psql(tables)
    const write: Array<number> = []
    for (const script of scripts) {
      const began = performance.now()
      await psql(script)
      write.push((performance.now() - began) / 1000)
    }
    const difference = join(folder, "difference.sql")
    // Both sides must have written the same.
    writeFileSync(
      difference,
      `do $$ begin if exists ((select ${columns} from weir_rows except select ${columns} from psql_rows)
         union all (select ${columns} from psql_rows except select ${columns} from weir_rows))
       then raise exception 'the sides wrote other rows'; end if; end $$;`
    )
    await psql(difference)
    Processes.tell({ prepare: [0, 0], write } satisfies Round)
  })

// Both

const print = (weir: ReadonlyArray<Round>, plain: ReadonlyArray<Round>): void => {
  const rows = epochs.length * options.epoch
  const speed = (seconds: ReadonlyArray<number>) =>
    Figures.show(Figures.spreadOf(seconds.map((one) => rows / one / 1000)), 0)
  const lines = ([0, 1] as const).map((pass) => {
    const write = weir.map((round) => round.write[pass]!)
    const whole = weir.map((round) => round.write[pass]! + round.prepare[pass]!)
    const other = plain.map((round) => round.write[pass]!)
    const ratio = (own: ReadonlyArray<number>) =>
      Figures.show(Figures.spreadOf(own.map((seconds, round) => other[round]! / seconds)), 2)
    return [passes[pass], speed(other), speed(write), ratio(write), speed(whole), ratio(whole)]
  })
  const head = ["", "psql, k rows/s", "Weir", "ratio", "with prepare", "ratio"]
  console.log(`\n${Figures.table([head, ...lines])}`)
}

if (options.side === "weir") await World.run(byWeir)
else if (options.side === "psql") await byPsql()
else {
  const { database: _, side: __, ...sizes } = options
  console.log(
    `${Processes.machine()}\n${Figures.grouped(options.rows)} rows in epochs of ${Figures.grouped(options.epoch)}\n`
  )
  const weir: Array<Round> = []
  const plain: Array<Round> = []
  await Servers.withServers(async (servers) => {
    for (let round = 1; round <= options.rounds; round++)
      await Servers.withDatabase(servers, async (database) => {
        weir.push((await Processes.run<Round>({ ...sizes, side: "weir", database })).answer)
        plain.push((await Processes.run<Round>({ ...sizes, side: "psql", database })).answer)
        const [own, other] = [weir, plain].map((rounds) =>
          rounds
            .at(-1)!
            .write.map((one) => one.toFixed(2))
            .join(", ")
        )
        console.log(`round ${round}: psql ${other} s, Weir ${own} s`)
      })
  })
  print(weir, plain)
}
