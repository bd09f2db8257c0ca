/** Plain values as a Schema of JavaScript expects them: what JSON would have given it. */
import { formatDecimal } from "../../model/Columns.ts"
import { isEventTime } from "../../model/Time.ts"
import { putField } from "./RowMaker.ts"
import type { Shape } from "./Shape.ts"
import { formatDate, type Member, type WireType } from "./Wire.ts"

/** A plain value as JavaScript has it: digits as text where the Schema wants them, else as a number. */
export const naturalOf = (type: WireType, plain: unknown, shape: Shape): unknown => {
  switch (type.kind) {
    case "int":
    case "double":
      return wantsText(shape) ? String(plain) : plain
    case "long":
      return wantsText(shape) || !Number.isSafeInteger(Number(plain)) ? String(plain) : Number(plain)
    case "decimal":
      return formatDecimal(plain as bigint, type.scale)
    case "instant":
      return isEventTime(plain as number) ? new Date(plain as number).toISOString() : plain
    case "date":
      return formatDate(plain as number)
    case "nullable":
      return plain === null ? null : naturalOf(type.of, plain, shape)
    case "union": {
      const { member, value } = plain as Member
      return naturalOf(type.members[member]!, value, shape)
    }
    case "list":
      return (plain as ReadonlyArray<unknown>).map((element, i) => naturalOf(type.of, element, shape.element(i)))
    case "map":
      return naturalFields(Object.entries(plain as object), () => type.of, shape)
    case "record": {
      const types = new Map(type.fields().map((field) => [field.name, field.type]))
      return naturalFields(Object.entries(plain as object), (name) => types.get(name)!, shape)
    }
    default:
      return plain
  }
}

/** Where the Schema takes no number as such, it takes its text. */
const wantsText = ({ number }: Shape): boolean => number !== "double"

const naturalFields = (
  entries: ReadonlyArray<readonly [string, unknown]>,
  typeOf: (name: string) => WireType,
  shape: Shape
): object => {
  const natural: Record<string, unknown> = {}
  for (const [name, value] of entries) putField(natural, name, naturalOf(typeOf(name), value, shape.field(name)))
  return natural
}
