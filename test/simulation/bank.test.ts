/**
 * A bank in simulated worlds: money is moved, never made, so that all accounts come to zero, in every table, at every
 * moment at which somebody could look, while everything goes wrong. Banks that forget it are found.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Aggregate, Flow, Int64, Job, Trigger } from "../../src/index.ts"
import { Faults, Simulate } from "../../src/testing/index.ts"
import * as Input from "../../src/testing/simulation/Input.ts"
import * as TransfersWorld from "../runtime/TransfersWorld.ts"
import { isThorough } from "../Thorough.ts"

const timeout = 240_000

const sum = (amounts: ReadonlyArray<bigint>): bigint => amounts.reduce((total, amount) => total + amount, 0n)

describe("a bank with confirmations, joined, aggregated and aggregated again", () => {
  const recordsOf = (records: ReadonlyArray<Parameters<typeof TransfersWorld.jsonOf>[0]>) =>
    records.map((one) => Input.record(TransfersWorld.jsonOf(one), { partition: one.partition }))
  const input = {
    transfers: recordsOf(TransfersWorld.transfers.slice(0, 150)),
    confirmed: recordsOf(TransfersWorld.confirmations.slice(0, 140))
  }
  const { Balance, Side, Total } = TransfersWorld
  /** Who reads several tables sees them as of one epoch. */
  const layout = { checkpoints: "tables" } as const
  const invariants = [
    Simulate.invariant("all balances come to zero", {
      of: "balances",
      schema: Balance,
      holds: (balances) => sum(balances.map(({ balance }) => balance)) === 0n
    }),
    Simulate.invariant("the total is zero", {
      of: "total",
      schema: Total,
      holds: (totals) => totals.every(({ total }) => total === 0n)
    }),
    Simulate.invariant("what some owe others own", {
      of: "sides",
      schema: Side,
      holds: (sides) => sum(sides.map(({ total }) => total)) === 0n
    }),
    Simulate.invariant("the total counts the accounts of the same moment", {
      of: "select t.accounts, t.moves, (select count(*) from balances) as found, (select sum(moves) from balances) as moved from total t",
      schema: Schema.Struct({ accounts: Int64, moves: Int64, found: Int64, moved: Int64 }),
      holds: (totals) => totals.every(({ accounts, found, moved, moves }) => accounts === found && moves === moved)
    })
  ]

  it.effect(
    "comes to zero and agrees in all tables at every moment",
    () =>
      Effect.map(
        Simulate.job(TransfersWorld.jobOf("right"), { input, invariants, layout, seeds: isThorough ? 20 : 6 }),
        (summary) => {
          expect(Simulate.vacuity({ ...summary, faults: ["kill", "reply lost"] })).toEqual([])
          expect(summary.epochs).toBeGreaterThan(7 * summary.seeds)
        }
      ),
    timeout
  )

  it.effect(
    "is found where an aggregate does not take back what rows were before",
    () =>
      Effect.map(
        Effect.flip(
          Simulate.job(TransfersWorld.jobOf("forgetful"), { input, invariants, layout, seeds: 1, faults: Faults.none })
        ),
        ({ message }) => {
          expect(message).toMatch(
            /at \d+\.\d{3} s, after process \d+ commits an epoch of transfers: epoch \d+, .*: (the total is zero|the total counts)/
          )
        }
      ),
    timeout
  )
})

/** Half a transfer: what one account gives, or another gets. */
const Half = Schema.Struct({ account: Schema.String, amount: Int64 })
const Balance = Schema.Struct({ account: Schema.String, balance: Int64 })
class Transfer extends Schema.Class<Transfer>("Transfer")({ from: Schema.String, to: Schema.String, amount: Int64 }) {}

const bank = (name: string, table: string, halves: (transfer: Transfer) => ReadonlyArray<typeof Half.Type>) =>
  Job.make(name, {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () =>
      Flow.from(Topic.source("transfers")).pipe(
        Flow.decode(Transfer),
        Flow.flatMap(halves),
        Flow.keyBy("account"),
        Flow.aggregate("balance", { balance: Aggregate.sum((half) => half.amount) }),
        Flow.to(Sql.upsert(table, Balance, { key: ["account"] }))
      )
  })
const given = ({ amount, from }: Transfer): typeof Half.Type => ({
  account: from,
  amount: -amount as typeof Int64.Type
})
const got = ({ amount, to }: Transfer): typeof Half.Type => ({ account: to, amount })

const transfers = Array.from({ length: 120 }, (_, i) => ({
  from: `account ${(i * 7) % 9}`,
  to: `account ${(i * 5 + 1) % 8}`,
  amount: 1 + ((i * 31) % 50)
}))
const zero = (of: string) =>
  Simulate.invariant("money is moved, never made", {
    of,
    schema: Balance,
    holds: (balances) => {
      const total = sum(balances.map(({ balance }) => balance))
      return total === 0n || `all balances come to ${total}`
    }
  })

describe("a bank whose halves of a transfer are rows of one record", () => {
  it.effect(
    "comes to zero at every moment, and to what an oracle says in the end",
    () =>
      Simulate.job(
        bank("bank", "balances", (transfer) => [given(transfer), got(transfer)]),
        {
          input: { transfers },
          invariants: [zero("balances")],
          seeds: isThorough ? 10 : 4,
          mustStrike: false,
          oracle: (input) => {
            const balances = new Map<string, number>()
            for (const { amount, from, to } of input.transfers.flat()) {
              balances.set(from, (balances.get(from) ?? 0) - amount)
              balances.set(to, (balances.get(to) ?? 0) + amount)
            }
            return { balances: [...balances].map(([account, balance]) => ({ account, balance })) }
          }
        }
      ),
    timeout
  )
})

describe("a bank that makes money for a moment", () => {
  const found =
    /at \d+\.\d{3} s, after .* commits an epoch of \w+: epoch \d+, .*: money is moved, never made: all balances come to -?\d+/

  it.effect(
    "is found where two jobs write the halves of a transfer",
    () =>
      Effect.map(
        Effect.flip(
          Simulate.jobs(
            [
              { job: bank("givers", "given", (transfer) => [given(transfer)]) },
              { job: bank("takers", "got", (transfer) => [got(transfer)]) }
            ],
            {
              input: { transfers },
              invariants: [zero("select account, balance from given union all select account, balance from got")],
              faults: Faults.none,
              layout: { checkpoints: "tables" },
              seeds: 2
            }
          )
        ),
        ({ message }) => expect(message).toMatch(found)
      ),
    timeout
  )

  it.effect(
    "is found where the halves of a transfer are records of their own, which epochs may part",
    () =>
      Effect.map(
        Effect.flip(
          Simulate.job(
            bank("bank", "balances", (transfer) => (transfer.from === "" ? [got(transfer)] : [given(transfer)])),
            {
              input: {
                transfers: transfers.flatMap((one) => [
                  { ...one, to: "" },
                  { ...one, from: "" }
                ])
              },
              invariants: [zero("balances")],
              faults: Faults.none,
              layout: { checkpoints: "tables" },
              seeds: 2
            }
          )
        ),
        ({ message }) => expect(message).toMatch(found)
      ),
    timeout
  )
})
