/** A schema registry over HTTP: Confluent's, or another that answers as it does (Karapace, Redpanda, Apicurio). */
export { layerRegistry } from "./RegistryClient.ts"
export type { RegistryConfig } from "./RegistryConfig.ts"
