/** What a person is told whose question was refused, here or by the server. */
import type { TablesError } from "../../flow/Tables.ts"
import { StatementRefused } from "../../model/Errors.ts"

const tablesAreWrittenByJobs =
  "Tables are written by jobs. To change one by hand, stop the daemon and open the database with a client of its own."

/** Of a statement that is no question. */
export const noQuestion = (sql: string): StatementRefused =>
  new StatementRefused({
    code: "25006",
    statement: sql.slice(0, 200),
    message: "Only one reading statement is answered here: select, with, values, table, explain or show",
    hint: tablesAreWrittenByJobs
  })

/** Hints for a person's statement, by the server's code. */
const hints: Readonly<Record<string, string>> = {
  "42P01": "`weir query` without a statement is a prompt: `\\dt` lists the tables.",
  "42703": "`weir query` without a statement is a prompt: `\\d <table>` lists the columns of a table.",
  "42501": tablesAreWrittenByJobs,
  "25006": tablesAreWrittenByJobs,
  "0A000": tablesAreWrittenByJobs,
  "1146": "`weir query` without a statement is a prompt: `\\dt` lists the tables.",
  "1054": "`weir query` without a statement is a prompt: `\\d <table>` lists the columns of a table.",
  "1142": tablesAreWrittenByJobs,
  "1792": tablesAreWrittenByJobs
}

/** Codes of a statement that a server ended because its time was up: of PostgreSQL, MariaDB and MySQL. */
const timeIsUp = ["57014", "1969", "3024"]

/** What the server refused, with how to mend a question instead of what a job writes. */
export const explained = (error: TablesError): TablesError => {
  if (error._tag === "TablesUnavailable" && timeIsUp.includes(error.code))
    return new StatementRefused({
      code: error.code,
      statement: "",
      message: "The answer took longer than a question may take",
      hint: "Ask for less: a narrower where, a limit, or a column that has an index."
    })
  if (error._tag !== "StatementRefused") return error
  return new StatementRefused({
    code: error.code,
    statement: error.statement,
    message: error.message,
    hint: hints[error.code] ?? "Mend the statement; it is the database's own SQL, one statement at a time."
  })
}
