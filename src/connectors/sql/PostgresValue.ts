/** What PostgreSQL answers, as values of ours: rows, and refusals. */

import type { TablesError } from "../../flow/Tables.ts"
import { StatementRefused, StorageFailed, TablesUnavailable } from "../../model/Errors.ts"

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

/** By object id of the type. What is not here and has no exact form in JavaScript stays text. */
export const parsers: Readonly<Record<number, (text: string) => unknown>> = {
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

/** The beginning of a text, for a message. */
export const shorten = (text: string, lengthMax: number): string =>
  text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`

/** Classes of SQLSTATE that speak of the server, not of the statement: connection, resources, operator, system. */
const unavailable = /^(08|53|57|58|40001|40P01|55P03)/

/** What a failed statement means. The parameters are never shown; what the server says of a row is, shortened. */
export const failure = (sql: string, cause: unknown): TablesError => {
  const { code, message, detail } = cause as { code?: unknown; message?: unknown; detail?: unknown }
  const statement = shorten(sql.replace(/\s+/g, " ").trim(), 200)
  const reason = shorten([message, detail].filter((part) => typeof part === "string" && part !== "").join(": "), 400)
  if (code === "53100" || /No space left on device|Read-only file system/.test(reason)) {
    return new StorageFailed({
      path: "the database's folder",
      message: `The database cannot write to its disk (${reason}): ${statement}`,
      hint: "Give the disk space, or make it writable, and start again: what was committed is there, and the rest is done anew."
    })
  }
  if (typeof code !== "string" || !/^[0-9A-Z]{5}$/.test(code) || unavailable.test(code)) {
    return new TablesUnavailable({
      code: typeof code === "string" ? code : "unknown",
      message: `The database did not answer (${reason || "no reason given"}) to: ${statement}`,
      hint: "It is tried again with the same epoch. If it goes on: check the server, its disk, and restart the process."
    })
  }
  return new StatementRefused({
    code,
    statement,
    message: `The database refused (${code}, ${reason}): ${statement}`,
    hint: "Nothing of the transaction was kept. Mend the table or its constraint, or the row that breaks it."
  })
}
