/** Tables of a database: sinks that a job writes to, and the embedded database itself. */
export { layerMemory, layerPGlite } from "./SqlClient.ts"
export { append, type SqlSinkError, type UpsertOptions, upsert } from "./SqlSink.ts"
