/** Questions over files, answered by DuckDB in this process. Jobs do not need it: its driver is loaded with a question. */
export { ask, explain } from "./DuckDb.ts"
export { type Relation, relationOf } from "./Relation.ts"
