/**
 * Where the numbers of a value are wanted as their text, because a Schema makes an Int64 or a Decimal of them.
 *
 * Elsewhere they are doubles. Members of a union may want both; then the text is tried first.
 */
import { Option, type SchemaAST } from "effect"
import { columnType } from "../../model/Columns.ts"

export interface Shape {
  /** What a number here is to become; `either` for a union, `none` if no number is wanted. */
  readonly number: "text" | "double" | "either" | "none"
  readonly field: (name: string) => Shape
  readonly element: (index: number) => Shape
}

/** A value that nothing is known of. */
export const plain: Shape = { number: "double", field: () => plain, element: () => plain }
const none: Shape = { number: "none", field: () => none, element: () => none }
const text: Shape = { ...none, number: "text" }

const known = new WeakMap<SchemaAST.AST, Shape>()

/** The shape of what a Schema decodes. */
export const shapeOf = (ast: SchemaAST.AST): Shape => {
  const shape = known.get(ast) ?? makeShape(ast)
  known.set(ast, shape)
  return shape
}

const makeShape = (ast: SchemaAST.AST): Shape => {
  const column = Option.getOrNull(columnType(ast))
  if (column !== null) return column.kind === "instant" ? plain : text
  switch (ast._tag) {
    case "Refinement":
    case "Transformation":
      return shapeOf(ast.from)
    case "Suspend":
      return later(() => shapeOf(ast.f()))
    case "Union":
      return ast.types.map(shapeOf).reduce(merge, none)
    case "TypeLiteral":
      return objectShape(ast)
    case "TupleType":
      return { ...none, element: (i) => elementShape(ast, i) }
    case "StringKeyword":
    case "TemplateLiteral":
    case "BooleanKeyword":
      return none
    case "Literal":
      return typeof ast.literal === "number" ? plain : none
    default:
      return plain
  }
}

const objectShape = (ast: SchemaAST.TypeLiteral): Shape => {
  const fields = new Map(ast.propertySignatures.map((field) => [field.name, shapeOf(field.type)]))
  const rest = ast.indexSignatures.map((signature) => shapeOf(signature.type)).reduce(merge, none)
  return { ...none, field: (name) => fields.get(name) ?? rest }
}

const elementShape = (ast: SchemaAST.TupleType, index: number): Shape => {
  const element = ast.elements[index] ?? ast.rest[0]
  return element === undefined ? none : shapeOf(element.type)
}

/** Of a Schema that refers to itself: asked for when a value is there, so it ends with the value. */
const later = (shape: () => Shape): Shape => ({
  get number() {
    return shape().number
  },
  field: (name) => shape().field(name),
  element: (index) => shape().element(index)
})

const merge = (left: Shape, right: Shape): Shape => {
  if (left === none || left === right) return right
  if (right === none) return left
  return {
    get number() {
      const [one, other] = [left.number, right.number]
      return one === "none" || one === other ? other : other === "none" ? one : "either"
    },
    field: (name) => merge(left.field(name), right.field(name)),
    element: (index) => merge(left.element(index), right.element(index))
  }
}
