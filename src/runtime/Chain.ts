/**
 * Operators that pass batches to each other by plain calls: what one OperatorActor hosts.
 *
 * Pure: it is given messages and hands back what is to be sent. At a barrier each operator ends its epoch in data
 * order, so that what one emits at the barrier still belongs to the epoch of the next.
 */
import type { StepMark } from "../checkpoint/Checkpoint.ts"
import type { StepState } from "../checkpoint/CheckpointStore.ts"
import type { Acknowledgement } from "../checkpoint/EpochFacts.ts"
import type { Preparation } from "../flow/Codec.ts"
import type { Migration } from "../flow/Migration.ts"
import { isLate } from "../flow/Topology.ts"
import { RecordUnusable } from "../model/Errors.ts"
import type { Invalid } from "../model/Event.ts"
import type { Again, Barrier, Batch, Records } from "../model/Message.ts"
import type { Collector, Migrating, Operator, Port } from "../operator/Operator.ts"
import * as Selection from "../operator/Selection.ts"
import type { Waiting } from "../operator/Waiting.ts"
import type { PlannedChain, PlannedOperator, Target } from "./Plan.ts"

/** A batch on its way to another actor, by one of its inputs. */
export interface Outgoing {
  readonly actor: string
  readonly input: number
  readonly batch: Batch
}

/** Rows that an operator has seen since it was made. */
export interface OperatorFigures {
  readonly id: string
  rowsIn: number
  rowsOut: number
  watermark: number | null
  /** What the operator counts since it was made, by name. */
  readonly counts: () => Readonly<Record<string, number>>
}

/** What a chain hands over at a barrier; how long it took is its actor's to say. */
export type Kept = Omit<Acknowledgement, "busyMillis">

export interface Chain {
  /** The id of its actor. */
  readonly id: string
  /** What has to be fetched before the batch comes; `null`: nothing. */
  readonly prepare: (batch: Batch | Records) => Preparation | null
  /** What the batch becomes, for other actors, in order. */
  readonly onBatch: (batch: Batch | Records, input?: number) => ReadonlyArray<Outgoing>
  /** Ends the epoch: the last batches, the barrier as it goes on, and what is to be kept. */
  readonly onBarrier: (barrier: Barrier) => {
    readonly outgoing: ReadonlyArray<Outgoing>
    readonly barrier: Barrier
    readonly acknowledgement: Kept
  }
  /** Takes up the state of its steps: as it is, or by the migration of a step that has one here. */
  readonly restore: (state: ReadonlyArray<StepState>, migrating?: ReadonlyMap<string, Migrating>) => void
  /** How a step of it would take up what was kept under this mark; `null`: not at all, or it has no such step. */
  readonly migrate: (was: StepMark, migrations: ReadonlyArray<Migration>) => Migrating | null
  /** What its stateful steps may keep. */
  readonly marks: ReadonlyArray<StepMark>
  /** What they keep now: without the form of events that wait where none does. */
  readonly marksNow: () => ReadonlyArray<StepMark>
  readonly figures: ReadonlyArray<OperatorFigures>
  /** From when on one of its steps wants a barrier even if no record comes; infinity: none does. */
  readonly dueAt: () => number
  /** What its steps wait for. */
  readonly waiting: () => ReadonlyArray<StepWaiting>
}

/** What a step waits for, by the node's id. */
export interface StepWaiting {
  readonly node: string
  readonly waiting: Waiting
}

