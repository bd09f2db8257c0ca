/** JSON whose numbers keep their digits. */

/** A number, by its digits. */
export class Digits {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** JSON with its numbers as `Digits`. Throws for what is no JSON. */
export const parse = (text: string): unknown => {
  JSON.parse(text)
  // In JSON that was accepted a number stands outside of strings only: each is replaced by how many came before it.
  const numbers: Array<string> = []
  const counted = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    token.startsWith('"') ? token : String(numbers.push(token) - 1)
  )
  return JSON.parse(counted, (_, value) => (typeof value === "number" ? new Digits(numbers[value]!) : value))
}

/** The text of what `parse` gave: every number as it was written. */
export const write = (value: unknown): string => {
  if (value instanceof Digits) return value.text
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([name, field]) => `${JSON.stringify(name)}:${write(field)}`)
    .join(",")}}`
}
