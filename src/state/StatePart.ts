/** The state of one step as it is kept: by key group, as a base and the deltas since. */

/** The state of one key group, or the changes to it since the last barrier. */
export interface StatePart {
  readonly keyGroup: number
  /** `base` replaces all that was kept of the key group; `delta` is applied to it, in the order of epochs. */
  readonly kind: "base" | "delta"
  readonly bytes: Uint8Array
}

/** What a step kept at a barrier. */
export interface Snapshot {
  readonly parts: ReadonlyArray<StatePart>
  /** Entries in the state after the barrier. */
  readonly rows: number
  /** Bytes of the state after the barrier: its bases and deltas as they would be read back. */
  readonly bytes: number
}
