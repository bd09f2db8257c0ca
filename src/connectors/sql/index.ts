/**
 * Tables of a database: the sinks that a job writes to (`Sql.upsert`, `Sql.append`, `Sql.replace`), tables that it
 * looks rows up in (`Sql.lookup`), the embedded database and database servers.
 */

export { layerMysql, type MysqlOptions } from "./MysqlClient.ts"
export { layerPostgres, type PostgresOptions } from "./PostgresClient.ts"
export * as Sql from "./Sql.ts"
export { layerMemory, layerPGlite } from "./SqlClient.ts"
export type { StartSqlThread } from "./SqlThread.ts"
