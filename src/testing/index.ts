/**
 * The door for who writes an aggregate: the laws that it must keep; and for who writes a system of topics, a database
 * of tables or a checkpoint store: the cases that each must pass, and topics in memory for tests that need no disk. And
 * for who writes a job: worlds in which things go wrong.
 */
export * as AggregateLaws from "./AggregateLaws.ts"
export * as Arbitraries from "./Arbitraries.ts"
export type { Case } from "./Case.ts"
export * as JobTest from "./JobTest.ts"
export * as SinkSuite from "./SinkSuite.ts"
export * as StoreSuite from "./StoreSuite.ts"
export * as Faults from "./simulation/Faults.ts"
export * as Simulate from "./simulation/Simulate.ts"
export * as TablesSuite from "./TablesSuite.ts"
export * as TopicsMemory from "./TopicsMemory.ts"
export * as TopicsSuite from "./TopicsSuite.ts"
