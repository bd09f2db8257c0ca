/** The records of a test's input, from the forms in which a test may say them. */
import { fieldsOf, jsonOfRow, jsonOfText, type RowField } from "../flow/RowFields.ts"
import type { Topology } from "../flow/Topology.ts"
import * as Suggestion from "../model/Suggestion.ts"
import * as Table from "./JobTestTable.ts"

/** By topic. */
export type Records = Readonly<Record<string, string | ReadonlyArray<unknown>>>

/** The values of a topic; throws `TypeError` for text that is none of its forms. */
export const valuesOf = (
  topology: Topology,
  topic: string,
  given: string | ReadonlyArray<unknown>
): ReadonlyArray<unknown> => {
  if (typeof given !== "string") return given
  const text = given.trim()
  if (/^[[{]/.test(text)) return text.split(/\r?\n/).flatMap((line) => (line.trim() === "" ? [] : [line.trim()]))
  const table = Table.parse(given)
  const fields = rowFields(topology, topic)
  const unknown = table.columns.find((column) => fields !== null && !fields.some(({ name }) => name === column))
  if (unknown !== undefined)
    throw new TypeError(
      `its records have no field '${unknown}'. ${Suggestion.sentence(
        unknown,
        fields!.map(({ name }) => name)
      )}`
    )
  const columns = table.columns.map((name) => fields?.find((field) => field.name === name) ?? anyField(name))
  return table.rows.map((row) => jsonOfRow(columns, (field, i) => jsonOfText(field, row[i]!)))
}

// Private

/** The fields of a topic's records, as the job decodes them; `null`: it does not, or they have none. */
const rowFields = ({ edges, nodes }: Topology, topic: string): ReadonlyArray<RowField> | null => {
  const readers = edges.filter(({ from }) => from === topic).map(({ to }) => nodes.find(({ id }) => id === to)!)
  for (const { spec } of readers)
    if (spec.kind === "decode" && spec.value.codec.name === "json") return fieldsOf(spec.value.schema)
  return null
}

/** A field of which nothing is known: JSON where it is some, else text. */
const anyField = (name: string): RowField => ({ name, kind: "json", nullable: true, optional: true, column: null })
