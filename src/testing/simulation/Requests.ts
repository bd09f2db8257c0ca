/** What is asked of a database, in words. */
import type { Statement } from "../../flow/Tables.ts"

export interface Words {
  /** Which kind of request it is, and of which job: `commits an epoch of orders`. */
  readonly what: string
  /** What is the request's own, for the story: `epoch 7, 12 rows into shop_item_income`. */
  readonly details: () => string
}

/** The whole of it. */
export const said = ({ details, what }: Words): string => {
  const own = details()
  return own === "" ? what : `${what}: ${own}`
}

/** What every process asks when it starts, and what changes nothing but for the first. */
export const creates = "creates the tables that are missing"

/** Statements of one transaction, or a question. */
export const of = (statements: ReadonlyArray<Statement>): Words => {
  const [first] = statements
  const kind = first === undefined ? undefined : kinds.find(({ begins }) => first.sql.startsWith(begins))
  if (first === undefined || kind === undefined) return { what: fallback(statements), details: () => "" }
  const { details, what } = kind
  return {
    what: what(first.parameters),
    details: () => [details(first.parameters), ...rows(statements)].join(", ")
  }
}

interface Kind {
  /** How its first statement begins. */
  readonly begins: string
  readonly what: (parameters: ReadonlyArray<unknown>) => string
  readonly details: (parameters: ReadonlyArray<unknown>) => string
}

const kinds: ReadonlyArray<Kind> = [
  {
    begins: "update weir_job set intended =",
    what: (at) => `writes an intent of ${at[1]}`,
    details: (at) => `epoch ${at[0]}`
  },
  {
    begins: "update weir_job set committed =",
    what: (at) => `commits an epoch of ${at[1]}`,
    details: (at) => `epoch ${at[0]}`
  },
  {
    begins: "update weir_job set generation =",
    what: (at) => `claims ${at[2]}`,
    details: (at) => `generation ${at[0]}`
  },
  { begins: "insert into weir_job ", what: (at) => `claims ${at[0]}`, details: (at) => `generation ${at[3]}` },
  {
    begins: "insert into weir_fence ",
    what: (at) => `takes the fence of ${at[1]} for ${at[0]}`,
    details: (at) => `generation ${at[4]}, at epoch ${at[5]}`
  },
  {
    begins: "update weir_fence set lineage =",
    what: (at) => `takes the fence of ${at[4]} for ${at[3]}`,
    details: (at) => `generation ${at[1]}, at epoch ${at[2]}`
  },
  {
    begins: "update weir_fence set epoch =",
    what: (at) => `writes an epoch of ${at[2]} to ${at[3]}`,
    details: (at) => `epoch ${at[0]}`
  }
]

/** How many rows of users' tables are written and removed. */
const rows = (statements: ReadonlyArray<Statement>): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const { parameters, sql } of statements) {
    const [, verb, table, columns] = /^(insert into|delete from) "([^"]+)"(?: where)? \(([^)]*)\)/.exec(sql) ?? []
    if (table === undefined || columns === undefined || table.startsWith("weir_")) continue
    const where = verb === "insert into" ? `into ${table}` : `out of ${table}`
    counts.set(where, (counts.get(where) ?? 0) + parameters.length / columns.split(",").length)
  }
  return [...counts].map(([where, count]) => `${count} ${count === 1 ? "row" : "rows"} ${where}`)
}

/** The first words of statements. */
const fallback = (statements: ReadonlyArray<Statement>): string =>
  statements.every(({ sql }) => /^(create table|insert into "weir_version")/.test(sql))
    ? creates
    : [...new Set(statements.map(({ sql }) => firstWords(sql)))].join(", ")

const firstWords = (sql: string): string => {
  const [, verb, rest = ""] = /^\s*(\w+)([\s\S]*)$/.exec(sql) ?? []
  const [, table] = /\b(?:from|into|table|update)\s+(?:if not exists\s+)?"?([\w.]+)/.exec(` ${verb} ${rest}`) ?? []
  return `${verb ?? "?"} ${table ?? ""}`.trim()
}
