/** What a failed statement of PostgreSQL means; the code is its SQLSTATE. */
import type { TablesError } from "../../flow/Tables.ts"
import * as SqlFailure from "./SqlFailure.ts"
import type { StatementFailure } from "./SqlSession.ts"

/** Classes that speak of the server, not of the statement: connection, resources, operator, system. */
const ofServer = /^(08|53|57|58|40001|40P01|55P03)/
/** It knows no such user, or another password of it. */
const ofUser = /^28/
const diskFull = "53100"
const rowIsThere = "23505"

export const ofStatement = (failure: StatementFailure): TablesError => SqlFailure.make(failure, aboutOf(failure))

const aboutOf = ({ code, reason }: StatementFailure): SqlFailure.About => {
  if (code === diskFull || /No space left on device|Read-only file system/.test(reason)) return "disk"
  if (!/^[0-9A-Z]{5}$/.test(code) || ofServer.test(code)) return "server"
  if (ofUser.test(code)) return "user"
  return code === rowIsThere ? "row that is there" : "statement"
}
