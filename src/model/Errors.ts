/**
 * Every error of the engine, as data: a tag, where it happened, whose fault it is, whether trying again can help.
 *
 * Supervision decides from `fault` and `retry`, never from a message. `message` says what happened and where in one
 * sentence; `hint` says how to mend it.
 */
import { type Cause, Data } from "effect"

/** `user`: the job or its input; `external`: a disk, a network, another system; `internal`: a defect of Weir. */
export type Fault = "user" | "external" | "internal"

/** What every error can say of itself. */
export interface Explained {
  readonly _tag: string
  readonly fault: Fault
  readonly retry: boolean
  readonly message: string
  readonly hint: string
}

const explained = <Tag extends string>(
  tag: Tag,
  of: { readonly fault: Fault; readonly retry: boolean }
): (new <A extends { readonly message: string; readonly hint: string }>(
  fields: A
) => Cause.YieldableError & Explained & { readonly _tag: Tag } & A) => {
  class Failure extends Data.TaggedError(tag)<{ readonly message: string; readonly hint: string }> {
    readonly fault = of.fault
    readonly retry = of.retry
  }
  return Failure as never
}

interface Sentence {
  readonly message: string
  readonly hint: string
}

// Sources and topics

export class UnknownTopic extends explained("UnknownTopic", { fault: "user", retry: false })<
  Sentence & { readonly topic: string }
> {}
/** A name, a number of partitions or a retention that no topic can have. */
export class InvalidTopic extends explained("InvalidTopic", { fault: "user", retry: false })<
  Sentence & { readonly topic: string }
> {}
export class TopicExists extends explained("TopicExists", { fault: "user", retry: false })<
  Sentence & { readonly topic: string }
> {}
export class OffsetOutOfRange extends explained("OffsetOutOfRange", { fault: "external", retry: false })<
  Sentence & {
    readonly topic: string
    readonly partition: number
    readonly wanted: number
    readonly oldest: number
    readonly latest: number
  }
> {}
/** The topic is not the one that the checkpoint was made from. */
export class SourceReplaced extends explained("SourceReplaced", { fault: "user", retry: false })<
  Sentence & { readonly source: string }
> {}
export class RecordTooLarge extends explained("RecordTooLarge", { fault: "user", retry: false })<
  Sentence & { readonly bytes: number; readonly bytesMax: number }
> {}
export class LogCorrupted extends explained("LogCorrupted", { fault: "external", retry: false })<
  Sentence & { readonly file: string; readonly position: number }
> {}
/** A disk that is full, read-only or broken. Trying again does not free it. */
export class StorageFailed extends explained("StorageFailed", { fault: "external", retry: false })<
  Sentence & { readonly path: string }
> {}
/** Another system does not answer. */
export class SourceUnavailable extends explained("SourceUnavailable", { fault: "external", retry: true })<
  Sentence & { readonly source: string }
> {}

/** Another system does not let this user in: a wrong password, or one that was changed, a user that is locked. */
export class AccessRefused extends explained("AccessRefused", { fault: "user", retry: true })<
  Sentence & { readonly system: string }
> {}

// Tables and sinks

export class TableMismatch extends explained("TableMismatch", { fault: "user", retry: false })<
  Sentence & { readonly table: string; readonly wanted: string; readonly found: string }
> {}
/** The database refused a statement: a constraint, a type, a syntax. Nothing of the transaction was kept. */
export class StatementRefused extends explained("StatementRefused", { fault: "user", retry: false })<
  Sentence & { readonly code: string; readonly statement: string }
> {}
/** A statement was to change so many rows and changed others. Nothing of the transaction was kept. */
export class RowsUnexpected extends explained("RowsUnexpected", { fault: "internal", retry: false })<
  Sentence & { readonly statement: number; readonly expected: number; readonly found: number }
> {}
/** A connection that was lost, a deadlock, a serialisation failure: the outcome may be unknown. */
export class TablesUnavailable extends explained("TablesUnavailable", { fault: "external", retry: true })<
  Sentence & { readonly code: string }
