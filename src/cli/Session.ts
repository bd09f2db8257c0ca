/** One command's access to a data folder: configuration, then whoever has the folder. */
import { Effect, type Scope } from "effect"
import * as Configuration from "./Configuration.ts"
import * as Project from "./Project.ts"
import type { Failure } from "./Usage.ts"
import * as Weir from "./Weir.ts"

/** The flag that every command has that opens a data folder. */
export const data = Configuration.flagOf("data")

/** Runs what needs the service; the folder is given back at its end. */
export const use = <A>(
  flags: Configuration.Texts,
  f: (weir: Weir.WeirService) => Effect.Effect<A, Failure, Weir.Needs | Scope.Scope>
): Effect.Effect<A, Failure, Weir.Needs> =>
  Effect.scoped(
    Effect.flatMap(Configuration.load(flags), (configuration) =>
      Effect.flatMap(Weir.open(configuration, Project.jobs), f)
    )
  )
