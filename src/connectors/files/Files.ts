/** Files of a folder, as sources, sinks and lookups of a job. */
export { type Format, type LookupOptions, lookup } from "./FilesLookup.ts"
