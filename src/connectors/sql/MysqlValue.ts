/** What MariaDB and MySQL answer in rows, as values of ours. */

/** What is known of a column of an answer: the wire's number of its type, its length, character set and format. */
interface Field {
  readonly columnType?: number
  readonly columnLength?: number
  readonly characterSet?: number
  readonly extendedFormat?: string
}

const tiny = 1
const floats = [4, 5]
const instants = [7, 12]
const json = 245
/** Text and bytes of every length. */
const strings = [15, 249, 250, 251, 252, 253, 254]
/** The character set of what is no text. */
const binary = 63

const isJson = ({ columnType, extendedFormat }: Field): boolean => columnType === json || extendedFormat === "json"

/** Reads what the driver gives of a column: text for whole numbers of 64 bits, decimals, dates and JSON. */
export const readerOf = (field: Field): ((value: unknown) => unknown) => {
  const type = field.columnType ?? -1
  if (isJson(field)) return (value) => JSON.parse(String(value))
  if (type === tiny && field.columnLength === 1) return (value) => value !== 0 && value !== "0"
  if (instants.includes(type)) return (value) => parseInstant(String(value))
  // The driver's bytes are a part of what it has received.
  if (strings.includes(type) && field.characterSet === binary) return (value) => new Uint8Array(value as Uint8Array)
  return floats.includes(type) ? Number : (value) => value
}

/** Milliseconds of `2018-09-21 07:20:00.123456`, in UTC; what is finer than a millisecond is cut off. */
export const parseInstant = (text: string): number => {
  const match = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/.exec(text)
  if (match === null) return Number.NaN
  const [, year, month, day, hour, minute, second, fraction = ""] = match
  // `Date.UTC` takes years below 100 for those after 1900.
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, "0").slice(0, 3)))
  return date.getTime()
}

const decoder = new TextDecoder()

/** A value as the server spells it; bytes in hexadecimal digits. */
export const textOf = (value: Uint8Array | null, field: Field): string | null => {
  if (value === null) return null
  if (!strings.includes(field.columnType ?? -1) || field.characterSet !== binary || isJson(field))
    return decoder.decode(value)
  return `0x${Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
}
