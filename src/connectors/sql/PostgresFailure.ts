/** What a failed statement means, as errors of ours. */
import type { TablesError } from "../../flow/Tables.ts"
import { StatementRefused, StorageFailed, TablesUnavailable } from "../../model/Errors.ts"
import type { StatementFailure } from "./SqlSession.ts"

/** The beginning of a text, for a message. */
export const shorten = (text: string, lengthMax: number): string =>
  text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`

/** Classes of SQLSTATE that speak of the server, not of the statement: connection, resources, operator, system. */
const unavailable = /^(08|53|57|58|40001|40P01|55P03)/

/** The parameters are never shown; what the server says of a row is, shortened. */
export const ofStatement = ({ code, reason, sql }: StatementFailure): TablesError => {
  const statement = shorten(sql.replace(/\s+/g, " ").trim(), 200)
  const why = shorten(reason, 400)
  if (code === "53100" || /No space left on device|Read-only file system/.test(why)) {
    return new StorageFailed({
      path: "the database's folder",
      message: `The database cannot write to its disk (${why}): ${statement}`,
      hint: "Give the disk space, or make it writable, and start again: what was committed is there, and the rest is done anew."
    })
  }
  if (!/^[0-9A-Z]{5}$/.test(code) || unavailable.test(code)) {
    return new TablesUnavailable({
      code,
      message: `The database did not answer (${why || "no reason given"}) to: ${statement}`,
      hint: "It is tried again with the same epoch. If it goes on: check the server, its disk, and restart the process."
    })
  }
  return new StatementRefused({
    code,
    statement,
    message: `The database refused (${code}, ${why}): ${statement}`,
    hint: `Nothing of the transaction was kept. ${code === "23505" && /\(weir_source, /.test(why) ? appendedBefore : mend}`
  })
}

const mend = "Mend the table or its constraint, or the row that breaks it."
/** The key of a table that is appended to is the place of the record. */
const appendedBefore =
  "The table has the rows of these records already, from before the job went back: `--tables` of `weir reset`, or of `weir run --from-savepoint`, removes them."
