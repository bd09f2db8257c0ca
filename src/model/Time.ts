/** Event time, processing time and watermarks: integers of milliseconds since 1970-01-01T00:00:00Z. */

/** Milliseconds since the epoch. */
export type Millis = number

/** Before every event: the watermark of a partition that has not been read yet. */
export const beginning: Millis = Number.NEGATIVE_INFINITY

/** The range of event times that a table can hold: years 0001 to 9999. */
export const eventTimeMin: Millis = -62_135_596_800_000
export const eventTimeMax: Millis = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** Is it an integer of milliseconds that a table can hold? */
export const isEventTime = (at: number): boolean => Number.isInteger(at) && at >= eventTimeMin && at <= eventTimeMax

/** An instant as ISO 8601 text in UTC; `-` for the beginning. */
export const formatInstant = (at: Millis): string => (Number.isFinite(at) ? new Date(at).toISOString() : "-")
