/**
 * Patterns of file names: `*` is any text, `?` any character, `[a-c]` one of these, `[!a-c]` none of them, `{csv,txt}`
 * one of these patterns. All else is itself; a backslash makes the next character itself.
 */

/** Throws `RangeError` where a bracket is not closed, or holds nothing, as `[z-a]`. */
export const matching = (pattern: string): ((name: string) => boolean) => {
  const expression = compiled(pattern, `^${expressionOf(pattern)}$`)
  return (name) => expression.test(name)
}

// Private

const compiled = (pattern: string, expression: string): RegExp => {
  try {
    return new RegExp(expression, "su")
  } catch {
    throw new RangeError(`The pattern ${JSON.stringify(pattern)} is none: look at what stands in its brackets`)
  }
}

const expressionOf = (pattern: string): string => {
  let expression = ""
  let depth = 0
  let isStar = false
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!
    if (char === "*") {
      // One of several behind each other is as good, and costs less.
      if (!isStar) expression += ".*"
      isStar = true
      continue
    }
    isStar = false
    if (char === "?") expression += "."
    else if (char === "[") {
      const end = pattern.indexOf("]", i + 2)
      if (end < 0) throw unclosed(pattern, "[")
      expression += classOf(pattern.slice(i + 1, end))
      i = end
    } else if (char === "{") {
      depth++
      expression += "(?:"
    } else if (char === "}" && depth > 0) {
      depth--
      expression += ")"
    } else if (char === "," && depth > 0) expression += "|"
    else expression += literal(char === "\\" && i + 1 < pattern.length ? pattern[++i]! : char)
  }
  if (depth > 0) throw unclosed(pattern, "{")
  return expression
}

const classOf = (members: string): string => {
  const negated = members.startsWith("!") && members.length > 1
  const chars = (negated ? members.slice(1) : members).replaceAll(/[\\\]^[]/g, "\\$&")
  return `[${negated ? "^" : ""}${chars}]`
}

const literal = (char: string): string => char.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&")

const unclosed = (pattern: string, bracket: string) =>
  new RangeError(`The pattern ${JSON.stringify(pattern)} opens a ${bracket} and does not close it`)
