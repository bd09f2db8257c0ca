/**
 * How fast a folder of CSV and of JSON lines is read and decoded, against `readFile`, `split` and `JSON.parse` of the same
 * files. Prints a line for each: median of five rounds.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Schema } from "effect"
import { Files } from "../src/connectors/files/index.ts"
import { compile } from "../src/flow/Codec.ts"
import type { Source, SourceError } from "../src/flow/Source.ts"
import type { RawEvent } from "../src/model/Event.ts"

const Row = Schema.Struct({ day: Schema.String, open: Schema.Number, close: Schema.Number, volume: Schema.Number })

const files = 20
const rowsPerFile = 50_000
const rows = files * rowsPerFile
const rounds = 5

const folder = mkdtempSync(join(tmpdir(), "weir-files-source-"))
const rowOf = (i: number) => ({
  day: `2017-${1 + (i % 12)}-${1 + (i % 28)}`,
  open: (i % 9_973) / 100,
  close: (i % 9_967) / 100,
  volume: i * 7
})
for (let file = 0; file < files; file++) {
  const all = Array.from({ length: rowsPerFile }, (_, i) => rowOf(file * rowsPerFile + i))
  writeFileSync(join(folder, `${file}.jsonl`), all.map((row) => `${JSON.stringify(row)}\n`).join(""))
  const cells = all.map(({ close, day, open, volume }) => `${day},${open},${close},${volume}\r\n`)
  writeFileSync(join(folder, `${file}.csv`), `day,open,close,volume\r\n${cells.join("")}`)
}

/** Keeps what a round makes from being optimised away. */
export let held: unknown

/** Reads a source to its end and decodes each record; counting its rows first is a part of it. */
const bySource = (source: Source<RawEvent, SourceError, FileSystem.FileSystem>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const reader = yield* source.open
      const { read } = compile(Row)
      let found = 0
      for (let batch = yield* reader.read(0, 0, 8_192); batch !== null; ) {
        for (let i = 0; i < batch.count; i++) held = read(batch.bytes, batch.valueStarts[i]!, batch.valueEnds[i]!)
        found += batch.count
        batch = yield* reader.read(0, batch.nextOffset, 8_192)
      }
      return found
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

const plainly = (end: string, rowsOf: (text: string) => number) => async () =>
  readdirSync(folder)
    .filter((name) => name.endsWith(end))
    .reduce((found, name) => found + rowsOf(readFileSync(join(folder, name), "utf8")), 0)

const plainJson = plainly(".jsonl", (text) => {
  const lines = text.split("\n").filter((line) => line !== "")
  for (const line of lines) held = JSON.parse(line)
  return lines.length
})
const plainCsv = plainly(".csv", (text) => {
  const [, ...lines] = text.split("\r\n").filter((line) => line !== "")
  for (const line of lines) {
    const [day, open, close, volume] = line.split(",")
    held = { day, open: Number(open), close: Number(close), volume: Number(volume) }
  }
  return lines.length
})

/** Rows a second, in millions. */
const rate = async (round: () => Promise<number>): Promise<number> => {
  const rates: Array<number> = []
  for (let i = 0; i <= rounds; i++) {
    const began = performance.now()
    const found = await round()
    if (found !== rows) throw new Error(`${found} rows were found, and ${rows} are there`)
    if (i > 0) rates.push(rows / (performance.now() - began) / 1_000)
  }
  return rates.sort((a, b) => a - b)[rounds >> 1]!
}

const still = { watch: false } as const
const all = [
  ["CSV", () => bySource(Files.csv(folder, Row, { ...still, pattern: "*.csv" })), plainCsv],
  ["JSON lines", () => bySource(Files.jsonLines(folder, { ...still, pattern: "*.jsonl" })), plainJson]
] as const
for (const [what, source, plain] of all) {
  const [ours, theirs] = [await rate(source), await rate(plain)]
  console.log(
    `${what}: ${ours.toFixed(2)} million rows a second, ${theirs.toFixed(2)} by a plain loop: ${(ours / theirs).toFixed(2)} times`
  )
}
rmSync(folder, { recursive: true })
