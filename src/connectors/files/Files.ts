/** Files of a folder, as sources, sinks and lookups of a job. */
export { type Format, type LookupOptions, lookup } from "./FilesLookup.ts"
export {
  type CsvSinkOptions,
  type ParquetSinkOptions,
  type SinkOptions,
  toCsv,
  toJsonLines,
  toParquet
} from "./FilesSink.ts"
export { type CsvOptions, csv, jsonLines, type SourceOptions, text } from "./FilesSource.ts"
export { layer as layerLedgers } from "./LedgerFolder.ts"