> {}

// The protocol

/** A newer owner has taken over. This one must stop at once. */
export class Fenced extends explained("Fenced", { fault: "external", retry: false })<
  Sentence & { readonly job: string; readonly generation: number; readonly newer: number }
> {}
export class SinkAhead extends explained("SinkAhead", { fault: "external", retry: false })<
  Sentence & { readonly sink: string; readonly sinkEpoch: number; readonly manifestEpoch: number }
> {}
export class SinkBehind extends explained("SinkBehind", { fault: "external", retry: false })<
  Sentence & { readonly sink: string; readonly sinkEpoch: number; readonly manifestEpoch: number }
> {}
export class OtherLineage extends explained("OtherLineage", { fault: "user", retry: false })<
  Sentence & { readonly sink: string; readonly lineage: number; readonly found: number }
> {}
/** An epoch, computed again, gave other rows. */
export class NotDeterministic extends explained("NotDeterministic", { fault: "user", retry: false })<
  Sentence & { readonly sink: string; readonly epoch: number }
> {}
/** A manifest, or a part of the state that it names, cannot be read back as it was written. */
export class CheckpointCorrupted extends explained("CheckpointCorrupted", { fault: "external", retry: false })<
  Sentence & { readonly job: string; readonly epoch: number }
> {}
/** Bytes of state are not what a step wrote. `position` is the byte at which reading stopped. */
export class StateUnreadable extends explained("StateUnreadable", { fault: "external", retry: false })<
  Sentence & { readonly position: number }
> {}
/** This code cannot restore the state of the last checkpoint. */
export class StateMismatch extends explained("StateMismatch", { fault: "user", retry: false })<
  Sentence & { readonly job: string; readonly step: string }
> {}
export class UnknownSavepoint extends explained("UnknownSavepoint", { fault: "user", retry: false })<
  Sentence & { readonly job: string; readonly savepoint: string }
> {}
export class SavepointExists extends explained("SavepointExists", { fault: "user", retry: false })<
  Sentence & { readonly job: string; readonly savepoint: string }
> {}
export class StateLimitExceeded extends explained("StateLimitExceeded", { fault: "user", retry: false })<
  Sentence & { readonly step: string; readonly keysMax: number }
> {}
/** A run that computes its whole result anew has more records than one epoch of it may hold. */
export class RunTooLarge extends explained("RunTooLarge", { fault: "user", retry: false })<
  Sentence & { readonly job: string; readonly recordsMax: number; readonly bytesMax: number }
> {}
/** The share of dead letters in an epoch. */
export class DeadLetterLimitExceeded extends explained("DeadLetterLimitExceeded", { fault: "user", retry: false })<
  Sentence & { readonly job: string; readonly share: number; readonly shareMax: number }
> {}
export class DeadLetterRateExceeded extends explained("DeadLetterRateExceeded", { fault: "user", retry: false })<
  Sentence & { readonly job: string; readonly perMinute: number; readonly perMinuteMax: number }
> {}
/** The share of late events in an epoch. */
export class LateLimitExceeded extends explained("LateLimitExceeded", { fault: "user", retry: false })<
  Sentence & { readonly job: string; readonly share: number; readonly shareMax: number }
> {}
/** A Schema that records cannot be decoded with. */
export class InvalidSchema extends explained("InvalidSchema", { fault: "user", retry: false })<
  Sentence & { readonly schema: string }
> {}
/** Where a record stood that made a step fail, as far as it is known. */
interface RecordPlace {
  readonly source?: string
  readonly partition?: number
  readonly offset?: number
  readonly epoch?: number
}
/** A record could not be used, and the job has nowhere to set it aside. */
export class RecordUnusable extends explained("RecordUnusable", { fault: "user", retry: false })<
  Sentence & RecordPlace & { readonly step: string }
> {}
/** A function of the job threw. */
export class StepFailed extends explained("StepFailed", { fault: "user", retry: false })<
  Sentence & RecordPlace & { readonly step: string }
