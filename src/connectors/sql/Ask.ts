/**
 * A person's SQL for PostgreSQL, bounded: one reading statement, in a transaction that may only read.
 *
 * The embedded server cannot be interrupted. So the time bound is looked at between fetches of some rows: it ends a
 * long answer, not a statement that computes long before its first row. A server of its own bounds that too.
 */
import type { Answer } from "../../flow/Tables.ts"

/** One statement's rows, every value as the server spells it. */
export type TextRows = (sql: string) => Promise<Pick<Answer, "columns" | "rows">>

export interface Bounds {
  readonly rowsMax: number
  readonly millisMax: number
}

/** Rows between two looks at the clock. */
const fetchRowsMax = 1_000

/** Is it one that may be asked? */
export const isQuestion = (sql: string): boolean => kindOf(sql) !== "other"

/** Inside a transaction that may only read, and is taken back afterwards. `now`: milliseconds of any clock. */
export const ask = (rowsOf: TextRows, sql: string, bounds: Bounds, now: () => number): Promise<Answer> =>
  kindOf(sql) === "rows" ? fetchAll(rowsOf, sql, bounds, now) : answerOnce(rowsOf, sql, bounds)

/** Words that begin the server's other statements: they write, or change the session. */
const otherWords = new Set(
  (
    "abort alter analyse analyze begin call checkpoint close cluster comment commit copy create deallocate declare " +
    "delete discard do drop end execute fetch grant import insert listen load lock merge move notify prepare reassign " +
    "refresh reindex release reset revoke rollback savepoint security set start truncate unlisten update vacuum"
  ).split(" ")
)

/**
 * By its first word. A cursor takes `rows` only, and no statement that writes; `little` answers little. A word that
 * begins no statement goes to the cursor too: the server then says where the mistake is.
 */
const kindOf = (sql: string): "rows" | "little" | "other" => {
  const word = /^(?:\s|\(|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*([a-z]+)/i.exec(sql)?.[1]?.toLowerCase()
  if (word === "explain" || word === "show") return "little"
  return word === undefined || otherWords.has(word) ? "other" : "rows"
}

const fetchAll = async (rowsOf: TextRows, sql: string, bounds: Bounds, now: () => number): Promise<Answer> => {
  const deadline = now() + bounds.millisMax
  await rowsOf(`declare weir_answer no scroll cursor for ${withoutEnd(sql)}`)
  const rows: Array<ReadonlyArray<string | null>> = []
  for (;;) {
    const wanted = Math.min(fetchRowsMax, bounds.rowsMax + 1 - rows.length)
    const { columns, rows: found } = await rowsOf(`fetch ${wanted} from weir_answer`)
    for (const row of found) rows.push(row)
    if (rows.length > bounds.rowsMax) return { columns, rows: rows.slice(0, bounds.rowsMax), truncated: true }
    if (found.length < wanted) return { columns, rows, truncated: false }
    if (now() >= deadline) return { columns, rows, truncated: true }
  }
}

const answerOnce = async (rowsOf: TextRows, sql: string, bounds: Bounds): Promise<Answer> => {
  const { columns, rows } = await rowsOf(sql)
  return { columns, rows: rows.slice(0, bounds.rowsMax), truncated: rows.length > bounds.rowsMax }
}

/** Semicolons at the end are how people end a statement; the cursor's own text goes on behind it. */
const withoutEnd = (sql: string): string => sql.replace(/[\s;]+$/, "")
