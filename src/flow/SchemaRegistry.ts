/**
 * The contract of a schema registry: it gives each schema a number, which records then carry instead of the schema.
 *
 * A number means one schema for ever. That is what a replay stands on: what an epoch decoded, it decodes again.
 */
import { Context, Effect, Layer } from "effect"
import { InvalidConfiguration, type InvalidSchema } from "../model/Errors.ts"
import type { RegistryFailure } from "./Codec.ts"

/** In the registry's words. */
export type SchemaFormat = "AVRO" | "PROTOBUF" | "JSON"

export interface RegisteredSchema {
  readonly format: SchemaFormat
  /** As it was registered; of Protobuf, where it was asked for so, its compiled descriptor in base64. */
  readonly text: string
  /** Schemas that it uses, by the name under which it does. */
  readonly references: ReadonlyArray<SchemaReference>
}

export interface SchemaReference {
  readonly name: string
  readonly subject: string
  readonly version: number
}

/** A schema under a subject. */
export interface SchemaVersion extends RegisteredSchema {
  readonly id: number
}

/** `source`: as it was registered; `compiled`: of Protobuf, its descriptor. */
export type SchemaForm = "source" | "compiled"

/** A schema as a job has it. */
export interface OwnSchema {
  readonly format: SchemaFormat
  readonly text: string
}

export interface SchemaRegistryService {
  /** The schema of a number; `null`: the registry knows none. Kept, since it never changes: at most `Limits.schemasKept`. */
  readonly schema: (id: number, form: SchemaForm) => Effect.Effect<RegisteredSchema | null, RegistryFailure>
  /** A version of a subject; `null`: there is none. */
  readonly version: (
    subject: string,
    version: number,
    form: SchemaForm
  ) => Effect.Effect<SchemaVersion | null, RegistryFailure>
  /** The number of a schema under a subject; `null`: the subject, or this schema of it, is not registered. */
  readonly find: (subject: string, schema: OwnSchema) => Effect.Effect<number | null, RegistryFailure>
  /** Registers a schema under a subject, where it is not yet; its number. Fails where the registry finds it wrong, or not compatible. */
  readonly register: (subject: string, schema: OwnSchema) => Effect.Effect<number, RegistryFailure | InvalidSchema>
}

export class SchemaRegistry extends Context.Tag("weir/SchemaRegistry")<SchemaRegistry, SchemaRegistryService>() {}

/** No registry: whoever asks is told how to name one. */
export const layerNone: Layer.Layer<SchemaRegistry> = Layer.sync(SchemaRegistry, () => {
  const none = Effect.suspend(
    () =>
      new InvalidConfiguration({
        name: "SCHEMA_REGISTRY_URL",
        message: "A codec of the job needs a schema registry, and none is named",
        hint: "Set SCHEMA_REGISTRY_URL, such as http://localhost:8081, and SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD where it asks for them."
      })
  )
  return { schema: () => none, version: () => none, find: () => none, register: () => none }
})