export const make = (planned: PlannedChain): Chain => {
  const operators = planned.operators.map((one) => one.make())
  const figures: ReadonlyArray<OperatorFigures> = planned.operators.map(({ id }, index) => ({
    id,
    rowsIn: 0,
    rowsOut: 0,
    watermark: null,
    counts: () => operators[index]!.counts?.() ?? {}
  }))
  // Set aside since the last barrier.
  let aside = { late: 0, deadLetters: 0 }
  // Of these, what had been set aside before.
  let again = { late: 0, deadLetters: 0 }
  let outgoing: Array<Outgoing> = []

  const feed = (index: number, message: Batch | Records, input: number): void => {
    const batch = message.again?.step === operators[index]!.id ? setAsideOf(message) : message
    figures[index]!.rowsIn += sizeOf(batch)
    operators[index]!.onBatch(batch, collectors[index]!, input)
  }
  const deliver = (targets: ReadonlyArray<Target>, batch: Batch): void => {
    const step = batch.again?.step ?? null
    for (const target of targets) {
      if (step !== null && !planned.leads(idOf(target), step)) continue
      if ("operator" in target) feed(target.operator, batch, 0)
      else outgoing.push({ ...target, batch })
    }
  }
  const idOf = (target: Target): string =>
    "operator" in target ? planned.operators[target.operator]!.id : target.actor
  const collectors = planned.operators.map(
    (operator, index): Collector => ({
      emit: (port: Port, emitted: Batch) => {
        if (emitted.values.length === 0) return
        // What is set aside again stays, wherever on its way it was.
        const isThere = emitted.again !== undefined && (port === "invalid" || emitted.again.step === operator.id)
        const batch = isThere ? { ...emitted, again: passed } : emitted
        if (batch.again !== undefined) {
          if (isLate(port)) again.late += batch.values.length
          if (port === "invalid") again.deadLetters += batch.values.length
        }
        if (port === "out") figures[index]!.rowsOut += batch.values.length
        if (isLate(port)) aside.late += batch.values.length
        if (port === "invalid") {
          if (operator.targets.invalid.length === 0) throw unusable(operator, batch as Batch<Invalid>)
          aside.deadLetters += batch.values.length
        }
        deliver(operator.targets[port] ?? [], batch)
      }
    })
  )
  const sent = (): ReadonlyArray<Outgoing> => {
    const all = outgoing
    outgoing = []
    return all
  }
  const marks = operators.flatMap((operator, index) => markOf(operator, planned.operators[index]!))
  const marksNow = (): ReadonlyArray<StepMark> =>
    marks.map((mark) => {
      const waiting = operators.find(({ id }) => id === mark.step)?.waiting?.()
      if (waiting?.kind !== "events" || waiting.waiting > 0) return mark
      const { waits: _, ...others } = mark
      return others
    })
  return {
    id: planned.id,
    marks,
    marksNow,
    dueAt: () =>
      operators.reduce(
        (earliest, operator) => Math.min(earliest, operator.dueAt?.() ?? Number.POSITIVE_INFINITY),
        Number.POSITIVE_INFINITY
      ),
    waiting: () =>
      operators.flatMap((operator) =>
        operator.waiting === undefined ? [] : [{ node: operator.id, waiting: operator.waiting() }]
      ),
    // What makes single records of a batch is no node of the drawing.
    figures: figures.filter((_, index) => planned.operators[index]!.kind !== "source"),
    prepare: (batch) => operators[0]!.prepare?.(batch) ?? null,
    onBatch: (batch, input = 0) => {
      feed(0, batch, input)
      return sent()
    },
    onBarrier: (incoming) => {
      let barrier = incoming
      let assigned: number | null = null
      for (const [index, operator] of operators.entries()) {
        barrier = operator.onBarrier(barrier, collectors[index]!)
        if (planned.operators[index]!.assignsTime) assigned = barrier.watermark
        figures[index]!.watermark = Number.isFinite(barrier.watermark) ? barrier.watermark : null
      }
      const acknowledgement: Kept = {
        ...keep(operators, barrier.epoch),
        marks: marksNow(),
        watermark: assigned,
        late: aside.late,
        deadLetters: aside.deadLetters,
        again
      }
      again = { late: 0, deadLetters: 0 }
      aside = { late: 0, deadLetters: 0 }
      return { outgoing: sent(), barrier, acknowledgement }
    },
    restore: (state, migrating) => {
      for (const operator of operators) {
        const parts = state.find((step) => step.step === operator.id)?.parts
        if (parts !== undefined) (migrating?.get(operator.id) ?? operator.state)?.restore(parts)
      }
    },
    migrate: (was, migrations) =>
      operators.find(({ id }) => id === was.step)?.state?.migrate?.(was.fingerprint, migrations) ?? null
  }
}

const markOf = (
  { id, state }: Operator,
  { kind, numbers, of, rows = null, waits }: PlannedOperator
): ReadonlyArray<StepMark> => {
  if (state === undefined) return []
  const fingerprint = rows === null ? state.fingerprint : `${state.fingerprint}; rows ${rows}`
  return [
    {
      step: id,
      kind,
      fingerprint,
      ...(of === undefined ? {} : { of }),
      ...(numbers === undefined ? {} : { numbers }),
      ...(waits === undefined ? {} : { waits })
    }
  ]
}

const keep = (operators: ReadonlyArray<Operator>, epoch: number) => {
  const state: Array<StepState> = []
  let stateRows = 0
  let stateBytes = 0
  for (const operator of operators) {
    if (operator.state === undefined) continue
    const snapshot = operator.state.snapshot(epoch)
    if (snapshot.parts.length > 0) state.push({ step: operator.id, parts: snapshot.parts })
    stateRows += snapshot.rows
    stateBytes += snapshot.bytes
  }
  return { state, stateRows, stateBytes }
}

/** What comes behind the step that set it aside. */
const passed: Again = { step: null, row: null }

/** What came to the step that set some of it aside, and nothing else of those records. */
const setAsideOf = (message: Batch | Records): Batch | Records => {
  const row = message.again?.row ?? null
  if (message._tag === "Records" || row === null || message.rows === null) return message
  const { rows } = message
  return Selection.select(
    message,
    Array.from(rows.keys()).filter((i) => rows[i] === row)
  )
}

const sizeOf = (batch: Batch | Records): number =>
  batch._tag === "Records" ? batch.records.count : batch.values.length

const unusable = (operator: PlannedOperator, batch: Batch<Invalid>): RecordUnusable => {
  const { cause, event } = batch.values[0]!
  return new RecordUnusable({
    step: operator.id,
    source: batch.origin,
    partition: event.partition,
    offset: event.offset,
    message: `Step ${operator.id}: the record at ${batch.origin}, partition ${event.partition}, offset ${event.offset} cannot be used: ${cause}`,
    hint: "Give the flow's Flow.decode an `invalid` sink, such as Topic.deadLetter(…): it keeps such records with their cause, and the job goes on."
  })
}
