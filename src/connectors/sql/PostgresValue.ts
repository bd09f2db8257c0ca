/** What PostgreSQL answers in rows, as values of ours. */

const asText = (text: string): string => text

/** Milliseconds of `0001-01-01 00:00:00.123456+00`; what is finer than a millisecond is cut off. */
export const parseInstant = (text: string): number => {
  if (text === "infinity") return Number.POSITIVE_INFINITY
  if (text === "-infinity") return Number.NEGATIVE_INFINITY
  const match = /^(\d{4,6})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?([+-])(\d\d)(?::?(\d\d))?$/.exec(text)
  if (match === null) return Number.NaN
  const [, year, month, day, hour, minute, second, fraction = "", sign, hours, minutes = "0"] = match
  // `Date.UTC` takes years below 100 for those after 1900.
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, "0").slice(0, 3)))
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000
  return date.getTime() - (sign === "-" ? -offset : offset)
}

/** The value of a hexadecimal digit, by its character code. */
const digits = Uint8Array.from({ length: 128 }, (_, code) => Number.parseInt(String.fromCharCode(code), 16))

/** Bytes of `\x00ff`: the driver's own way takes a hundred nanoseconds a byte, which a large state waits for. */
export const parseBytes = (text: string): Uint8Array => {
  const bytes = new Uint8Array((text.length - 2) / 2)
  for (let i = 0, at = 2; i < bytes.length; i++, at += 2)
    bytes[i] = (digits[text.charCodeAt(at)]! << 4) | digits[text.charCodeAt(at + 1)]!
  return bytes
}

/** By object id of the type. What is not here and has no exact form in JavaScript stays text. */
export const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  17: parseBytes,
  20: asText, // bigint
  1700: asText, // numeric
  1184: parseInstant,
  1082: asText, // date
  1083: asText, // time
  1114: asText, // timestamp
  1266: asText, // timetz
  700: Number,
  701: Number,
  114: (text) => JSON.parse(text),
  3802: (text) => JSON.parse(text)
}
