/** Values that break what was not thought of, for one field of a record, and records that are none. */
import type { RowField } from "../flow/RowFields.ts"
import { formatDecimal, int64Max, int64Min } from "../model/Columns.ts"
import type { Chance } from "./simulation/Chance.ts"

/** JSON of odd values of a field; not each is one that its Schema takes. Instants have none: time is drawn apart. */
export const jsonOf = ({ column, kind, nullable }: RowField): ReadonlyArray<string> => {
  const none = nullable ? ["null"] : []
  if (column?.kind === "instant") return none
  if (column?.kind === "int64") return [...none, ...int64s]
  if (column?.kind === "decimal") return [...none, ...decimals(column.precision, column.scale)]
  switch (kind) {
    case "text":
      return [...none, ...texts]
    case "number":
      return [...none, ...numbers]
    case "boolean":
    case "json":
      return none
  }
}

/** The bytes of something that is no record, made of those of one. */
export const malformed = (record: Uint8Array, chance: Chance): Uint8Array => {
  switch (chance.below(5)) {
    case 0:
      return record.slice(0, chance.below(Math.max(1, record.length)))
    case 1: {
      // No UTF-8 has this byte.
      const broken = record.slice()
      if (broken.length > 0) broken[chance.below(broken.length)] = 0xff
      return broken
    }
    case 2:
      return new Uint8Array()
    case 3:
      return encoder.encode(otherJson[chance.below(otherJson.length)])
    default:
      return encoder.encode(`${decoder.decode(record)}}`)
  }
}

// Private

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const texts = [
  "",
  " ",
  "null",
  "NULL",
  "0",
  "-1",
  "' or 1=1; --",
  '"',
  "\\",
  "`",
  "a\tb\nc",
  "\u0000",
  // Twice the same to a reader: composed, and decomposed.
  "\u00e9",
  "e\u0301",
  // Letters whose upper and lower case have another length, or depend on the language.
  "\u0130",
  "stra\u00dfe",
  "\u{1f469}\u200d\u{1f680}",
  "\u202eright to left",
  "\ufeffmark",
  "x".repeat(1_000)
].map((text) => JSON.stringify(text))

const int64s = [0n, 1n, -1n, 2n ** 31n, 2n ** 53n, 2n ** 53n + 1n, int64Min, int64Max].map(String)

const numbers = ["0", "-0", "1", "-1", "0.1", "2147483647", "2147483648", "9007199254740993", "1e308", "5e-324"]

const decimals = (precision: number, scale: number): ReadonlyArray<string> => {
  const most = 10n ** BigInt(precision) - 1n
  return [0n, 1n, -1n, most, -most].map((value) => formatDecimal(value, scale))
}

const otherJson = ["null", "true", "0", '"text"', "[]", "{}", "[[[[[[[[[[]]]]]]]]]]", '{"unknown":{}}']
