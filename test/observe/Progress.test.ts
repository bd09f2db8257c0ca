import { describe, expect, it } from "vitest"
import { progressListing } from "../../src/cli/commands/Jobs.ts"
import { written } from "../../src/cli/Output.ts"
import * as Progress from "../../src/observe/Progress.ts"
import * as Reports from "../../src/runtime/Reports.ts"
import * as FakeWorld from "../daemon/FakeWorld.ts"

const status = { job: "orders", epoch: 41 } as Progress.JobStatus
const report = FakeWorld.reportOf(status, 1_200, 1_700_000_000_000)
const cellsOf = (reports: ReadonlyArray<Progress.EpochProgress>) => {
  const { columns, rows } = progressListing(reports)
  return Object.fromEntries(columns.map((column, i) => [column, rows[0]![i]]))
}

describe("weir progress", () => {
  it("has every field of an epoch as a column, for a table and for CSV", () => {
    expect(cellsOf([report])).toEqual({
      epoch: 41,
      triggered_at: "2023-11-14T22:13:19.000Z",
      input_rows: report.inputRows,
      input_rows_per_s: report.inputRowsPerSecond,
      processed_rows_per_s: report.processedRowsPerSecond,
      cut_ms: report.phases.cut,
      process_ms: report.phases.process,
      prepare_ms: report.phases.prepare,
      intent_ms: report.phases.intent,
      sinks_ms: report.phases.sinks,
      manifest_ms: report.phases.manifest,
      watermark: "2023-11-14T22:13:14.000Z",
      state_rows: report.stateRows,
      state_bytes: report.stateBytes,
      state_bytes_written: 52_000,
      sink_rows: report.sinks[0]!.rows,
      late: report.late,
      dead_letters: report.deadLetters,
      sinks: `shop_item_income ${report.sinks[0]!.rows}`,
      offsets:
        "orders/0 12000-12300 of 12300, orders/1 12000-12300 of 12330, orders/2 12000-12300 of 12360, orders/3 12000-12300 of 12390",
      letters_replayed: 0,
      letters_succeeded: 0,
      letters_late: 0,
      letters_again: 0,
      replayed: false,
      job: "orders",
      job_id: "job-1",
      run_id: "run-1"
    })
    const [header, line] = written("csv", progressListing([report])).split("\n")
    expect(header!.split(",").slice(0, 3)).toEqual(["epoch", "triggered_at", "input_rows"])
    expect(line).toContain('"orders/0 12000-12300 of 12300, ')
  })

  it("tells what became of records that had been set aside and came again", () => {
    const again = { records: 9, succeeded: 6, late: 2, deadLetters: 1, skipped: 4 }
    const cells = cellsOf([{ ...report, again }])
    expect([cells.letters_replayed, cells.letters_succeeded, cells.letters_late, cells.letters_again]).toEqual([
      9, 6, 2, 1
    ])
    const run = { runId: "run-2", latest: () => 12, triggeredBefore: 1_000 }
    expect(Reports.emptyProgress({ ...report, again }, run, 2_000)).not.toHaveProperty("again")
  })

  it("has the whole report as JSON", () => {
    expect(JSON.parse(written("json", progressListing([report])))).toEqual([report])
  })

  it("tells a trigger without data with no rows, even where nothing was reported before", () => {
    const run = { runId: "run-2", latest: () => 12, triggeredBefore: 1_000 }
    const told = Reports.emptyProgressOf(
      {
        version: 1,
        job: "orders",
        jobId: "job-1",
        lineage: 2,
        generation: 5,
        epoch: 7,
        openedAt: 500,
        closedAt: 900,
        final: false,
        partitions: [{ source: "orders", partition: 0, offset: 10, state: "active" }],
        watermark: 400,
        sources: [],
        sinks: [{ sink: "income", position: null }],
        steps: [],
        state: [],
        stateRows: 3,
        stateBytes: 30,
        totals: { recordsIn: 10, rowsOut: 4, late: 0, deadLetters: 0 }
      },
      run,
      2_000
    )
    expect(told).toMatchObject({ jobId: "job-1", runId: "run-2", epoch: 7, triggeredAt: 2_000, inputRows: 0 })
    expect(told.partitions).toEqual([{ source: "orders", partition: 0, from: 10, to: 10, latest: 12, state: "active" }])
    expect(told.sinks).toEqual([{ sink: "income", rows: 0, outcome: "nothing to write" }])
    expect([told.inputRowsPerSecond, told.stateRows, told.stateBytes, told.watermark]).toEqual([0, 3, 30, 400])
  })

  it("reads a report that an earlier version kept", () => {
    const { lineage: _, generation: __, cutAt: ___, ...earlier } = report
    const { cut: ____, ...phases } = report.phases
    expect(Progress.read(JSON.stringify({ ...earlier, phases }))).toEqual({
      ...report,
      lineage: 0,
      generation: 0,
      cutAt: report.triggeredAt,
      phases: { ...phases, cut: 0 }
    })
  })
})
