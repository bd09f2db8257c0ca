/** Keys and values in Avro, behind the numbers of their schemas in a schema registry. */
export * as Avro from "./Avro.ts"
