/**
 * What a disk, or a person with the best intentions, does to what a job keeps: the job says what is wrong and how to
 * mend it, and changes nothing; once it is mended, the same run ends with the right result.
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Topics } from "../../src/flow/Topics.ts"
import { goodOrder } from "./Records.ts"
import * as World from "./World.ts"

interface Damage {
  /** A sentence that is true when the test is green. */
  readonly name: string
  readonly spoil: (world: World.World) => Promise<void>
  /** The error, and in what it says the place and the way out. */
  readonly tag: string
  readonly says: RegExp
  readonly mend: (world: World.World) => Promise<void>
}

const folder = mkdtempSync(join(tmpdir(), "weir-wrong-"))
const partition = join(folder, "log/orders/1")
const segment = join(partition, "00000000000000000000.log")
const aside = join(folder, "aside")

const flipAt = (place: number) => async (): Promise<void> => {
  const bytes = readFileSync(segment)
  const at = place < 0 ? bytes.length + place : place
  bytes[at] = bytes[at]! ^ 0x40
  writeFileSync(segment, bytes)
}
const flip = flipAt(300)
const flipLast = flipAt(-5)

const byHand = (name: string, spoil: string, tag: string, says: RegExp, mend: string): Damage => ({
  name,
  spoil: (world) => world.execute(spoil),
  tag,
  says,
  mend: (world) => world.execute(mend)
})

const damages: ReadonlyArray<Damage> = [
  {
    name: "a bit turned in the middle of a segment",
    spoil: flip,
    tag: "LogCorrupted",
    says: /orders\/1\/0+\.log is damaged at byte \d+: .*checksum.*copy/,
    mend: flip
  },
  {
    name: "the last bit turned of what was acknowledged",
    spoil: flipLast,
    tag: "LogCorrupted",
    says: /orders\/1\/0+\.log is damaged at byte \d+: \d+ bytes that were written cannot be read.*copy/,
    mend: flipLast
  },
  {
    name: "a segment that is gone",
    spoil: async () => renameSync(segment, aside),
    tag: "LogCorrupted",
    says: /orders\/1\/0+\.log is damaged.*the file is gone.*copy/,
    mend: async () => renameSync(aside, segment)
  },
  {
    name: "a topic that begins anew",
    spoil: async (world) => {
      renameSync(partition, aside)
      mkdirSync(partition)
      await world.withTopics(Topics)
    },
    tag: "OffsetOutOfRange",
    says: /partition 1 holds the offsets from 0 to 0, and the last checkpoint wants \d+.*weir reset/,
    mend: async () => {
      rmSync(partition, { recursive: true })
      renameSync(aside, partition)
    }
  },
  {
    name: "a topic of the same name with other records",
    spoil: async (world) => {
      renameSync(join(folder, "log/orders"), aside)
      await world.withTopics(
        Effect.gen(function* () {
          const topics = yield* Topics
          yield* topics.create("orders", { partitions: 4 })
          const records = Array.from({ length: 3_000 }, () => ({ key: null, value: goodOrder, headers: [] }))
          for (const partition of [0, 1, 2, 3]) yield* topics.produce("orders", partition, records)
        })
      )
    },
    tag: "SourceReplaced",
    says: /it is another one .* than the checkpoint was made from.*Restore the topic/,
    mend: async () => {
      rmSync(join(folder, "log/orders"), { recursive: true })
      renameSync(aside, join(folder, "log/orders"))
    }
  },
  byHand(
    "a manifest that says something else",
    `update weir_manifest set body = replace(body, '"job":"orders"', '"job":"0rders"')`,
    "CheckpointCorrupted",
    /the manifest of epoch \d+ of job orders is not what was written.*copy/,
    `update weir_manifest set body = replace(body, '"job":"0rders"', '"job":"orders"')`
  ),
  byHand(
    "manifests that are gone",
    "update weir_manifest set job = 'hidden'",
    "CheckpointCorrupted",
    /the manifest of epoch \d+ of job orders is missing.*copy/,
    "update weir_manifest set job = 'orders'"
  ),
  byHand(
    "state with a turned bit",
    "update weir_state set bytes = set_byte(bytes, 0, get_byte(bytes, 0) # 1) where length(bytes) > 0",
    "CheckpointCorrupted",
    /the state of step \w+, key group \d+, of epoch \d+ of job orders is not what was written.*copy/,
    "update weir_state set bytes = set_byte(bytes, 0, get_byte(bytes, 0) # 1) where length(bytes) > 0"
  ),
  byHand(
    "a table that is gone",
    "alter table shop_item_income rename to hidden",
    "TableMismatch",
    /Table shop_item_income is gone.*Restore the table/,
    "alter table hidden rename to shop_item_income"
  ),
  byHand(
    "a column of another type",
    "alter table shop_item_income alter column total_orders type numeric(20, 0)",
    "TableMismatch",
    /wanted total_orders bigint not null, found total_orders numeric/,
    "alter table shop_item_income alter column total_orders type bigint"
  ),
  byHand(
    "a fence that is gone",
    "update weir_fence set job = 'hidden'",
    "SinkBehind",
    /has lost its fence, which stood at epoch \d+.*weir reset/,
    "update weir_fence set job = 'orders'"
  ),
  byHand(
    "a sink that was set back",
    "update weir_fence set epoch = epoch - 1",
    "SinkBehind",
    /is at epoch \d+ .*but the checkpoint is at epoch \d+.*restore it/,
    "update weir_fence set epoch = epoch + 1"
  ),
  byHand(
    "a checkpoint that was set back",
    "update weir_fence set epoch = epoch + 3",
    "SinkAhead",
    /has epoch \d+, but the checkpoint has epoch \d+ and no intent.*restore/,
    "update weir_fence set epoch = epoch - 3"
  ),
  byHand(
    "a constraint of a person's own that a row breaks",
    "alter table shop_item_income add constraint cheap check (gross_income < 90) not valid",
    "StatementRefused",
    /violates check constraint "cheap": Failing row contains.*Nothing of the transaction was kept/,
    "alter table shop_item_income drop constraint cheap"
  )
]

