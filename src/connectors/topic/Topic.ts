/** Topics as sources and sinks. */
export { deadLetter } from "./TopicDeadLetter.ts"
export { late } from "./TopicLate.ts"
export { type AppendOnly, key, type SinkKey, type SinkOptions, sink } from "./TopicSink.ts"
export { source } from "./TopicSource.ts"
