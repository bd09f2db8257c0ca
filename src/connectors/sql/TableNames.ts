/** Names of tables, views and columns. */

/** Why no database can have the name; `null`: one may. */
export const refused = (name: string): string | null => {
  if (name === "") return "it is empty"
  if (name.includes("\u0000")) return "it holds U+0000"
  return /[\ud800-\udfff]/u.test(name) ? "it holds half of a surrogate pair" : null
}
