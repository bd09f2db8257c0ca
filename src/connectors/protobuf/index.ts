/** Keys and values in Protobuf, behind the numbers of their schemas in a schema registry. Needs `@bufbuild/protobuf`. */
export * as Protobuf from "./Protobuf.ts"
