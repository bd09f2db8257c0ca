/** What a failed statement of MariaDB or MySQL means; the code is the server's own number. */
import type { TablesError } from "../../flow/Tables.ts"
import * as SqlFailure from "./SqlFailure.ts"
import type { StatementFailure } from "./SqlSession.ts"

const ofServer = new Set([
  "1040", // too many connections
  "1041", // out of memory
  "1037",
  "1038",
  "1053", // the server shuts down
  "1077",
  "1079",
  "1080",
  "1158", // the network
  "1159",
  "1160",
  "1161",
  "1203", // too many connections of this user
  "1205", // waited too long for a lock
  "1213", // a deadlock
  "1226", // the user's share is used up
  "1290", // read-only for the time being
  "1317", // ended by an operator
  "1836",
  "1927",
  "1020", // the row has changed since it was read
  "1969", // took too long
  "3024",
  "4031" // the transaction waited too long for its next statement
])
const ofUser = new Set([
  "1045", // another password, or no such user
  "1698",
  "1820", // the password has to be changed
  "1862", // the password has expired
  "3118", // the user is locked
  "4151"
])
const ofDisk = new Set(["1021", "1114"])
const rowIsThere = "1062"

export const ofStatement = (failure: StatementFailure): TablesError => SqlFailure.make(failure, aboutOf(failure))

const aboutOf = ({ code, reason }: StatementFailure): SqlFailure.About => {
  if (ofDisk.has(code) || /No space left on device|Read-only file system/.test(reason)) return "disk"
  if (!/^\d+$/.test(code) || ofServer.has(code)) return "server"
  if (ofUser.has(code)) return "user"
  return code === rowIsThere ? "row that is there" : "statement"
}
