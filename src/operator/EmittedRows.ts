/**
 * Rows that a step makes at a barrier, as batches: one for each port and key group, in this order, with places that are
 * the same at every replay: the epoch, and where in its batch a row stands.
 */
import type { Port } from "../flow/Topology.ts"
import type { Barrier } from "../model/Message.ts"
import * as MadeBatch from "./MadeBatch.ts"
import type { Collector } from "./Operator.ts"

interface Rows {
  readonly values: Array<unknown>
  readonly eventTimes: Array<number>
}

export class EmittedRows {
  readonly #ports = new Map<Port, Map<number, Rows>>()

  /** Takes a row; rows of one key group keep their order. */
  add(port: Port, keyGroup: number, value: unknown, eventTime: number): void {
    let groups = this.#ports.get(port)
    if (groups === undefined) {
      groups = new Map()
      this.#ports.set(port, groups)
    }
    let rows = groups.get(keyGroup)
    if (rows === undefined) {
      rows = { values: [], eventTimes: [] }
      groups.set(keyGroup, rows)
    }
    rows.values.push(value)
    rows.eventTimes.push(eventTime)
  }

  /**
   * Emits and forgets all rows. `watermark`: what was passed on at the barrier before this one, so that no row is
   * below it; `null`: the rows have no event time.
   */
  emit(out: Collector, origin: string, barrier: Barrier, watermark: number | null): void {
    const ports = [...this.#ports].sort(([left], [right]) => (left < right ? -1 : 1))
    this.#ports.clear()
    for (const [port, groups] of ports) {
      for (const [partition, { eventTimes, values }] of [...groups].sort((left, right) => left[0] - right[0])) {
        const times = watermark === null ? null : { of: eventTimes, watermark }
        out.emit(port, MadeBatch.make({ origin, partition, barrier, values, from: 0, times }))
      }
    }
  }
}
