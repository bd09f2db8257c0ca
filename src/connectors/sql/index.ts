/** Tables of a database: the sinks that a job writes to (`Sql.upsert`, `Sql.append`), and the embedded database. */
export { layerMemory, layerPGlite } from "./SqlClient.ts"
export * as Sql from "./SqlSink.ts"
export type { StartSqlThread } from "./SqlThread.ts"
