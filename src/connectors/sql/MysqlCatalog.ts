/** What is there in a database of MariaDB or MySQL: its tables and views, and their columns. */
import { Effect } from "effect"
import type { FoundTable, TablesError, TablesService } from "../../flow/Tables.ts"

type Query = TablesService["query"]

/**
 * The catalog finds names whatever their case: it is compared too where the server keeps tables apart by it. The name is
 * asked for twice.
 */
const described = `
  select c.column_name as name, lower(c.column_type) as type, c.collation_name as collation,
    c.is_nullable = 'YES' as nullable, s.seq_in_index as place
  from information_schema.columns c
  left join information_schema.statistics s on s.table_schema = c.table_schema and s.table_name = c.table_name
    and cast(s.table_name as binary) = cast(c.table_name as binary) and s.column_name = c.column_name and s.index_name = 'PRIMARY'
  where c.table_schema = database() and c.table_name = ?
    and (@@lower_case_table_names <> 0 or cast(c.table_name as binary) = cast(? as binary))
  order by c.ordinal_position`

export const describe = (query: Query, table: string): Effect.Effect<FoundTable | null, TablesError> =>
  Effect.map(query({ sql: described, parameters: [table, table] }), (rows) => {
    if (rows.length === 0) return null
    const keyed = rows.filter((row) => row.place !== null)
    keyed.sort((left, right) => Number(left.place) - Number(right.place))
    return {
      columns: rows.map((row) => ({
        name: String(row.name),
        type: typeOf(String(row.type), row.collation),
        nullable: Number(row.nullable) === 1
      })),
      primaryKey: keyed.map((row) => String(row.name))
    }
  })

/** Some servers give whole numbers a width, which means nothing. Of short text the collation says which keys are one. */
const typeOf = (type: string, collation: unknown): string =>
  /^varchar/.test(type) && typeof collation === "string"
    ? `${type} collate ${collation}`
    : type.replace(/^(int|bigint)\(\d+\)$/, "$1")

export const list = (query: Query): Effect.Effect<ReadonlyArray<string>, TablesError> =>
  Effect.map(query({ sql: listed, parameters: [] }), (rows) => rows.map((row) => String(row.name)))

const listed = `
  select table_name as name from information_schema.tables
  where table_schema = database() and table_name not like 'weir\\_%' order by 1`
