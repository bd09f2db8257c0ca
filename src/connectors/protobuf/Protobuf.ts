/** Protobuf as a job names it: `Protobuf.codec`. */
export { codec, type ProtobufOptions } from "./ProtobufCodec.ts"
