import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { FastCheck as fc, Schema } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import * as Codec from "../../src/flow/Codec.ts"
import * as Inferred from "../../src/flow/InferredSchema.ts"
import * as SchemaText from "../../src/flow/SchemaText.ts"
import { Decimal, Instant, Int64 } from "../../src/index.ts"

const root = resolve(import.meta.dirname, "../..")
const home = mkdtempSync(join(tmpdir(), "weir-inferred-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))

const linesOf = (records: ReadonlyArray<string>) => SchemaText.lines(Inferred.infer(records).root)
const typeOf = (...values: ReadonlyArray<string>) => {
  const [line] = linesOf(values.map((value) => `{"a":${value}}`))
  return [line!.type, line!.nullable, line!.optional]
}

/** The Schema that the code says, by running it. */
const schemaOf = (code: string): Schema.Schema<any, any> => {
  const body = code.replaceAll(/^import .*$/gm, "").replace(/export const \w+ = /, "return ")
  return new Function("Schema", "Decimal", "Instant", "Int64", body)(Schema, Decimal, Instant, Int64)
}

const encoder = new TextEncoder()
const decodesAll = (code: string, records: ReadonlyArray<string>) => {
  const reader = Codec.compile(schemaOf(code))
  for (const record of records) {
    const bytes = encoder.encode(record)
    reader.read(bytes, 0, bytes.length)
  }
}

describe("An inferred schema", () => {
  it.each([
    [["1", "-7", "9007199254740991"], "int"],
    [["1.0", "1e3"], "int"],
    [["9007199254740993"], "int64"],
    [["1", "-9223372036854775808"], "int64"],
    [["9223372036854775808"], "decimal(38, 0)"],
    [["1.5", "2"], "number"],
    [["0.1", "123456789.12345"], "number"],
    [["1.23456789012345678"], "decimal(18, 17)"],
    [["9007199254740993", "0.5"], "decimal(18, 1)"],
    [["12345678901234567890.25"], "decimal(38, 2)"],
    [["1e300"], "number"],
    [["1e999"], "unknown"],
    [['"a"', '""'], "text"],
    [['"2018-09-21T07:20:00Z"', '"2018-09-21 07:20:00.5+02:00"'], "instant"],
    [['"2018-09-21T07:20:00Z"', '"soon"'], "text"],
    [["true", "false"], "boolean"],
    [["1", '"1"'], "unknown"],
    [["[]"], "array of unknown"],
    [["[1,2.5]", "[]"], "array of number"],
    [["[1,null]"], "array of int or null"],
    [["{}"], "struct"],
    [["null"], "unknown"]
  ])("of %j is %s", (values, type) => {
    expect(typeOf(...values)[0]).toBe(type)
  })

  it("says what may be null and what may be absent", () => {
    expect(linesOf(['{"a":1,"b":null}', '{"a":null}', '{"b":"x"}'])).toEqual([
      { path: "a", name: "a", depth: 0, type: "int", nullable: true, optional: true },
      { path: "b", name: "b", depth: 0, type: "text", nullable: true, optional: true }
    ])
  })

  it("follows objects and arrays into each other", () => {
    const record = '{"items":[{"id":1,"tags":["a"]},{"id":2,"price":1.5}],"at":{"place":"x"}}'
    expect(linesOf([record]).map(({ path, type, optional }) => [path, type, optional])).toEqual([
      ["items", "array of struct", false],
      ["items[].id", "int", false],
      ["items[].tags", "array of text", true],
      ["items[].price", "number", true],
      ["at", "struct", false],
      ["at.place", "text", false]
    ])
  })

  it("counts what is no JSON, and what is nested deeper than a job reads", () => {
    const deep = `${"[".repeat(65)}${"]".repeat(65)}`
    const veryDeep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`
    const { sampled, unusable } = Inferred.infer(["{", "", '{"a":1}', deep, veryDeep, '{"a":01}'])
    expect([sampled, unusable]).toEqual([6, 5])
  })

  it("decodes every record that it was inferred from, whatever they are", () => {
    const number = fc.oneof(
      fc.integer().map(String),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
      fc.tuple(fc.nat(), fc.nat()).map(([whole, fraction]) => `${whole}.${fraction}`)
    )
    const name = fc.oneof(fc.constantFrom("a", "b", "__proto__", "constructor", "Int64", "x y", '"'), fc.string())
    const { value } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        number,
        fc.constantFrom("null", "true", "false", '"2018-09-21T07:20:00Z"'),
        fc.string().map((text) => JSON.stringify(text)),
        fc.array(tie("value"), { maxLength: 3 }).map((all) => `[${all.join(",")}]`),
        fc
          .uniqueArray(fc.tuple(name, tie("value")), { maxLength: 4, selector: ([key]) => key })
          .map((fields) => `{${fields.map(([key, of]) => `${JSON.stringify(key)}:${of}`).join(",")}}`)
      )
    }))
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), (records) => {
        const { root: place, unusable } = Inferred.infer(records)
        expect(unusable).toBe(0)
        decodesAll(SchemaText.code("sample", place), records)
      }),
      { numRuns: 500 }
    )
  })

  it("is code that has types, and reads the sample exactly", async () => {
    const records = [
      '{"id":9007199254740993,"at":"2018-09-21T07:20:00Z","price":1234567890.12345678,"note":null,"tags":[{"n":1}]}',
      '{"id":2,"at":"2018-09-21T07:20:00Z","price":0.5,"note":"x","tags":[],"more":true}'
    ]
    const code = SchemaText.code("shop-orders", Inferred.infer(records).root)
    expect(code).toBe(
      `import { Schema } from "effect"
import { Decimal, Instant, Int64 } from "weir"

export const ShopOrders = Schema.Struct({
  id: Int64,
  at: Instant,
  price: Decimal(18, 8),
  note: Schema.NullOr(Schema.String),
  tags: Schema.Array(Schema.Struct({
    n: Schema.Int
  })),
  more: Schema.optionalWith(Schema.Boolean, { exact: true })
})
`
    )
    decodesAll(code, records)
    const bytes = encoder.encode(records[0])
    expect(Codec.compile(schemaOf(code)).read(bytes, 0, bytes.length)).toMatchObject({
      id: 9007199254740993n,
      price: 123456789012345678n
    })
    const file = join(home, "ShopOrders.ts")
    const use = `export const id: import("${root}/src/model/Columns.ts").Int64 = ({} as typeof ShopOrders.Type).id\n`
    symlinkSync(join(root, "node_modules"), join(home, "node_modules"))
    writeFileSync(file, (code + use).replace('"weir"', `"${root}/src/index.ts"`))
    const flags = ["--strict", "--exactOptionalPropertyTypes", "--allowImportingTsExtensions", "--skipLibCheck"]
    const modules = ["--noEmit", "--module", "nodenext", "--target", "es2023", "--types", "", "--ignoreConfig"]
    const errors = await new Promise((done) =>
      execFile(join(root, "node_modules/.bin/tsc"), [...flags, ...modules, file], { cwd: home }, (_, out) => done(out))
    )
    expect(errors).toBe("")
  }, 30_000)
})
