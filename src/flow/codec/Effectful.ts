/** Finds transformations that would have to wait: inside a batch nothing can. */
import { Effect, SchemaAST } from "effect"
import { InvalidSchema } from "../../model/Errors.ts"

/** What a transformation is tried on: one value of each kind. Whether it accepts one does not matter. */
const samples: ReadonlyArray<unknown> = ["", "0", "a", "2000-01-01T00:00:00Z", 0, 1, true, null, [], {}]

/** Throws `InvalidSchema` if a transformation answers with an Effect that is not finished. */
export const refuseEffects = (ast: SchemaAST.AST): void => visit(ast, new Set())

const visit = (ast: SchemaAST.AST, visited: Set<SchemaAST.AST>): void => {
  if (visited.has(ast)) return
  visited.add(ast)
  if (ast._tag === "Transformation" && samples.some((sample) => waits(ast, sample))) {
    throw new InvalidSchema({
      schema: String(ast),
      message: `Schema ${ast} cannot decode records: its transformation is effectful`,
      hint: "Decode with a synchronous Schema, and look things up in a later step."
    })
  }
  for (const part of partsOf(ast)) visit(part, visited)
}

const partsOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  switch (ast._tag) {
    case "Refinement":
      return [ast.from]
    case "Suspend":
      return [ast.f()]
    case "Union":
      return ast.types
    case "TupleType":
      return [...ast.elements, ...ast.rest].map((element) => element.type)
    case "TypeLiteral":
      return [...ast.propertySignatures, ...ast.indexSignatures].map((field) => field.type)
    case "Declaration":
      return ast.typeParameters
    case "Transformation":
      return [ast.from, ast.to]
    default:
      return []
  }
}

const finished = new Set(["Left", "Right", "Success", "Failure", "Some", "None"])

const waits = (ast: SchemaAST.Transformation, sample: unknown): boolean => {
  const { transformation } = ast
  if (transformation._tag !== "FinalTransformation") return false
  try {
    const answer: unknown = transformation.decode(sample, SchemaAST.defaultParseOption, ast, sample)
    return Effect.isEffect(answer) && !finished.has((answer as { readonly _tag?: string })._tag ?? "")
  } catch {
    return false
  }
}
