/** The side of the thread: serves one session of the embedded PostgreSQL to whoever started it. */

import * as SqlSession from "./SqlSession.ts"
import type { Question, Reply, Request } from "./SqlThread.ts"

/** Answers requests, in order, from the first, which opens, to the last, which closes. */
export const make = (now: () => number, reply: (reply: Reply) => void): ((request: Request) => Promise<void>) => {
  let session: SqlSession.SqlSession | null = null
  const answer = async (question: Question): Promise<SqlSession.Outcome<unknown, SqlSession.Failure>> => {
    if (question.method === "open") {
      session = await SqlSession.open({ folder: question.folder, now })
      return { value: null }
    }
    if (session === null) return failed("it is not open", false)
    switch (question.method) {
      case "query":
        return session.query(question.statement)
      case "transaction":
        return session.transaction(question.statements)
      case "ask":
        return session.ask(question.sql, question.bounds)
      case "close":
        await session.close()
        return { value: null }
    }
  }
  return async ({ id, question }) =>
    reply({
      id,
      outcome: await answer(question).catch((cause) =>
        failed(cause instanceof Error ? cause.message : "", question.method === "open")
      )
    })
}

const failed = (reason: string, broken: boolean): SqlSession.Outcome<never> => ({
  failure: { kind: "statement", sql: "", code: "unknown", reason, broken }
})
