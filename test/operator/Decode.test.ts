import { Schema } from "effect"
import { describe, expect, test } from "vitest"
import { json } from "../../src/flow/Codec.ts"
import { Int64 } from "../../src/model/Columns.ts"
import { RecordUnusable, StepFailed } from "../../src/model/Errors.ts"
import type { Invalid } from "../../src/model/Event.ts"
import type { Batch } from "../../src/model/Message.ts"
import * as Decode from "../../src/operator/Decode.ts"
import * as Transform from "../../src/operator/Transform.ts"
import { collect, recordsOf } from "./Messages.ts"

const Row = Schema.Struct({ id: Int64 })
const letters = { name: "invalid" } as never
const decode = (schema: Schema.Schema<any, any> = Row, invalid: never | null = letters) =>
  Decode.make({ id: "decode", spec: { kind: "decode", schema, value: { schema, codec: json }, key: null, invalid } })

describe("Decode", () => {
  test("emits the values of records in their order, with their offsets and the raw records beside them", () => {
    const records = recordsOf(['{"id":1}', '{"id":2}', '{"id":9007199254740993}'])
    const [batch, ...others] = collect(decode(), records)
    expect(others).toEqual([])
    expect(batch).toMatchObject({ port: "out", origin: "orders", partition: 3, openedAt: 77, rows: null })
    expect(batch!.values).toEqual([{ id: 1n }, { id: 2n }, { id: 9007199254740993n }])
    expect([...batch!.offsets]).toEqual([10, 12, 14])
    expect(batch!.records).toBe(records.records)
    expect([...batch!.recordIndexes!]).toEqual([0, 1, 2])
    expect([batch!.eventTimes, batch!.ownWatermarks]).toEqual([null, null])
  })

  test("sets aside what it cannot decode, and the rest keeps its places", () => {
    const operator = decode()
    const [out, aside] = collect(operator, recordsOf(['{"id":1}', '{"id":"x"}', "", '{"id":2}']))
    expect(out!.values).toEqual([{ id: 1n }, { id: 2n }])
    expect([...out!.offsets]).toEqual([10, 16])
    expect([...out!.recordIndexes!]).toEqual([0, 3])
    expect(aside).toMatchObject({ port: "invalid", partition: 3, records: null, recordIndexes: null })
    expect([...aside!.offsets]).toEqual([12, 14])
    expect(aside!.values).toMatchObject([
      {
        step: "decode",
        reason: "undecodable",
        cause: 'id: expected a whole number of 64 bits, found "x"',
        event: { partition: 3, offset: 12, timestamp: 1001 }
      },
      { cause: "expected an object, found the end of the record", event: { offset: 14 } }
    ])
    expect(operator.counts!()).toEqual({ deadLetters: 2 })
  })

  test("copies the bytes of what it sets aside: they outlive the batch", () => {
    const records = recordsOf(["nothing"], ["key"])
    const [aside] = collect(decode(), records) as ReadonlyArray<Batch<Invalid>>
    records.records.bytes.fill(0)
    const { key, value } = aside!.values[0]!.event
    expect(new TextDecoder().decode(value)).toBe("nothing")
    expect(new TextDecoder().decode(key!)).toBe("key")
    expect(value.buffer.byteLength).toBe(value.length)
  })

  test("emits nothing on a port that nothing goes to", () => {
    expect(collect(decode(), recordsOf(["x"])).map(({ port }) => port)).toEqual(["invalid"])
    expect(collect(decode(), recordsOf([]))).toEqual([])
  })

  test("fails at the first record that it cannot decode where the job keeps no dead letters", () => {
    const run = () => collect(decode(Row, null), recordsOf(['{"id":1}', "{}"]))
    expect(run).toThrow(RecordUnusable)
    expect(run).toThrow("Step 'decode': the record at orders, partition 3, offset 12 cannot be decoded: id: is missing")
  })

  test("fails where a function of the Schema throws, dead letters or not", () => {
    const throwing = Schema.Struct({
      id: Schema.Int.pipe(
        Schema.filter((id) => {
          if (id === 2) throw new Error("two")
          return true
        })
      )
    })
    const run = () => collect(decode(throwing), recordsOf(['{"id":1}', '{"id":2}']))
    expect(run).toThrow(StepFailed)
    expect(run).toThrow("Step 'decode' failed at orders, partition 3, offset 12: two")
  })

  test("decodes raw events as it decodes records, after a step that has looked at them", () => {
    const records = recordsOf(['{"id":1}', "x", '{"id":2}'])
    const [raw] = collect(Transform.materialise("raw"), records)
    const [out, aside] = collect(decode(), raw!)
    expect(out!.values).toEqual([{ id: 1n }, { id: 2n }])
    expect([...out!.offsets]).toEqual([10, 14])
    expect([...out!.recordIndexes!]).toEqual([0, 2])
    expect(out!.records).toBe(records.records)
    expect(aside!.values).toMatchObject([{ event: { offset: 12 } }])
  })

  test("passes a barrier on as it came", () => {
    const barrier = { _tag: "Barrier", epoch: 1 } as never
    expect(decode().onBarrier(barrier, { emit: () => {} })).toBe(barrier)
  })
})
