/**
 * A session of the embedded PostgreSQL in a thread of its own: what both sides say, and this side of it.
 *
 * A thread that ends by itself takes with it what it was doing: the outcome is unknown. With a folder the next request
 * starts another, once the old one is gone, and the database there recovers what was committed.
 */
import type { SqlValue, Statement } from "../../flow/Tables.ts"
import type { Bounds } from "./Ask.ts"
import type { Failure, Outcome, SqlSession, StatementFailure } from "./SqlSession.ts"

/** A thread that runs the module of the embedded database. */
export interface SqlThread {
  /** Copies the message, but moves the buffers of `moved`. */
  readonly send: (message: Request, moved: ReadonlyArray<ArrayBuffer>) => void
  /** Ends it at once, whatever it does; done when it is gone. */
  readonly end: () => Promise<unknown>
}

/** Starts the thread. `ended` is told once, when it is gone, with the reason where there is one. */
export type StartSqlThread = (on: {
  readonly reply: (reply: Reply) => void
  readonly ended: (reason: string) => void
}) => SqlThread

/** What is asked of the thread; `open` first, `close` last. */
export type Question =
  | { readonly method: "open"; readonly folder: string | null }
  | { readonly method: "query"; readonly statement: Statement }
  | { readonly method: "transaction"; readonly statements: ReadonlyArray<Statement> }
  | { readonly method: "ask"; readonly sql: string; readonly bounds: Bounds }
  | { readonly method: "close" }

export interface Request {
  readonly id: number
  readonly question: Question
}

/** Each request is answered once. */
export interface Reply {
  readonly id: number
  readonly outcome: Outcome<unknown, Failure>
}

/** One thread, from its start to its end. */
interface Life {
  readonly ask: (question: Question) => Promise<Outcome<unknown, Failure>>
  readonly end: () => Promise<unknown>
  /** What became of opening. */
  readonly opened: Promise<Outcome<unknown, Failure>>
  /** When the thread has ended. */
  readonly gone: Promise<void>
  readonly isOver: () => boolean
}

/** Rejects with what the server says where the folder cannot be opened. */
export const open = async (start: StartSqlThread, folder: string | null): Promise<SqlSession> => {
  let life = begin(start, folder)
  let next: Promise<Life> | null = null
  const living = (): Life | Promise<Life> => {
    if (!life.isOver() || folder === null) return life
    next ??= life.gone.then(() => {
      next = null
      life = begin(start, folder)
      return life
    })
    return next
  }
  const ask = async (question: Question): Promise<Outcome<unknown, Failure>> => {
    const asked = await living()
    const opened = await asked.opened
    const outcome = "failure" in opened ? opened : await asked.ask(question)
    if (!("failure" in outcome)) return outcome
    if (isBroken(outcome.failure)) void asked.end()
    return { failure: ofQuestion(outcome.failure, question) }
  }
  const first = await life.opened
  if ("failure" in first) {
    await life.end()
    throw new Error(first.failure.kind === "statement" ? first.failure.reason : "")
  }
  return {
    query: (statement) => ask({ method: "query", statement }) as ReturnType<SqlSession["query"]>,
    transaction: (statements) => ask({ method: "transaction", statements }) as ReturnType<SqlSession["transaction"]>,
    ask: (sql, bounds) => ask({ method: "ask", sql, bounds }) as ReturnType<SqlSession["ask"]>,
    close: async () => {
      const last = await (next ?? life)
      await last.ask({ method: "close" })
      await last.end()
    }
  }
}

const isBroken = (failure: Failure): boolean => failure.kind === "statement" && failure.broken

/** A thread that is gone, or does not open, cannot say which statement it was asked. */
const ofQuestion = (failure: Failure, question: Question): Failure =>
  failure.kind === "statement" && failure.sql === "" ? { ...failure, sql: sqlOf(question) } : failure

const sqlOf = (question: Question): string => {
  switch (question.method) {
    case "query":
      return question.statement.sql
    case "transaction":
      return question.statements.map(({ sql }) => sql).join("; ")
    case "ask":
      return question.sql
    default:
      return question.method
  }
}

const begin = (start: StartSqlThread, folder: string | null): Life => {
  const waiting = new Map<number, (outcome: Outcome<unknown, Failure>) => void>()
  let tellGone = (): void => {}
  const gone = new Promise<void>((resolve) => {
    tellGone = resolve
  })
  let asked = 0
  let lost: Outcome<never, Failure> | null = null
  const lose = (reason: string): void => {
    lost ??= { failure: unknown(`its thread ended${reason === "" ? "" : `: ${reason}`}`, true) }
    for (const resolve of waiting.values()) resolve(lost)
    waiting.clear()
  }
  const thread = start({
    reply: ({ id, outcome }) => {
      waiting.get(id)?.(outcome)
      waiting.delete(id)
    },
    ended: (reason) => {
      lose(reason)
      tellGone()
    }
  })
  const ask = (question: Question): Promise<Outcome<unknown, Failure>> => {
    if (lost !== null) return Promise.resolve(lost)
    const id = asked++
    const moved: Array<ArrayBuffer> = []
    return new Promise((resolve) => {
      waiting.set(id, resolve)
      try {
        thread.send({ id, question: packed(question, moved) }, moved)
      } catch (cause) {
        waiting.delete(id)
        resolve({ failure: unknown(String(cause), false) })
      }
    })
  }
  const end = (): Promise<unknown> => {
    lose("")
    return thread.end()
  }
  return { ask, end, opened: ask({ method: "open", folder }), gone, isOver: () => lost !== null }
}

const unknown = (reason: string, broken: boolean): StatementFailure => ({
  kind: "statement",
  sql: "",
  code: "unknown",
  reason,
  broken
})

// Bytes

/** A message copies the whole buffer that bytes are a part of: so only they go, in buffers of their own. */
const packed = (question: Question, moved: Array<ArrayBuffer>): Question => {
  const pack = (statement: Statement): Statement => ({
    ...statement,
    parameters: statement.parameters.map((value) => packedValue(value, moved))
  })
  if (question.method === "query") return { ...question, statement: pack(question.statement) }
  if (question.method === "transaction") return { ...question, statements: question.statements.map(pack) }
  return question
}

const packedValue = (value: SqlValue, moved: Array<ArrayBuffer>): SqlValue => {
  if (value instanceof Uint8Array) {
    const bytes = new Uint8Array(value)
    moved.push(bytes.buffer)
    return bytes
  }
  if (!Array.isArray(value) || !holdsBytes(value)) return value
  return value.map((element) => (element instanceof Uint8Array ? new Uint8Array(element) : element))
}

/** Elements are of one type: the first that is there tells. */
const holdsBytes = (values: ReadonlyArray<SqlValue>): boolean => {
  for (let i = 0; i < values.length; i++) if (values[i] !== null) return values[i] instanceof Uint8Array
  return false
}
