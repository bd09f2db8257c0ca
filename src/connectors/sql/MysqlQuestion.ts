/** Which statements of MariaDB and MySQL a person may ask; the server is told that nothing may be written, too. */

const questions = new Set("select with values table explain show describe desc".split(" "))

/** Comments that the server runs, and files that an answer would go to. */
const hidden = /\/\*M?!|\binto\s+(?:outfile|dumpfile)\b/i

/** Is it one that may be asked? By its first word. */
export const isQuestion = (sql: string): boolean => {
  const word = /^(?:\s|\(|#[^\n]*(?:\n|$)|--\s[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*([a-z]+)/i.exec(sql)?.[1]?.toLowerCase()
  return word !== undefined && questions.has(word) && !hidden.test(sql)
}
