/** Sources and sinks that are described and never opened. */
import type { Sink } from "../../src/flow/Sink.ts"
import type { Source } from "../../src/flow/Source.ts"
import type { Invalid, RawEvent } from "../../src/model/Event.ts"

const unopened = (name: string) => ({
  name,
  open: undefined as never,
  clear: null,
  guarantee: "exactly once" as const
})

export const topic = (name: string): Source<RawEvent, never, never> => ({ ...unopened(name), label: `topic ${name}` })

export const upsert = (table: string, key: ReadonlyArray<string>): Sink<unknown, never, never> => ({
  ...unopened(table),
  label: `upsert into ${table} by ${key.join(", ")}`,
  replaces: true,
  key
})

export const append = (table: string): Sink<unknown, never, never> => ({
  ...unopened(table),
  label: `append to ${table}`,
  replaces: false,
  key: []
})

export const deadLetter = (name: string): Sink<Invalid, never, never> => append(name)
