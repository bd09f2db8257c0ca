/** Arrays as PostgreSQL writes them: `{1,NULL,"a \"b\""}`, nested ones too. */

/** Reads an array whose elements are read by `element`. Bounds that do not begin at 1 are left out. */
export const parser =
  (element: (text: string) => unknown) =>
  (text: string): ReadonlyArray<unknown> => {
    let at = text.indexOf("{")
    const readArray = (): ReadonlyArray<unknown> => {
      const found: Array<unknown> = []
      at++
      while (text[at] !== "}") {
        if (text[at] === ",") at++
        else found.push(text[at] === "{" ? readArray() : text[at] === '"' ? element(readQuoted()) : readPlain())
      }
      at++
      return found
    }
    const readQuoted = (): string => {
      let read = ""
      for (at++; text[at] !== '"'; at++) {
        if (text[at] === "\\") at++
        read += text[at]
      }
      at++
      return read
    }
    const readPlain = (): unknown => {
      const start = at
      while (text[at] !== "," && text[at] !== "}") at++
      const read = text.slice(start, at)
      return read === "NULL" ? null : element(read)
    }
    return readArray()
  }
