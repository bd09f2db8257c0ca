/**
 * Tables of a database: the sinks that a job writes to (`Sql.upsert`, `Sql.append`), tables that it looks rows up in
 * (`Sql.lookup`), and the embedded database.
 */

export * as Sql from "./Sql.ts"
export { layerMemory, layerPGlite } from "./SqlClient.ts"
export type { StartSqlThread } from "./SqlThread.ts"
