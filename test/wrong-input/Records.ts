/**
 * Records that are wrong, or look wrong, each with its fate in the job `orders`: a dead letter whose cause names what
 * is wrong, or a row of its own.
 */

/** What must become of a record. */
export type Fate =
  | { readonly is: "dead letter"; readonly cause: RegExp; readonly reason?: string }
  | { readonly is: "row"; readonly row: Row }
  /** It decodes, and makes a row that the table cannot hold: the row is set aside, as JSON. */
  | { readonly is: "refused row"; readonly cause: RegExp; readonly row: Row }

export type Row = Readonly<Record<string, string | number>>

export interface RecordCase {
  /** A sentence that is true when the test is green. */
  readonly name: string
  readonly value: Uint8Array
  readonly fate: Fate
}

/** Noon of a day; all sound orders are of this second. */
export const seconds = Date.UTC(2018, 8, 21, 12) / 1000

const utf8 = new TextEncoder()
const bytes = (text: string): Uint8Array => utf8.encode(text)

type Texts = Readonly<Record<string, string | undefined>>

/** An order as JSON text; `fields` are JSON texts, and `undefined` leaves a field out. */
const order = (fields: Texts = {}): string => {
  const all: Texts = {
    orderid: "1",
    region: '"good"',
    shopid: "1",
    itemid: "1",
    price: "1.25",
    count: "2",
    timestamp: String(seconds),
    ...fields
  }
  const written = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`"${name}":${value}`]))
  return `{${written.join(",")}}`
}

export const goodOrder: Uint8Array = bytes(order())
/** An order of ten minutes later, and one of the time before it: whoever has read the first finds the second late. */
export const laterOrder: Uint8Array = bytes(order({ timestamp: String(seconds + 600) }))

const refused = (name: string, value: string | Uint8Array, cause: RegExp, reason = "undecodable"): RecordCase => ({
  name,
  value: typeof value === "string" ? bytes(value) : value,
  fate: { is: "dead letter", cause, reason }
})

const taken = (name: string, fields: Texts, row: Row): RecordCase => ({
  name,
  value: bytes(order(fields)),
  fate: { is: "row", row }
})

/** The bytes of an order in whose region these bytes stand. */
const inRegion = (region: ReadonlyArray<number>): Uint8Array => {
  const [before, after] = order({ region: '"@"' }).split("@") as [string, string]
  return new Uint8Array([...bytes(before), ...region, ...bytes(after)])
}

const nested = (open: string, close: string, depth: number): string =>
  order({ extra: open.repeat(depth) + close.repeat(depth) })

const filled = (size: number): string => order({ extra: `"${"x".repeat(size)}"` })

const malformed: ReadonlyArray<RecordCase> = [
  refused("nothing at all", "", /expected|end/),
  refused("white space alone", " \t ", /expected|end/),
  refused("half an order", order().slice(0, 40), /./),
  refused("an order without its last brace", order().slice(0, -1), /./),
  refused("an order and something behind it", `${order()} x`, /./),
  refused("two orders in one record", order() + order(), /./),
  refused("quotes of another language", order().replaceAll('"', "'"), /./),
  refused("a comma behind the last field", order().replace(/}$/, ",}"), /./),
  refused("a comment", order().replace("{", "{/* order */"), /./),
  refused("a byte order mark before it", `\ufeff${order()}`, /./),
  refused("a line feed within a text", order({ region: '"a\nb"' }), /region/),
  refused("an escape that JSON does not know", order({ region: '"\\x41"' }), /region/),
  refused("NaN as a number", order({ shopid: "NaN" }), /shopid/),
  refused("a number in hex", order({ shopid: "0x10" }), /./),
  refused("a number with a zero before it", order({ shopid: "007" }), /shopid/),
  refused("a number with a plus sign", order({ shopid: "+7" }), /shopid/),
  refused("a point without digits", order({ price: "1." }), /price/),
  refused("null instead of an order", "null", /./),
  refused("a list with an order", `[${order()}]`, /./),
  refused("a text with an order", JSON.stringify(order()), /./)
]

