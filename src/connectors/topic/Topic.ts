/** Topics as sources and sinks. */
export { deadLetter } from "./TopicDeadLetter.ts"
export { late } from "./TopicLate.ts"
export { type AppendOnly, sink } from "./TopicSink.ts"
export { source } from "./TopicSource.ts"
