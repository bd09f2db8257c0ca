/**
 * What stands before and behind every route: who may call, what a browser may do with an answer, and one form of
 * error for all that goes wrong outside a route.
 *
 * Without a token the daemon listens on loopback only, so a call's `Host` must be a loopback name: a foreign name
 * that was made to point here (DNS rebinding) is refused. Calls that change something are refused from other pages.
 */
import { HttpApi, HttpApiBuilder, type HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Effect, Layer, Option, Redacted } from "effect"
import {
  Defect,
  type Explained,
  InvalidRequest,
  isExplained,
  MethodNotAllowed,
  OriginRefused,
  Unauthorized,
  UnknownRoute
} from "../model/Errors.ts"
import { Api, Authorization } from "./Api.ts"
import { answerOf } from "./ApiErrors.ts"

/** The token of the daemon, if it has one. */
export type Token = Option.Option<Redacted.Redacted<string>>

/** Lets a call through that carries the token; without a token, one that came to a loopback name. */
export const layerAuthorization = (token: Token): Layer.Layer<Authorization> =>
  Layer.succeed(Authorization, {
    token: (given) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        const refused = refusalOf(request, given, token)
        return refused === null ? Effect.void : Effect.die(refused)
      })
  })

/** Turns every failure outside a route into an error's answer, and adds the headers that all answers have. */
export const layerAnswers: Layer.Layer<never> = HttpApiBuilder.middleware(
  (app) =>
    app.pipe(
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause)
          : Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => answerOfCause(request, cause))
      ),
      Effect.map(HttpServerResponse.setHeaders(securityHeaders)),
      Effect.map((response) =>
        response.headers["cache-control"] === undefined
          ? HttpServerResponse.setHeader(response, "cache-control", "no-store")
          : response
      )
    ) as HttpApp.Default
)

/** Are both the same text? Takes as long for a wrong first character as for a wrong last one. */
const equalInConstantTime = (given: string, expected: string): boolean => {
  const encoder = new TextEncoder()
  const one = encoder.encode(given)
  const other = encoder.encode(expected)
  let difference = one.length ^ other.length
  for (let i = 0; i < other.length; i++) difference |= other[i]! ^ (one[i] ?? 0)
  return difference === 0
}

const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

const refusalOf = (
  request: HttpServerRequest.HttpServerRequest,
  given: Redacted.Redacted<string>,
  token: Token
): Explained | null => {
  const host = request.headers.host ?? ""
  if (Option.isSome(token)) {
    if (!equalInConstantTime(Redacted.value(given), Redacted.value(token.value))) {
      return new Unauthorized({
        message: `${request.method} ${pathOf(request)} needs the daemon's token`,
        hint: "Send the header `Authorization: Bearer <WEIR_TOKEN>`."
      })
    }
  } else if (!isLoopback(host)) {
    return new OriginRefused({
      message: `The call came to the host '${host}', which is no loopback name`,
      hint: "Call 127.0.0.1 or localhost, or start the daemon with WEIR_TOKEN."
    })
  }
  const origin = request.headers.origin
  const changes = request.method !== "GET" && request.method !== "HEAD"
  if (changes && origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    return new OriginRefused({
      message: `A page of '${origin}' may not change anything here`,
      hint: "Call from the daemon's own page, or from a program that sends no Origin header."
    })
  }
  return null
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i.test(host)

const pathOf = (request: HttpServerRequest.HttpServerRequest): string => request.url.split("?", 1)[0]!

const answerOfCause = (request: HttpServerRequest.HttpServerRequest, cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  const known = isExplained(error) ? error : explanationOf(request, error)
  if (known !== null) return Effect.succeed(answerOf(known))
  return Effect.as(
    Effect.logError(`${request.method} ${pathOf(request)} failed`, cause),
    answerOf(
      new Defect({
        message: `${request.method} ${pathOf(request)} met something that was thought impossible`,
        hint: "The daemon's log says more; please report it."
      })
    )
  )
}

/** What the platform's own errors mean; `null`: nothing that a caller could mend. */
const explanationOf = (request: HttpServerRequest.HttpServerRequest, error: unknown): Explained | null => {
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : null
  const path = pathOf(request)
  if (tag === "RouteNotFound") {
    const allowed = methodsOf(path)
    if (allowed.includes(request.method)) {
      return new InvalidRequest({ message: "The call's path is not UTF-8", hint: "Encode it with percent signs." })
    }
    return allowed.length === 0
      ? new UnknownRoute({ message: `${path} is not known here`, hint: "/docs lists every route." })
      : new MethodNotAllowed({
          message: `${path} does not take ${request.method}`,
          hint: `It takes ${allowed.join(", ")}.`,
          allowed
        })
  }
  if (tag === "HttpApiDecodeError") {
    const issues = (error as { readonly issues: ReadonlyArray<{ path: ReadonlyArray<PropertyKey>; message: string }> })
      .issues
    return new InvalidRequest({
      message: `${request.method} ${path}: ${issues.map(sentenceOf).join("; ")}`,
      hint: "/docs says what the route takes."
    })
  }
  return null
}

const sentenceOf = (issue: { readonly path: ReadonlyArray<PropertyKey>; readonly message: string }): string =>
  `${issue.path.map(String).join(".") || "the request"}: ${issue.message.split("\n", 1)[0]}`

const routes: Array<{ readonly method: string; readonly path: RegExp }> = []
HttpApi.reflect(Api, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => {
    routes.push({ method: endpoint.method, path: new RegExp(`^${endpoint.path.replace(/:\w+/g, "[^/]+")}$`) })
  }
})

const methodsOf = (path: string): ReadonlyArray<string> => [
  ...new Set(routes.filter((route) => route.path.test(path)).map((route) => route.method))
]
