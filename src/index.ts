/**
 * The door of Weir for a person who writes a job: the language, in data order.
 *
 * Connectors have doors of their own: `weir/topic`, `weir/sql`, `weir/files`, `weir/console`; who writes one enters by
 * `weir/connector`.
 */

export * as Aggregate from "./flow/Aggregate.ts"
export * as Codec from "./flow/Codec.ts"
export * as Flow from "./flow/Flow.ts"
export * as Frame from "./flow/Frame.ts"
export * as Job from "./flow/Job.ts"
export * as Migration from "./flow/Migration.ts"
export * as Parameter from "./flow/Parameter.ts"
export * as Trigger from "./flow/Trigger.ts"
export * as Window from "./flow/Window.ts"
export { Decimal, Instant, InstantFromMillis, InstantFromSeconds, Int64 } from "./model/Columns.ts"
export type { Change, Invalid, RawEvent } from "./model/Event.ts"
