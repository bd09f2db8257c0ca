/** What a failed statement means, as errors of ours. */
import type { TablesError } from "../../flow/Tables.ts"
import { AccessRefused, StatementRefused, StorageFailed, TablesUnavailable } from "../../model/Errors.ts"
import type { StatementFailure } from "./SqlSession.ts"

/** The beginning of a text, for a message. */
export const shorten = (text: string, lengthMax: number): string =>
  text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`

/**
 * What the server speaks of: the statement, which it refused; a row of it whose key is there already; itself or the way
 * to it; its disk; or the user, whom it does not let in.
 */
export type About = "statement" | "row that is there" | "server" | "disk" | "user"

/** The parameters are never shown; what the server says of a row is, shortened. */
export const make = ({ code, reason, sql }: StatementFailure, about: About): TablesError => {
  const statement = shorten(sql.replace(/\s+/g, " ").trim(), 200)
  const why = shorten(reason, 400)
  if (about === "disk") {
    return new StorageFailed({
      path: "the database's folder",
      message: `The database cannot write to its disk (${why}): ${statement}`,
      hint: "Give the disk space, or make it writable, and start again: what was committed is there, and the rest is done anew."
    })
  }
  if (about === "user") {
    return new AccessRefused({
      system: "database",
      message: `The database does not let this user in (${code}, ${why})`,
      hint: "Check user, password and database in DATABASE_URL, and that the user may connect from here: what was changed at the server takes a new start of this process."
    })
  }
  if (about === "server") {
    return new TablesUnavailable({
      code,
      message: `The database did not answer (${why || "no reason given"}) to: ${statement}`,
      hint: "A job tries the same epoch again by itself. If it goes on: check the server, its disk, and restart the process."
    })
  }
  const isAppended = about === "row that is there" && `${reason} ${sql}`.includes("weir_job")
  return new StatementRefused({
    code,
    statement,
    message: `The database refused (${code}, ${why}): ${statement}`,
    hint: `Nothing of the transaction was kept. ${isAppended ? appendedBefore : mend}`
  })
}

const mend = "Mend the table or its constraint, or the row that breaks it."
/** The key of a table that is appended to is the place of the record. */
const appendedBefore =
  "The table has the rows of these records already, from before the job went back: `--tables` of `weir reset`, or of `weir run --from-savepoint`, removes them."
