/** Avro as a job names it: `Avro.codec`. */
export type { WriterOptions as AvroOptions } from "../../flow/codec/Framed.ts"
export { codec } from "./AvroCodec.ts"
