/** The order of rows that are appended: by their places, so that an epoch that is computed again has it again. */
import type { Batch } from "../model/Message.ts"

/** Every value of the batches, by origin, partition, offset and row. Batches of one partition mostly come in order: then nothing is sorted. */
export const inOrder = function* (batches: ReadonlyArray<Batch>): Generator<readonly [Batch, number]> {
  const groups = new Map<string, Array<Batch>>()
  for (const batch of batches) {
    const group = groups.get(placeOf(batch))
    if (group === undefined) groups.set(placeOf(batch), [batch])
    else group.push(batch)
  }
  const sorted = [...groups.values()].sort((a, b) => compareOrigins(a[0]!, b[0]!))
  for (const group of sorted) {
    const places: Array<readonly [Batch, number]> = []
    for (const batch of group) for (let i = 0; i < batch.values.length; i++) places.push([batch, i])
    for (let i = 1; i < places.length; i++)
      if (comparePlaces(places[i - 1]!, places[i]!) > 0) {
        places.sort(comparePlaces)
        break
      }
    yield* places
  }
}

// Private

const placeOf = (batch: Batch): string => `${batch.partition} ${batch.origin}`

const compareOrigins = (a: Batch, b: Batch): number =>
  a.origin === b.origin ? a.partition - b.partition : a.origin < b.origin ? -1 : 1

const comparePlaces = ([a, i]: readonly [Batch, number], [b, j]: readonly [Batch, number]): number =>
  a.offsets[i]! - b.offsets[j]! || (a.rows?.[i] ?? 0) - (b.rows?.[j] ?? 0)
