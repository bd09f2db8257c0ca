/** The records of a test's input, from the forms in which a test may say them. */
import { fieldsOf, jsonOfRow, jsonOfText, type RowField } from "../flow/RowFields.ts"
import type { Topology } from "../flow/Topology.ts"
import * as Suggestion from "../model/Suggestion.ts"
import * as Table from "./JobTestTable.ts"
import * as SourceRecords from "./SourceRecords.ts"

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
const rowFields = (topology: Topology, topic: string): ReadonlyArray<RowField> | null => {
  const decode = SourceRecords.decodeOf(topology, topic)
  return decode === null || decode.value.codec.name !== "json" ? null : fieldsOf(decode.value.schema)
}

/** A field of which nothing is known: JSON where it is some, else text. */
const anyField = (name: string): RowField => ({ name, kind: "json", nullable: true, optional: true, column: null })
