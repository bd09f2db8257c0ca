/** Every error as an answer: the status that its fault and tag ask for, and one form of body. */
import { HttpServerResponse } from "@effect/platform"
import { Effect } from "effect"
import { type Explained, isExplained, MethodNotAllowed } from "../model/Errors.ts"

/** What a tag says more exactly than its fault. */
const statusOfTag: Readonly<Record<string, number>> = {
  Unauthorized: 401,
  OriginRefused: 403,
  UnknownRoute: 404,
  UnknownJob: 404,
  UnknownTopic: 404,
  UnknownTable: 404,
  UnknownDashboard: 404,
  UnknownSavepoint: 404,
  MethodNotAllowed: 405,
  InvalidJob: 409,
  TopicExists: 409,
  SavepointExists: 409,
  StateMismatch: 409,
  DashboardsFull: 409,
  FolderOwned: 409,
  Fenced: 409,
  RecordTooLarge: 413,
  RequestTooLarge: 413,
  AccessRefused: 502
}

/** 4xx for a user's fault, 502 and 503 for another system's (503: try again), 500 for a defect. */
export const statusOf = (error: Explained): number => {
  const known = statusOfTag[error._tag]
  if (known !== undefined) return known
  switch (error.fault) {
    case "user":
      return 400
    case "external":
      return error.retry ? 503 : 502
    case "internal":
      return 500
  }
}

/** The answer to a call that failed. */
export const answerOf = (error: Explained): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(
    { error: { tag: error._tag, message: error.message, hint: error.hint } },
    { status: statusOf(error), headers: headersOf(error) }
  )

/** Errors of the daemon become answers; what is no error of ours goes on as a defect. */
export const answering = <A, R>(
  effect: Effect.Effect<A, Explained & Error, R>
): Effect.Effect<A | HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.catchAll(effect, (error) => (isExplained(error) ? Effect.succeed(answerOf(error)) : Effect.die(error)))

const headersOf = (error: Explained): Readonly<Record<string, string>> => {
  if (error._tag === "Unauthorized") return { "www-authenticate": 'Bearer realm="weir"' }
  if (error instanceof MethodNotAllowed) return { allow: error.allowed.join(", ") }
  if (error.retry) return { "retry-after": "1" }
  return {}
}