const wrongTypes: ReadonlyArray<RecordCase> = [
  refused("a text as itemid", order({ itemid: '"1"' }), /itemid/),
  refused("a truth value as shopid", order({ shopid: "true" }), /shopid/),
  refused("null as shopid", order({ shopid: "null" }), /shopid/),
  refused("a number as region", order({ region: "7" }), /region/),
  refused("a list as region", order({ region: '["TW"]' }), /region/),
  refused("an object as price", order({ price: "{}" }), /price/),
  refused("a text that is no number as price", order({ price: '"cheap"' }), /price/),
  refused("a price of three places", order({ price: "1.005" }), /price/),
  refused("half an item", order({ count: "1.5" }), /count/),
  refused("a fraction as itemid", order({ itemid: "1.5" }), /itemid/),
  refused("a word as timestamp", order({ timestamp: '"yesterday"' }), /timestamp/),
  refused("a region that is too long", order({ region: '"ninechars"' }), /region/),
  ...["orderid", "region", "shopid", "itemid", "price", "count", "timestamp"].map((field) =>
    refused(`an order without ${field}`, order({ [field]: undefined }), new RegExp(field))
  ),
  refused("a field under a name in capitals", order({ region: undefined, Region: '"TW"' }), /region/)
]

const sizes: ReadonlyArray<RecordCase> = [
  refused("a record of 20 MB", filled(20_000_000), /16777216|bytes/),
  refused("100,000 lists in each other", nested("[", "]", 100_000), /nest|deep|64/),
  refused("100,000 objects in each other", nested('{"a":', "}", 100_000).replace(":}", ":1}"), /nest|deep|64/),
  refused("65 lists in each other", nested("[", "]", 65), /nest|deep|64/)
]

const characters: ReadonlyArray<RecordCase> = [
  refused("the start of a character that does not go on", inRegion([0xc3]), /region.*UTF-8/i),
  refused("a byte that no character has", inRegion([0xff]), /region.*UTF-8/i),
  refused("a character in more bytes than it needs", inRegion([0xc0, 0xaf]), /region.*UTF-8/i),
  refused("half of a pair as bytes", inRegion([0xed, 0xa0, 0x80]), /region.*UTF-8/i),
  refused("a character beyond the last one", inRegion([0xf4, 0x90, 0x80, 0x80]), /region.*UTF-8/i),
  refused("half of a pair as an escape", order({ region: '"\\ud800"' }), /region.*surrogate/)
]

const numbers: ReadonlyArray<RecordCase> = [
  refused("a count of 2^63", order({ count: "9223372036854775808" }), /count/),
  refused("a count below -2^63", order({ count: "-9223372036854775809" }), /count/),
  refused("an itemid of 2^53", order({ itemid: "9007199254740992" }), /itemid/),
  refused("a price of thirteen digits", order({ price: "12345678901.00" }), /price/),
  refused("a price beyond every double", order({ price: "1e400" }), /price/),
  refused("a price with a gigantic exponent", order({ price: "1e999999999" }), /price/),
  refused("a count with a gigantic exponent", order({ count: "1e999999999" }), /count/)
]

const dates: ReadonlyArray<RecordCase> = [
  refused("a second of the year 10000", order({ timestamp: "253402300800" }), /timestamp|years 1 to 9999/),
  refused("a second before the year 1", order({ timestamp: "-62135596801" }), /timestamp|years 1 to 9999/),
  refused("a timestamp beyond every double", order({ timestamp: "1e400" }), /timestamp/),
  refused("a timestamp of 10^300 seconds", order({ timestamp: "1e300" }), /timestamp|years 1 to 9999/),
  refused("a second of the year 2099", order({ timestamp: "4070908800" }), /2099-01-01/, "far future"),
  refused("milliseconds in place of seconds", order({ timestamp: `${seconds}000` }), /./)
]