const world = World.make(folder)

beforeAll(async () => {
  await world.produce()
  expect(await world.run()).toBeNull()
}, 30_000)
afterAll(async () => {
  await world.close()
  rmSync(folder, { recursive: true, force: true })
})

describe("A job refuses to go on, says how to mend it, and then ends right:", { timeout: 30_000 }, () => {
  it.each(damages)("$name", async ({ mend, says, spoil, tag }) => {
    await world.produce()
    await spoil(world)
    const refused = await world.run()
    expect(refused).toMatchObject({ _tag: tag })
    expect(`${refused?.message} ${refused?.hint}`).toMatch(says)
    await mend(world)
    expect(await world.run()).toBeNull()
    expect(await world.counted()).toBe(world.expected().counted)
  })

  it("an owner that slept while another took its job", async () => {
    const ended = await world.overtake()
    expect(ended).toMatchObject({ _tag: "Fenced" })
    expect(`${ended.message} ${ended.hint}`).toMatch(/generation \d+.*stops/)
    expect(await world.run()).toBeNull()
    expect(await world.counted()).toBe(world.expected().counted)
  })

  it("and after all that, every row is what the oracle computes", async () => {
    expect(world.expected().deadLetters.length).toBeGreaterThan(20)
    await world.verify()
  })

  it("and where nothing can be restored, a reset writes everything again", async () => {
    await world.execute("drop table shop_item_income cascade")
    expect(await world.run()).toMatchObject({ _tag: "TableMismatch" })
    await world.reset()
    expect(await world.run()).toBeNull()
    expect(await world.counted()).toBe(world.expected().counted)
    await world.produce()
    expect(await world.run()).toBeNull()
    expect(await world.counted()).toBe(world.expected().counted)
  })
})
