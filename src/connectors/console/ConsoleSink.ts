/**
 * Prints the rows of each epoch as a table, headed by the epoch; in complete mode, all rows there are.
 *
 * What was printed cannot be taken back: an epoch that is committed again after a crash is printed again.
 */
import { Console, Effect } from "effect"
import type { EpochRows, OwnWriter, Prepared, Sink } from "../../flow/Sink.ts"
import * as Digest from "../../model/Digest.ts"
import type { Change } from "../../model/Event.ts"
import type { Batch } from "../../model/Message.ts"
import { formatInstant } from "../../model/Time.ts"
import { type Cell, cellsOf, format } from "./ConsoleTable.ts"

export interface ConsoleOptions {
  /** Names the sink, where a job has several. Default: `console`. */
  readonly name?: string
  /** Rows of an epoch that are printed; how many were left out is said. Default: 20. */
  readonly rowsMax?: number
}

/** Prints any rows, and changes of rows. */
export const sink = (options: ConsoleOptions = {}): Sink<unknown, never, never> => ({
  name: options.name ?? "console",
  label: "console",
  guarantee: "at least once",
  // Changes are printed one below the other: none takes the place of another, so there is no key to be told apart by.
  replaces: false,
  key: [],
  clear: null,
  open: (opening) => Effect.sync(() => writerOf(opening.sink, options.rowsMax ?? 20))
})

// Private

const writerOf = (sink: string, rowsMax: number): OwnWriter => {
  const waiting = new Map<number, string>()
  return {
    _tag: "OwnWriter",
    prepare: (rows) =>
      Effect.sync(() => {
        const { text, prepared } = prepare(sink, rows, rowsMax)
        waiting.set(prepared.epoch, text)
        return prepared
      }),
    commit: ({ epoch }) =>
      Effect.suspend(() => {
        const text = waiting.get(epoch)
        waiting.delete(epoch)
        return Effect.as(text === undefined || text === "" ? Effect.void : Console.log(text), "written" as const)
      }),
    position: Effect.succeed(null)
  }
}

const prepare = (
  sink: string,
  { barrier, batches }: EpochRows,
  rowsMax: number
): { readonly text: string; readonly prepared: Prepared } => {
  const printed: Array<ReadonlyMap<string, Cell>> = []
  let rows = 0
  for (const batch of ordered(batches))
    for (const value of shown(batch)) if (rows++ < rowsMax) printed.push(cellsOf(value))
  const head = `${sink}: epoch ${barrier.epoch}, ${formatInstant(barrier.closedAt)}, ${rows} ${rows === 1 ? "row" : "rows"}`
  const more = rows > rowsMax ? `\n… ${rows - rowsMax} more` : ""
  // A table that is empty now is told from one of which nothing changed.
  const text = rows > 0 ? `${head}\n${format(printed)}${more}` : batches.length > 0 ? head : ""
  const digest = Digest.make()
  const bytes = new TextEncoder().encode(text)
  digest.bytes(bytes)
  return { text, prepared: { epoch: barrier.epoch, rows, bytes: bytes.length, digest: digest.result(), invalid: [] } }
}

/** Of all rows there are, the rows as a table; else the changes. */
const shown = (batch: Batch): ReadonlyArray<unknown> =>
  batch.isComplete === true
    ? batch.values.flatMap((value) => ((value as Change).after === undefined ? [] : [(value as Change).after]))
    : batch.values

/** By origin and partition, each as it came: the same epoch prints the same. */
const ordered = (batches: ReadonlyArray<Batch>): ReadonlyArray<Batch> =>
  [...batches].sort((a, b) =>
    a.origin === b.origin
      ? a.partition - b.partition || (a.offsets[0] ?? 0) - (b.offsets[0] ?? 0)
      : a.origin < b.origin
        ? -1
        : 1
  )