/** They look wrong and are right: each is a row of its own. */
const sound: ReadonlyArray<RecordCase> = [
  taken("the largest count", { itemid: "100", count: "9223372036854775807" }, { total_items: "9223372036854775807" }),
  taken(
    "the smallest count",
    { itemid: "101", count: "-9223372036854775808" },
    { total_items: "-9223372036854775808" }
  ),
  taken("the largest orderid", { itemid: "102", orderid: "9223372036854775807" }, { total_orders: "1" }),
  taken("a count as text", { itemid: "103", count: '"9007199254740993"' }, { total_items: "9007199254740993" }),
  taken("the largest price", { itemid: "104", price: "9999999999.99" }, { gross_income: "9999999999.99" }),
  taken("a price below nothing", { itemid: "105", price: "-1.25" }, { gross_income: "-1.25" }),
  taken("a price of minus zero", { itemid: "106", price: "-0.00" }, { gross_income: "0.00" }),
  taken("a count of minus zero", { itemid: "107", count: "-0" }, { total_items: "0" }),
  taken("a price with an exponent", { itemid: "108", price: "125e-2" }, { gross_income: "1.25" }),
  taken("a field twice: the last one counts", { itemid: "109", price: '1,"price":2' }, { gross_income: "2.00" }),
  taken("a field that nobody asked for", { itemid: "110", extra: '{"a":[1,null,"x"]}' }, { total_orders: "1" }),
  taken("a field named __proto__", { itemid: "111", __proto: "1", __proto__x: "2" }, { total_orders: "1" }),
  taken("a region without a letter", { itemid: "112", region: '""' }, { region: "", total_orders: "1" }),
  taken("a region of quotes", { itemid: "113", region: '"\';--\\""' }, { region: "';--\"", total_orders: "1" }),
  taken(
    "a region beyond the first plane",
    { itemid: "114", region: '"\\ud83d\\ude00"' },
    { region: "😀", total_orders: "1" }
  ),
  taken("63 lists in each other", { itemid: "115", extra: "[".repeat(63) + "]".repeat(63) }, { total_orders: "1" }),
  taken("a record of 15 MB", { itemid: "116", extra: `"${"x".repeat(15_000_000)}"` }, { total_orders: "1" }),
  taken("a fraction of a second", { itemid: "117", timestamp: `${seconds}.5` }, { total_orders: "1" })
]

/** They decode, and no column holds what they say. */
const unholdable: ReadonlyArray<RecordCase> = [
  {
    name: "an itemid that an integer column does not reach",
    value: bytes(order({ itemid: "2147483648" })),
    fate: { is: "refused row", cause: /itemid/, row: { itemid: 2_147_483_648, totalOrders: "1" } }
  },
  {
    name: "a zero character in a region",
    value: bytes(order({ region: '"a\\u0000"', itemid: "300" })),
    fate: { is: "refused row", cause: /region.*a\\u0000/, row: { region: "a\u0000", itemid: 300, totalOrders: "1" } }
  }
]

/** They meet in one row: what a double would lose must not be lost, and minus zero is zero. */
export const together: ReadonlyArray<{
  readonly name: string
  readonly values: ReadonlyArray<Uint8Array>
  readonly row: Row
}> = [
  {
    name: "counts beyond 2^53 are added to the last digit",
    values: ["9007199254740993", "1", "9007199254740993"].map((count) => bytes(order({ itemid: "200", count }))),
    row: { itemid: 200, total_items: "18014398509481987", total_orders: "3" }
  },
  {
    name: "the largest and the smallest count are one below zero together",
    values: ["9223372036854775807", "-9223372036854775808"].map((count) => bytes(order({ itemid: "201", count }))),
    row: { itemid: 201, total_items: "-1", total_orders: "2" }
  },
  {
    name: "an item of minus zero is the item zero",
    values: ["-0", "0", "-0.0", "0e5"].map((itemid) => bytes(order({ itemid }))),
    row: { itemid: 0, total_items: "8", gross_income: "5.00", total_orders: "4" }
  },
  {
    name: "cents are added to the last digit",
    values: Array.from({ length: 10 }, () => bytes(order({ itemid: "202", price: "9999999999.99" }))),
    row: { itemid: 202, gross_income: "99999999999.90", total_orders: "10" }
  }
]

export const cases: ReadonlyArray<RecordCase> = [
  ...malformed,
  ...wrongTypes,
  ...sizes,
  ...characters,
  ...numbers,
  ...dates,
  ...sound,
  ...unholdable
]
