import { describe, expect, it } from "vitest"
import type { Outcome } from "../../src/connectors/sql/SqlSession.ts"
import * as SqlThread from "../../src/connectors/sql/SqlThread.ts"

type Answer = (question: SqlThread.Question) => Outcome<unknown> | "dies" | "never"

interface Told {
  readonly sent: Array<{ readonly question: SqlThread.Question; readonly moved: ReadonlyArray<ArrayBuffer> }>
  /** In the order in which it happened. */
  readonly events: Array<string>
}

/** Threads that answer from a script; ending takes a turn. */
const scripted = (answer: Answer): Told & { readonly start: SqlThread.StartSqlThread } => {
  const told: Told = { sent: [], events: [] }
  const start: SqlThread.StartSqlThread = (on) => {
    told.events.push("start")
    let isEnded = false
    const end = async (reason: string) => {
      if (isEnded) return
      isEnded = true
      await new Promise((resolve) => setTimeout(resolve, 5))
      told.events.push("ended")
      on.ended(reason)
    }
    return {
      send: ({ id, question }, moved) => {
        told.sent.push({ question, moved })
        const outcome = answer(question)
        if (outcome === "dies") void end("it ran out of memory")
        else if (outcome !== "never") queueMicrotask(() => on.reply({ id, outcome }))
      },
      end: () => end("")
    }
  }
  return { ...told, start }
}

const done: Outcome<unknown> = { value: [] }
const statement = (sql: string) => ({ sql, parameters: [] })
const brokenWhere = (isIt: (question: SqlThread.Question) => boolean) => (question: SqlThread.Question) =>
  isIt(question)
    ? ({ failure: { kind: "statement", sql: "x", code: "unknown", reason: "unreachable", broken: true } } as const)
    : done

describe("the caller of a thread", () => {
  it("ends a thread whose server is broken, and starts the next when that one is gone", async () => {
    const { events, sent, start } = scripted(
      brokenWhere((one) => one.method === "query" && one.statement.sql === "bad")
    )
    const session = await SqlThread.open(start, "folder")
    expect(await session.query(statement("bad"))).toMatchObject({ failure: { reason: "unreachable" } })
    const both = await Promise.all([session.query(statement("a")), session.transaction([statement("b")])])
    expect(both).toEqual([done, done])
    expect(events).toEqual(["start", "ended", "start"])
    expect(sent.map(({ question }) => question.method)).toEqual(["open", "query", "open", "query", "transaction"])
    await session.close()
    expect(events).toEqual(["start", "ended", "start", "ended"])
  })

  it("fails what was asked of a thread that dies, with the statement and the reason", async () => {
    const { start } = scripted((question) => (question.method === "transaction" ? "dies" : done))
    const session = await SqlThread.open(start, "folder")
    const lost = await session.transaction([statement("insert"), statement("update")])
    const reason = "its thread ended: it ran out of memory"
    expect(lost).toEqual({
      failure: { kind: "statement", sql: "insert; update", code: "unknown", reason, broken: true }
    })
  })

  it("tries to open again at each request while that fails", async () => {
    let openings = 0
    const { events, start } = scripted((question) =>
      question.method === "open" ? brokenWhere(() => ++openings > 1 && openings < 4)(question) : "dies"
    )
    const session = await SqlThread.open(start, "folder")
    for (const reason of [/out of memory/, /unreachable/, /unreachable/, /out of memory/])
      expect(await session.query(statement("a"))).toMatchObject({ failure: { reason: expect.stringMatching(reason) } })
    expect(events.filter((event) => event === "start").length).toBe(4)
  })

  it("moves bytes in buffers of their own, and none of what is beside them", async () => {
    const { sent, start } = scripted(() => done)
    const session = await SqlThread.open(start, null)
    const part = new Uint8Array(1_000).fill(7).subarray(10, 13)
    await session.query({ sql: "a", parameters: [part, [null, part], ["text"], 1n] })
    const { moved, question } = sent[1]!
    const [one, many, text, number] = question.method === "query" ? question.statement.parameters : []
    const [, other] = many as ReadonlyArray<Uint8Array>
    expect([moved.map((buffer) => buffer.byteLength), other!.buffer.byteLength]).toEqual([[3], 3])
    expect([one, other, text, number]).toEqual([part, part, ["text"], 1n])
    expect(part.length).toBe(3)
  })

  it("fails a request that cannot be sent, and goes on", async () => {
    const { start } = scripted(() => done)
    const session = await SqlThread.open((on) => {
      const thread = start(on)
      return {
        ...thread,
        send: (message, moved) => {
          if (message.question.method === "query" && message.question.statement.sql === "bad")
            throw new Error("no clone")
          thread.send(message, moved)
        }
      }
    }, null)
    expect(await session.query(statement("bad"))).toMatchObject({ failure: { sql: "bad", code: "unknown" } })
    expect(await session.query(statement("a"))).toEqual(done)
  })
})
