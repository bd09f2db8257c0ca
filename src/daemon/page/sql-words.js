/** SQL as words: enough to colour it, to know its tables, and to say what may stand at the caret. Pure. */
import { typeShown } from "./format.js"

export const keywords =
  "select from where group by having order limit offset join left right full inner outer cross on using as and or not in is null like ilike between case when then else end distinct union all except intersect with recursive asc desc true false exists values over partition filter lateral interval explain".split(
    " "
  )
const functions =
  "count sum avg min max round coalesce date_trunc date_bin now extract to_char length lower upper abs greatest least row_number rank lag lead string_agg array_agg percentile_cont".split(
    " "
  )
const keywordSet = new Set(keywords)
/** Completions that are offered at once: more are a list to read, not a help. */
const offeredMax = 12

const wordPattern =
  /(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<text>'(?:[^']|'')*(?:'|$))|(?<quoted>"(?:[^"]|"")*(?:"|$))|(?<number>\b\d+(?:\.\d+)?\b)|(?<name>[\p{L}_][\p{L}\p{N}_$]*)|(?<space>\s+)|(?<sign>.)/gsu

/** All words in order: `{kind, text, start, end}`; joined they are the text again. */
export const wordsOf = (sql) =>
  [...sql.matchAll(wordPattern)].map((match) => {
    const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined)
    const text = match[0]
    const isKeyword = kind === "name" && keywordSet.has(text.toLowerCase())
    return { kind: isKeyword ? "keyword" : kind, text, start: match.index, end: match.index + text.length }
  })

const isSpace = (word) => word.kind === "space" || word.kind === "comment"
const bare = (word) => (word.kind === "quoted" ? word.text.slice(1, -1).replaceAll('""', '"') : word.text)
const isNamed = (word) => word?.kind === "name" || word?.kind === "quoted"
const says = (word, ...texts) => word?.kind === "keyword" && texts.includes(word.text.toLowerCase())

/** The tables that a query names after `from`, `join` and their commas: `{table, alias}`. */
export const tablesOf = (sql) => {
  const words = wordsOf(sql).filter((word) => !isSpace(word))
  const found = []
  let inFrom = false
  for (let i = 0; i < words.length; i++) {
    const word = words[i]
    if (says(word, "from", "join")) inFrom = true
    else if (inFrom && word.text === ",") inFrom = true
    else {
      if (word.kind === "keyword" && !says(word, "as")) inFrom = false
      continue
    }
    let at = i + 1
    if (!isNamed(words[at])) continue
    while (words[at + 1]?.text === "." && isNamed(words[at + 2])) at += 2
    const table = bare(words[at])
    if (says(words[at + 1], "as")) at++
    const alias = isNamed(words[at + 1]) ? bare(words[at + 1]) : table
    found.push({ table, alias })
    i = isNamed(words[at + 1]) ? at + 1 : at
  }
  return found
}

/** A name as SQL takes it: quoted where it needs quotes. */
export const quoted = (name, dialect = "postgres") => {
  if (/^[a-z_][a-z0-9_]*$/.test(name) && !keywordSet.has(name)) return name
  return dialect === "mysql" ? `\`${name.replaceAll("`", "``")}\`` : `"${name.replaceAll('"', '""')}"`
}

/**
 * What may stand at the caret: `{start, end, options}`, the options being `{label, insert, detail, kind}`; `null`
 * inside a text or a comment. `asked`: a person asked for it, so that an empty word is completed too.
 */
export const complete = (sql, caret, { tables, dialect }, asked = false) => {
  const words = wordsOf(sql)
  const touching = words.find((word) => word.start < caret && caret <= word.end)
  if (touching !== undefined && ["text", "comment", "number"].includes(touching.kind)) return null
  const isWord = touching !== undefined && (touching.kind === "name" || touching.kind === "keyword")
  const start = isWord ? touching.start : caret
  const typed = sql.slice(start, caret)
  const before = words.filter((word) => word.end <= start && !isSpace(word))
  const afterPoint = before.at(-1)?.text === "."
  if (typed === "" && !afterPoint && !asked) return null
  const used = tablesOf(sql)
  const candidates = afterPoint
    ? columnsOf(
        tables,
        used.filter(
          (of) => of.alias === bare(before.at(-2) ?? before[0]) || of.table === bare(before.at(-2) ?? before[0])
        ),
        dialect
      )
    : expectsTable(before)
      ? tablesOffered(tables, dialect)
      : [
          ...columnsOf(tables, used, dialect),
          ...aliases(used, dialect),
          ...offered(keywords, "keyword"),
          ...offered(functions, "function"),
          ...tablesOffered(tables, dialect)
        ]
  const options = matching(candidates, typed)
  const isDone = options.length === 1 && options[0].label === typed
  return options.length === 0 || (isDone && !asked) ? null : { start, end: isWord ? touching.end : caret, options }
}

const expectsTable = (before) => {
  const last = before.at(-1)
  if (says(last, "from", "join")) return true
  if (last?.text !== ",") return false
  const clause = before.findLast((word) => word.kind === "keyword" && !says(word, "as"))
  return says(clause, "from", "join")
}

const columnsOf = (tables, used, dialect) => {
  const seen = new Set()
  return used.flatMap(({ table }) => {
    const columns = tables.find((of) => of.table.toLowerCase() === table.toLowerCase())?.columns ?? []
    return columns
      .filter(({ name }) => !seen.has(name) && seen.add(name))
      .map(({ name, type }) => ({
        label: name,
        insert: quoted(name, dialect),
        detail: typeShown(type),
        kind: "column"
      }))
  })
}

const aliases = (used, dialect) =>
  used
    .filter((of) => of.alias !== of.table)
    .map((of) => ({ label: of.alias, insert: quoted(of.alias, dialect), detail: of.table, kind: "table" }))

const tablesOffered = (tables, dialect) =>
  tables.map(({ table, columns }) => ({
    label: table,
    insert: quoted(table, dialect),
    detail: columns === null ? "table" : `${columns.length} columns`,
    kind: "table"
  }))

const offered = (texts, kind) =>
  texts.map((text) => ({ label: text, insert: kind === "function" ? `${text}(` : text, detail: kind, kind }))

/** Those that begin with what is typed, then those that hold it: columns of this query before all others. */
const matching = (candidates, typed) => {
  const wanted = typed.toLowerCase()
  const begin = candidates.filter((of) => of.label.toLowerCase().startsWith(wanted))
  const hold =
    wanted.length < 2
      ? []
      : candidates.filter(
          (of) => !begin.includes(of) && of.kind !== "keyword" && of.label.toLowerCase().includes(wanted)
        )
  return [...begin, ...hold].slice(0, offeredMax)
}
