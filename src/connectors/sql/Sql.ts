/** Tables as sinks and lookups. */
export { lookup } from "./SqlLookup.ts"
export { append, replace, type SqlSinkError, type UpsertOptions, upsert, type View } from "./SqlSink.ts"
