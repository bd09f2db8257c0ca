/** Rows for a person to look at. */
export * as Console from "./ConsoleSink.ts"