> {}

// Lookups

/** A lookup cannot be loaded: it is not there, or what is there is not what its Schema says. */
export class LookupUnreadable extends explained("LookupUnreadable", { fault: "user", retry: false })<
  Sentence & { readonly lookup: string }
> {}
/** Two rows of a lookup have one key, and nothing says which of them counts. */
export class DuplicateKey extends explained("DuplicateKey", { fault: "user", retry: false })<
  Sentence & { readonly lookup: string; readonly key: string; readonly rows: readonly [string, string] }
> {}

// Jobs, processes, folders

export class UnknownJob extends explained("UnknownJob", { fault: "user", retry: false })<
  Sentence & { readonly job: string }
> {}
export class InvalidParameter extends explained("InvalidParameter", { fault: "user", retry: false })<
  Sentence & { readonly parameter: string }
> {}
export class InvalidJob extends explained("InvalidJob", { fault: "user", retry: false })<
  Sentence & { readonly job: string }
> {}
export class InvalidConfiguration extends explained("InvalidConfiguration", { fault: "user", retry: false })<
  Sentence & { readonly name: string }
> {}
/** A command line that says something that the command does not know. */
export class WrongUsage extends explained("WrongUsage", { fault: "user", retry: false })<Sentence> {}
/** Another process of Weir was asked and answered with this error of its own: `tag` names it. */
export class Refused extends explained("Refused", { fault: "user", retry: false })<
  Sentence & { readonly tag: string; readonly status: number }
> {}
export class FolderOwned extends explained("FolderOwned", { fault: "user", retry: false })<
  Sentence & { readonly folder: string; readonly owner: string }
> {}
export class FolderNewer extends explained("FolderNewer", { fault: "user", retry: false })<
  Sentence & { readonly folder: string }
> {}
export class PortInUse extends explained("PortInUse", { fault: "user", retry: false })<
  Sentence & { readonly port: number }
> {}
export class MailboxClosed extends explained("MailboxClosed", { fault: "internal", retry: false })<
  Sentence & { readonly mailbox: string }
> {}
/** Too many restarts in too short a time. `cause` is the failure that was one too many. */
export class RestartBudgetSpent extends explained("RestartBudgetSpent", { fault: "user", retry: false })<
  Sentence & { readonly actor: string; readonly restarts: number; readonly cause: unknown }
> {}
/** A defect: something that was thought impossible. */
export class Defect extends explained("Defect", { fault: "internal", retry: false })<Sentence> {}

// Calls over HTTP

/** The body, a parameter or the form of a call is not what the route takes. */
export class InvalidRequest extends explained("InvalidRequest", { fault: "user", retry: false })<Sentence> {}
export class RequestTooLarge extends explained("RequestTooLarge", { fault: "user", retry: false })<
  Sentence & { readonly bytesMax: number }
> {}
/** The call came without the daemon's token. */
export class Unauthorized extends explained("Unauthorized", { fault: "user", retry: false })<Sentence> {}
/** The call came through a name or from a page that is not the daemon's own. */
export class OriginRefused extends explained("OriginRefused", { fault: "user", retry: false })<Sentence> {}
export class UnknownRoute extends explained("UnknownRoute", { fault: "user", retry: false })<Sentence> {}
export class MethodNotAllowed extends explained("MethodNotAllowed", { fault: "user", retry: false })<
  Sentence & { readonly allowed: ReadonlyArray<string> }
> {}
export class UnknownTable extends explained("UnknownTable", { fault: "user", retry: false })<
  Sentence & { readonly table: string }
> {}
export class UnknownDashboard extends explained("UnknownDashboard", { fault: "user", retry: false })<
  Sentence & { readonly dashboard: string }
> {}
export class DashboardsFull extends explained("DashboardsFull", { fault: "user", retry: false })<Sentence> {}

/** Does it say of itself whose fault it is? */
export const isExplained = (error: unknown): error is Explained & Error =>
  error instanceof Error && "fault" in error && "retry" in error && "hint" in error
