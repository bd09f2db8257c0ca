/** Bytes of a Parquet file, row group by row group: types, exact to the last digit, and what they are called there. */
import { ByteWriter, ParquetWriter } from "hyparquet-writer"
import type { SqlType } from "../../flow/Tables.ts"

/** As it stands in a file: it must be told apart from a version with other columns. */
export interface FileColumn {
  readonly name: string
  readonly type: SqlType
  readonly nullable: boolean
}

export type Compression = "snappy" | "none"

export interface ParquetFile {
  /**
   * The bytes of one more row group: a list of values for each column, all equally long. Whole numbers of 64 bits and
   * decimals are bigints, instants milliseconds, lists and structs their JSON; `null` where nothing is.
   */
  readonly group: (columns: ReadonlyArray<ReadonlyArray<unknown>>) => Uint8Array
  /** Those of the end. */
  readonly end: () => Uint8Array
}

/** Digits of a decimal: more do not fit into its 16 bytes. */
export const decimalDigitsMax = 38

export const make = (columns: ReadonlyArray<FileColumn>, compression: Compression): ParquetFile => {
  const bytes = new ByteWriter()
  const schema = [{ name: "rows", num_children: columns.length }, ...columns.map(elementOf)]
  const writer = new ParquetWriter({
    writer: bytes,
    schema,
    codec: compression === "none" ? "UNCOMPRESSED" : "SNAPPY",
    createdBy: "weir"
  })
  const taken = (): Uint8Array => {
    const part = bytes.getBytes().slice()
    // It goes on counting from where it is in the file.
    bytes.index = 0
    return part
  }
  return {
    group: (values) => {
      const rows = values[0]?.length ?? 0
      const columnData = columns.map(({ name }, i) => ({ name, data: values[i] as Array<unknown> }))
      writer.write({ columnData, rowGroupSize: rows })
      return taken()
    },
    end: () => {
      writer.finish()
      return taken()
    }
  }
}

// Private

type Element = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number]

const elementOf = ({ name, nullable, type }: FileColumn): Element => ({
  name,
  repetition_type: nullable ? "OPTIONAL" : "REQUIRED",
  ...typeOf(type)
})

const typeOf = (type: SqlType): Omit<Element, "name"> => {
  switch (type.kind) {
    case "int64":
      return { type: "INT64" }
    case "decimal": {
      const { precision, scale } = type
      const decimal = { converted_type: "DECIMAL", precision, scale } as const
      return precision <= 18
        ? { type: "INT64", ...decimal }
        : { type: "FIXED_LEN_BYTE_ARRAY", type_length: 16, ...decimal }
    }
    case "instant":
      return {
        type: "INT64",
        converted_type: "TIMESTAMP_MILLIS",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" }
      }
    case "integer":
      return { type: "INT32" }
    case "double":
      return { type: "DOUBLE" }
    case "boolean":
      return { type: "BOOLEAN" }
    case "bytes":
      return { type: "BYTE_ARRAY" }
    case "text":
    case "json":
      return { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } }
  }
}
