/** What is there in a database of PostgreSQL: its tables and views, and their columns. */
import { Effect } from "effect"
import type { FoundTable, TablesError, TablesService } from "../../flow/Tables.ts"

type Query = TablesService["query"]

const described = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
    array_position(i.indkey::smallint[], a.attnum) as place
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_index i on i.indrelid = c.oid and i.indisprimary
  where c.relname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f') and pg_table_is_visible(c.oid)
  order by a.attnum`

export const describe = (query: Query, table: string): Effect.Effect<FoundTable | null, TablesError> =>
  Effect.map(query({ sql: described, parameters: [table] }), (rows) => {
    if (rows.length === 0) return null
    const keyed = rows.filter((row) => row.place !== null)
    keyed.sort((left, right) => Number(left.place) - Number(right.place))
    return {
      columns: rows.map((row) => ({
        name: String(row.name),
        type: String(row.type),
        nullable: row.nullable === true
      })),
      primaryKey: keyed.map((row) => String(row.name))
    }
  })

export const list = (query: Query): Effect.Effect<ReadonlyArray<string>, TablesError> =>
  Effect.map(query({ sql: listed, parameters: [] }), (rows) => rows.map((row) => String(row.name)))

const listed = `
  select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
    and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
    and c.relname not like 'weir\\_%' and pg_table_is_visible(c.oid)
  order by 1`
