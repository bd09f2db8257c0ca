/** The folder below which sinks of files are that are named by a relative path. Who hosts jobs says it: the data folder. */
import { Context } from "effect"

/** Default: that of the process. */
export class OutputFolder extends Context.Reference<OutputFolder>()("weir/OutputFolder", {
  defaultValue: (): string => "."
}) {}
