/** A case of the suites of topics: what it runs on, how it says what it expects. */
import { Effect, Either, type Layer, type Scope } from "effect"
import { type ProducedRecord, Topics, type TopicsService } from "../flow/Topics.ts"
import type { Case } from "./Case.ts"

/** What is tested. */
export interface World {
  /** Opens the topics. Each case opens them once or more: the second time must find what the first one left. */
  readonly layer: Layer.Layer<Topics, unknown>
  /**
   * The name of a topic that is not there before this run, from one of letters and hyphens that no two cases share. The
   * name itself will do where the topics are new.
   */
  readonly topic: (name: string) => string
}

/** A case, once there is something to run it on. */
export type Story = (world: World) => Case

export type Body = (topics: TopicsService, topic: (name: string) => string) => Effect.Effect<void, unknown, Scope.Scope>

/** A case whose bodies run one after the other, each after the topics were opened anew. */
export const story =
  (name: string, ...bodies: ReadonlyArray<Body>): Story =>
  ({ layer, topic }) => ({
    name,
    run: Effect.forEach(
      bodies,
      (body) => Effect.flatMap(Topics, (topics) => body(topics, topic)).pipe(Effect.scoped, Effect.provide(layer)),
      { discard: true }
    )
  })

/** The effect fails with an error of this tag. */
export const failsWith = <R>(tag: string, effect: Effect.Effect<unknown, unknown, R>): Effect.Effect<void, never, R> =>
  Effect.map(Effect.either(effect), (outcome) => {
    const found = Either.isLeft(outcome) ? (outcome.left as { readonly _tag?: string })._tag : "no failure"
    equal(found, tag)
  })
/** The condition is met; the sentence says what it is. */
export const holds = (condition: boolean, sentence: string): void => {
  if (!condition) throw new Error(`This does not hold: ${sentence}`)
}
/** Both look the same as JSON, bytes included. */
export const equal = (found: unknown, expected: unknown): void => {
  const [a, b] = [shown(found), shown(expected)]
  if (a !== b) throw new Error(`Found\n${a}\nbut expected\n${b}`)
}

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
export const record = (value: string): ProducedRecord => ({ key: null, value: utf8.encode(value), headers: [] })

// Private

const utf8 = new TextEncoder()
const shown = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? { bytes: [...part] } : part), 1) ?? "undefined"
