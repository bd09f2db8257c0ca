/**
 * The language of a job: an open Flow, closed by sinks into Outputs, named by a Job. It says, it runs nothing.
 *
 * What a flow already is stands in its brands; a combinator that needs more names the missing brand in its error:
 * read the last line of a message.
 */

export type { Changes, HasEventTime, IsComplete, IsKeyed, IsWindowed, IsWindowResult, Refuses } from "./Brands.ts"
export type { JoinResult } from "./Join.ts"
export * from "./steps/Aggregates.ts"
export * from "./steps/Events.ts"
export * from "./steps/Ordered.ts"
export * from "./steps/Outputs.ts"
export * from "./steps/Several.ts"
export type { Flow, Output } from "./steps/Step.ts"
export * from "./steps/Time.ts"
