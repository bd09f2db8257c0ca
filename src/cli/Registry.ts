/** The schema registry that the configuration names. */
import { Effect, Layer, Redacted } from "effect"
import { layerNone, type SchemaRegistry } from "../flow/SchemaRegistry.ts"
import type { InvalidConfiguration } from "../model/Errors.ts"
import type { Configuration } from "./Configuration.ts"

/** Loaded only if one is named; codecs that need one fail where none is. */
export const layer = ({
  schemaRegistryPassword,
  schemaRegistryUrl,
  schemaRegistryUsername
}: Configuration): Layer.Layer<SchemaRegistry, InvalidConfiguration> => {
  if (schemaRegistryUrl === null) return layerNone
  const user =
    schemaRegistryUsername === null
      ? {}
      : { user: { username: schemaRegistryUsername, password: schemaRegistryPassword ?? Redacted.make("") } }
  return Layer.unwrapEffect(
    Effect.map(
      Effect.promise(() => import("../connectors/registry/index.ts")),
      ({ layerRegistry }) => layerRegistry({ url: schemaRegistryUrl, ...user })
    )
  )
}
