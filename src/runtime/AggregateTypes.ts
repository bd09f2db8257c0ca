/**
 * The row types of aggregates: of a group its key, the bounds of its window and its results; of a frame its event and
 * its results.
 *
 * A sum of decimals keeps their scale and may outgrow their precision: `decimal(*, 2)`. An average of whole numbers and
 * decimals has six places.
 */
import type { Aggregate } from "../flow/Aggregate.ts"
import type { Frame } from "../flow/Frame.ts"
import type { KeyColumn } from "../flow/Topology.ts"
import type { Grouping } from "./Graph.ts"
import * as Shape from "./RowShape.ts"

type AnyAggregate = Aggregate<never, any, unknown>

/** A column of rows that are made: its type, and what it holds in each of them. */
interface Column extends Shape.Known {
  readonly name: string
}

/** When sampled events happen: a job's functions see an instant of an ordinary day. */
export const sampledAt = Date.UTC(2018, 8, 21, 7, 20)

/** Rows of groups: each sampled row and the one behind it make one. */
export const ofGroups = (
  aggregates: Readonly<Record<string, AnyAggregate>>,
  { keyBy, window }: Grouping,
  input: Shape.Known
): Shape.Known => {
  const columns = [
    ...(keyBy?.columns ?? []).map((column) => keyOf(column, input)),
    ...(window === null ? [] : [boundOf("windowStart", 0, input), boundOf("windowEnd", 1, input)]),
    ...Object.entries(aggregates).map(([name, aggregate]) => resultOf(name, aggregate, input))
  ]
  return { type: structOf(columns), values: input.values.map((_, i) => rowOf(columns, i)) }
}

/** Rows of frames: some have the result of two sampled rows, some, where frames ask for more rows, have none. */
export const ofFrames = (frames: Readonly<Record<string, Frame<never, unknown>>>, input: Shape.Known): Shape.Known => {
  const columns = Object.entries(frames).map(([name, { aggregate, minRows }]): Column => {
    const { type, values } = resultOf(name, aggregate, input)
    return minRows === 1
      ? { name, type, values }
      : { name, type: Shape.nullable(type), values: values.map((value, i) => (i % 2 === 0 ? value : null)) }
  })
  const framed = (type: Shape.Shape): Shape.Shape =>
    "fields" in type
      ? { ...type, fields: [...type.fields.filter(({ name }) => !(name in frames)), ...structOf(columns).fields] }
      : type
  return {
    type: "members" in input.type ? Shape.union(input.type.members.map(framed)) : framed(input.type),
    values: input.values.map((value, i) => ({ ...(value as object), ...rowOf(columns, i) }))
  }
}

// Private

const structOf = (columns: ReadonlyArray<Column>) => ({
  kind: "struct" as const,
  fields: columns.map(({ name, type }) => ({ name, type, optional: false }))
})

const rowOf = (columns: ReadonlyArray<Column>, index: number): object =>
  Object.fromEntries(columns.map(({ name, values }) => [name, values[index]]))

const keyOf = ({ name, of }: KeyColumn, input: Shape.Known): Column => {
  const values = input.values.map((row) => of(row as never))
  return { name, type: Shape.ofValues(values, [input], name), values }
}

const boundOf = (name: string, minutes: number, { values }: Shape.Known): Column => ({
  name,
  type: { kind: "instant" },
  values: values.map((_, i) => sampledAt + (i + minutes) * 60_000)
})

const resultOf = (name: string, aggregate: AnyAggregate, input: Shape.Known): Column => {
  const rows = input.values
  const add = (state: unknown, offset: number): unknown => {
    const place = { eventTime: sampledAt, origin: "", partition: 0, offset, row: 0 }
    return aggregate.add(state, rows[offset] as never, place)
  }
  const values = rows.map((_, i) => aggregate.result(add(add(aggregate.empty(), i), (i + 1) % rows.length)))
  return { name, type: typeOf(aggregate, values, input), values }
}

const typeOf = ({ gives }: AnyAggregate, results: ReadonlyArray<unknown>, input: Shape.Known): Shape.Shape => {
  if (gives === undefined) return Shape.ofValues(results, [input])
  if (!("of" in gives)) return gives.kind === "count" ? { kind: "int64" } : { kind: "array", element: input.type }
  const taken = Shape.ofValues(
    input.values.map((row) => gives.of(row as never)),
    [input]
  )
  if (gives.kind === "value") return taken
  if (taken.kind === "number" || taken.kind === "int") return { kind: "number" }
  const scale = gives.kind === "mean" ? "6" : /^decimal\(.*, (\d+)\)$/.exec(taken.kind)?.[1]
  return scale === undefined ? taken : { kind: `decimal(*, ${scale})` }
}
