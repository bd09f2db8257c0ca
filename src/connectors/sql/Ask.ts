/**
 * A person's SQL, bounded: one reading statement, in a read-only transaction, as a role that may only read.
 *
 * The embedded server cannot be interrupted. So the time bound is looked at between fetches of some rows: it ends a
 * long answer, not a statement that computes long before its first row.
 */
import type { Answer } from "../../flow/Tables.ts"

/** What this needs of the driver's session, inside a transaction and around it. */
interface Held {
  readonly exec: (sql: string) => Promise<unknown>
  readonly query: (
    sql: string,
    parameters: [],
    options: { readonly rowMode: "array"; readonly parsers: Readonly<Record<number, (text: string) => string>> }
  ) => Promise<{ readonly rows: Array<unknown>; readonly fields: ReadonlyArray<{ readonly name: string }> }>
  readonly rollback: () => Promise<void>
}
interface Session {
  readonly transaction: <A>(body: (held: Held) => Promise<A>) => Promise<A>
}

export interface Bounds {
  readonly rowsMax: number
  readonly millisMax: number
}

/** Rows between two looks at the clock. */
const fetchRowsMax = 1_000

/** Is it one that may be asked? */
export const isQuestion = (sql: string): boolean => kindOf(sql) !== "other"

/** `now`: milliseconds of any clock. */
export const ask = (session: Session, sql: string, bounds: Bounds, now: () => number): Promise<Answer> =>
  session.transaction(async (held) => {
    await held.exec("set transaction read only; set local role pg_read_all_data")
    const answer = kindOf(sql) === "rows" ? await fetchAll(held, sql, bounds, now) : await answerOnce(held, sql, bounds)
    await held.rollback()
    return answer
  })

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

/** Object ids of the types that the server brings along, arrays among them, are below this; all others come as text. */
const ownTypesMax = 8_000
const text = (value: string): string => value
const asText = {
  rowMode: "array",
  // The driver copies it over its own, so every type has to be there.
  parsers: Object.fromEntries(Array.from({ length: ownTypesMax }, (_, type) => [type, text]))
} as const

type Rows = ReadonlyArray<ReadonlyArray<string | null>>

const fetchAll = async (held: Held, sql: string, bounds: Bounds, now: () => number): Promise<Answer> => {
  const deadline = now() + bounds.millisMax
  await held.query(`declare weir_answer no scroll cursor for ${withoutEnd(sql)}`, [], asText)
  const rows: Array<ReadonlyArray<string | null>> = []
  let columns: ReadonlyArray<string> = []
  for (;;) {
    const wanted = Math.min(fetchRowsMax, bounds.rowsMax + 1 - rows.length)
    const found = await held.query(`fetch ${wanted} from weir_answer`, [], asText)
    columns = found.fields.map((field) => field.name)
    for (const row of found.rows as unknown as Rows) rows.push(row)
    if (rows.length > bounds.rowsMax) return { columns, rows: rows.slice(0, bounds.rowsMax), truncated: true }
    if (found.rows.length < wanted) return { columns, rows, truncated: false }
    if (now() >= deadline) return { columns, rows, truncated: true }
  }
}

const answerOnce = async (held: Held, sql: string, bounds: Bounds): Promise<Answer> => {
  const found = await held.query(sql, [], asText)
  const rows = found.rows as unknown as Rows
  return {
    columns: found.fields.map((field) => field.name),
    rows: rows.slice(0, bounds.rowsMax),
    truncated: rows.length > bounds.rowsMax
  }
}

/** Semicolons at the end are how people end a statement; the cursor's own text goes on behind it. */
const withoutEnd = (sql: string): string => sql.replace(/[\s;]+$/, "")
