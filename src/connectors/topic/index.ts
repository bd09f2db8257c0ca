/**
 * Topics as a job names them: `Topic.source`, `Topic.sink`, `Topic.deadLetter`. Which system they are is a Layer's
 * affair: nothing here knows more than the contract.
 */
export * as Topic from "./Topic.ts"
