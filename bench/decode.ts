/** How fast a codec reads orders, against `JSON.parse` of the same text. Prints one line: median of five rounds. */
import { Schema } from "effect"
import { compile } from "../src/flow/Codec.ts"
import { Decimal, InstantFromSeconds, Int64 } from "../src/model/Columns.ts"

class Order extends Schema.Class<Order>("Order")({
  orderid: Int64,
  region: Schema.String,
  shopid: Schema.Int,
  itemid: Schema.Int,
  price: Decimal(12, 2),
  count: Int64,
  orderedAt: Schema.propertySignature(InstantFromSeconds).pipe(Schema.fromKey("timestamp"))
}) {}

const records = 200_000
const rounds = 5
const regions = ["TW", "SG", "ID", "MY", "PH", "TH", "VN", "BR"]

const orderText = (i: number): string => {
  const price = ((i * 7919) % 9_999) / 100
  return `{"itemid": ${100_000 + ((i * 31) % 90_000)}, "count": ${1 + (i % 97)}, "timestamp": ${1_537_514_430 + (i >> 4)}, "price": ${price}, "orderid": ${1_000_000_196_283 + i}, "shopid": ${100_000 + (i % 1_000)}, "region": "${regions[i % 8]}"}`
}

const texts = Array.from({ length: records }, (_, i) => orderText(i))
const bytes = new TextEncoder().encode(texts.join(""))
const ends: Array<number> = []
for (const text of texts) ends.push((ends.at(-1) ?? 0) + text.length)

const nanosPerRecord = (round: () => unknown): number => {
  const started = performance.now()
  round()
  return ((performance.now() - started) / records) * 1e6
}
const median = (numbers: ReadonlyArray<number>): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!

const reader = compile(Order)
let held: unknown
const decodeAll = () => {
  let start = 0
  for (const end of ends) {
    held = reader.read(bytes, start, end)
    start = end
  }
  return held
}
const parseAll = () => {
  for (const text of texts) held = JSON.parse(text)
  return held
}
const decoder = new TextDecoder()
const parseBytes = () => {
  let start = 0
  for (const end of ends) {
    held = JSON.parse(decoder.decode(bytes.subarray(start, end)))
    start = end
  }
  return held
}

const times = [decodeAll, parseAll, parseBytes].map((round) => {
  nanosPerRecord(round)
  return median(Array.from({ length: rounds }, () => nanosPerRecord(round)))
})
const [decode, parse, fromBytes] = times.map((nanos) => Math.round(nanos)) as [number, number, number]
console.log(
  `decode ${decode} ns a record, JSON.parse ${parse} ns of text, ${fromBytes} ns of bytes: ${(parse / decode).toFixed(2)} times JSON.parse of text, ${(fromBytes / decode).toFixed(2)} of bytes`
)
