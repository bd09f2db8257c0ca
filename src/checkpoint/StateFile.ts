/**
 * The parts of the state that one epoch wrote, in one file: it is synced once, not once for each key group.
 *
 *     length of the index: 32 bits, big-endian │ index: JSON │ bytes of the parts, one after the other
 */
import type { StatePart } from "../state/StatePart.ts"
import type { StepState } from "./CheckpointStore.ts"

/** Finds a part; `undefined` if the epoch wrote none there. */
export type Parts = (step: string, keyGroup: number) => StatePart | undefined

interface Entry {
  readonly step: string
  readonly keyGroup: number
  readonly kind: StatePart["kind"]
  readonly length: number
}

const headBytes = 4

export const encode = (state: ReadonlyArray<StepState>): Uint8Array => {
  const parts = state.flatMap(({ step, parts }) => parts.map((part) => ({ step, part })))
  const entries = parts.map(
    ({ step, part }): Entry => ({ step, keyGroup: part.keyGroup, kind: part.kind, length: part.bytes.length })
  )
  const index = new TextEncoder().encode(JSON.stringify(entries))
  const bytes = new Uint8Array(headBytes + index.length + entries.reduce((sum, { length }) => sum + length, 0))
  new DataView(bytes.buffer).setUint32(0, index.length)
  bytes.set(index, headBytes)
  let at = headBytes + index.length
  for (const { part } of parts) {
    bytes.set(part.bytes, at)
    at += part.bytes.length
  }
  return bytes
}

/** `bytes` are as they were written: their seal was checked before. The parts are views of them. */
export const decode = (bytes: Uint8Array): Parts => {
  const indexEnd = headBytes + new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0)
  const entries = JSON.parse(new TextDecoder().decode(bytes.subarray(headBytes, indexEnd))) as ReadonlyArray<Entry>
  const parts = new Map<string, StatePart>()
  let at = indexEnd
  for (const { step, keyGroup, kind, length } of entries) {
    parts.set(`${keyGroup} ${step}`, { keyGroup, kind, bytes: bytes.subarray(at, at + length) })
    at += length
  }
  return (step, keyGroup) => parts.get(`${keyGroup} ${step}`)
}
