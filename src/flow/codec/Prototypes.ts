/** Which classes the values of a Schema are instances of. */
import type { Schema, SchemaAST } from "effect"
import { prototypeOf } from "./Compile.ts"

/** The prototypes of every `Schema.Class` in it, each once, outer ones first. Those whose constructor computes are left out. */
export const prototypesOf = (schema: Schema.Schema<any, any>): ReadonlyArray<object> => {
  const found = new Set<object>()
  const seen = new Set<SchemaAST.AST>()
  const visit = (ast: SchemaAST.AST): void => {
    if (seen.has(ast)) return
    seen.add(ast)
    if (ast._tag === "Transformation") {
      const prototype = prototypeOf(ast)
      if (prototype !== null) found.add(prototype)
    }
    for (const part of partsOf(ast)) visit(part)
  }
  visit(schema.ast)
  return [...found]
}

const partsOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  switch (ast._tag) {
    case "Transformation":
      return [ast.from, ast.to]
    case "Refinement":
      return [ast.from]
    case "Union":
      return ast.types
    case "TupleType":
      return [...ast.elements, ...ast.rest].map(({ type }) => type)
    case "TypeLiteral":
      return [...ast.propertySignatures, ...ast.indexSignatures].map(({ type }) => type)
    case "Suspend":
      return [ast.f()]
    case "Declaration":
      return ast.typeParameters
    default:
      return []
  }
}
