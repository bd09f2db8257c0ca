/** What a listing says of each dead letter: told from cuts, epochs and places that are written down by hand. */
import { describe, expect, it } from "vitest"
import type { Manifest } from "../../src/checkpoint/Checkpoint.ts"
import * as LetterReplay from "../../src/daemon/LetterReplay.ts"
import type { Topology } from "../../src/flow/Topology.ts"

const node = (id: string) => ({ id, spec: { kind: "filter" } as never, label: id })
const edge = (from: string, to: string) => ({ from, port: "out" as const, to, input: 0 })
/** orders ─► decode ─► left ─► end, and decode ─► right. */
const topology: Topology = {
  nodes: ["orders", "decode", "left", "end", "right"].map(node),
  edges: [edge("orders", "decode"), edge("decode", "left"), edge("left", "end"), edge("decode", "right")]
}

const manifestOf = (offset: number, source = "orders"): Manifest =>
  ({
    replays: [
      { source: "others", sink: "invalid", partition: 1, from: 0, offset: 100, until: 100 },
      { source, sink: "invalid", partition: 0, from: 0, offset, until: offset }
    ],
    abandoned: [
      { after: 10, through: 20 },
      { after: 25, through: 30 }
    ]
  }) as never

/** A letter as `offset epoch step place row`, and what else its headers say. */
const letter = (text: string, about: Readonly<Record<string, string>> = {}): LetterReplay.Placed => {
  const [offset, epoch, step, place, row] = text.split(" ") as [string, string, string, string, string | undefined]
  return {
    topic: "invalid",
    record: { partition: 0, offset: Number(offset) },
    about: {
      source: "orders",
      partition: "3",
      offset: place,
      epoch,
      step,
      reason: "undecodable",
      ...(row === undefined ? {} : { row }),
      ...about
    }
  }
}

/** What is said of letters that are given from the oldest to the newest. */
const said = (letters: ReadonlyArray<LetterReplay.Placed>, manifest: Manifest | null) => {
  const replayOf = LetterReplay.make(topology, manifest)
  return [...letters].reverse().map(replayOf).reverse()
}

describe("A dead letter", () => {
  it("is for the next replay from where the last one ended on", () => {
    const letters = ["0 1 decode 7", "1 1 decode 8", "2 2 decode 9"].map((text) => letter(text))
    expect(said(letters, manifestOf(1))).toEqual(["done", "next", "next"])
    // No source of that name: the first one that knows the partition passes them over.
    expect(said(letters, manifestOf(2, "renamed"))).toEqual(["done", "done", "next"])
    expect(said(letters, {} as Manifest)).toEqual(["next", "next", "next"])
    expect(said(letters, null)).toEqual(["done", "done", "done"])
  })

  it("failed again where its record was set aside once more by a later epoch, on the way from its step", () => {
    const of = (...texts: ReadonlyArray<string>) =>
      said(
        texts.map((text) => letter(text)),
        manifestOf(texts.length - 1)
      )
    expect(of("0 1 decode 7", "1 5 decode 7")).toEqual(["failed again", "next"])
    expect(of("0 1 decode 7", "1 5 end 7")).toEqual(["failed again", "next"])
    expect(of("0 1 decode 7", "1 5 decode 8")).toEqual(["done", "next"])
    // Two branches set one record aside, and one of them does so again.
    expect(of("0 1 left 7", "1 1 right 7", "2 5 end 7")).toEqual(["failed again", "done", "next"])
    // Two rows of a record, one of which fails again; and a record of which a row fails now.
    expect(of("0 1 left 7 0", "1 1 left 7 1", "2 5 left 7 1")).toEqual(["done", "failed again", "next"])
    expect(of("0 1 decode 7", "1 5 left 7 1")).toEqual(["failed again", "next"])
    // A step that the job no longer has.
    expect(of("0 1 former 7", "1 5 decode 7")).toEqual(["failed again", "next"])
  })

  it("is kept where it holds a row and no record", () => {
    const rows = [letter("0 1 left 7", { reason: "refused row" }), letter("1 1 left 7", { holds: "row" })]
    expect(said(rows, manifestOf(9))).toEqual(["kept", "kept"])
  })

  it("is given up with its epoch", () => {
    const epochs = [10, 11, 20, 21, 25, 26, 30, 31]
    const given = epochs.filter((epoch) => LetterReplay.isAbandoned(letter(`0 ${epoch} decode 7`), manifestOf(0)))
    expect(given).toEqual([11, 20, 26, 30])
    expect(LetterReplay.isAbandoned(letter("0 11 decode 7"), null)).toBe(false)
  })
})
