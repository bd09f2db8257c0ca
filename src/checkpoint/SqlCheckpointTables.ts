/** The tables in which a database keeps checkpoints: what they hold, and their version. */
import { Effect } from "effect"
import type { Column, Statement, TablesError, TablesService } from "../flow/Tables.ts"
import { FolderNewer, type RowsUnexpected } from "../model/Errors.ts"
import { saying } from "./SqlText.ts"

/** Version of these tables. */
const version = 1

/** A row as a query answers it. */
export type Row = Readonly<Record<string, unknown>>

const text = (name: string): Column => ({ name, type: { kind: "text" }, nullable: false })
const integer = (name: string): Column => ({ name, type: { kind: "int64" }, nullable: false })

export const stateColumns: ReadonlyArray<Column> = [
  text("job"),
  integer("lineage"),
  text("step"),
  integer("key_group"),
  integer("epoch"),
  text("kind"),
  { name: "bytes", type: { kind: "bytes" }, nullable: false },
  integer("checksum")
]
export const stateKey = stateColumns.slice(0, 5)

export const lookupColumns: ReadonlyArray<Column> = [
  text("job"),
  integer("lineage"),
  text("lookup"),
  text("version"),
  integer("part"),
  integer("parts"),
  { name: "bytes", type: { kind: "bytes" }, nullable: false },
  integer("checksum")
]
/** Of all parts of a version. */
export const lookupKey = lookupColumns.slice(0, 4)

const named = (columns: ReadonlyArray<Column>): ReadonlyArray<Column> => [
  text("job"),
  text("name"),
  ...columns.filter(({ name }) => name !== "job" && name !== "lineage")
]

const creations = ({ dialect }: TablesService): ReadonlyArray<Statement> => [
  dialect.createTable(
    "weir_job",
    [text("job"), text("job_id"), ...["lineage", "generation", "epoch_floor", "intended", "committed"].map(integer)],
    ["job"]
  ),
  dialect.createTable(
    "weir_intent",
    [text("job"), integer("lineage"), integer("epoch"), text("body"), integer("checksum")],
    ["job", "lineage", "epoch"]
  ),
  dialect.createTable(
    "weir_manifest",
    [text("job"), integer("lineage"), integer("epoch"), text("body"), integer("checksum")],
    ["job", "lineage", "epoch"]
  ),
  dialect.createTable(
    "weir_state",
    stateColumns,
    stateKey.map((column) => column.name)
  ),
  dialect.createTable("weir_lookup", lookupColumns, [...lookupKey.map((column) => column.name), "part"]),
  dialect.createTable(
    "weir_savepoint",
    [text("job"), text("name"), integer("taken_at"), text("body"), integer("checksum")],
    ["job", "name"]
  ),
  dialect.createTable("weir_savepoint_state", named(stateColumns), ["job", "name", "step", "key_group", "epoch"]),
  dialect.createTable("weir_savepoint_lookup", named(lookupColumns), ["job", "name", "lookup", "version", "part"]),
  dialect.createTable("weir_pause", [text("job"), text("body")], ["job"]),
  dialect.createTable("weir_progress", [text("job"), integer("epoch"), text("body")], ["job", "epoch"])
]

/**
 * Creates what is missing of the tables. Fails with `FolderNewer` where a newer version of Weir has written: nothing
 * is changed then.
 */
export const prepare = (tables: TablesService): Effect.Effect<void, TablesError | RowsUnexpected | FolderNewer> =>
  Effect.gen(function* () {
    const { dialect } = tables
    const columns = [text("part"), integer("version")]
    yield* tables.transaction([dialect.createTable("weir_version", columns, ["part"])])
    const [found] = yield* tables.query(saying(dialect)`select version from weir_version where part = ${"checkpoint"}`)
    if (found !== undefined && Number(found.version) > version) return yield* Effect.fail(newer(tables, found))
    yield* tables.transaction([
      ...creations(tables),
      ...dialect.upsert("weir_version", columns, ["part"], [["checkpoint"], [version]])
    ])
  })

const newer = (tables: TablesService, found: Row): FolderNewer =>
  new FolderNewer({
    folder: tables.identity,
    message: `the checkpoints in ${tables.identity} are of version ${found.version}; this Weir knows ${version}`,
    hint: "run the newer version of Weir, or use another database"
  })
