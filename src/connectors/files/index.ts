/** Files of a folder or a disk, as a job names them: `Files.lookup`. Which disk it is is a Layer's affair. */
export * as Files from "./Files.ts"
