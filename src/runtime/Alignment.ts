/**
 * Puts the messages of several senders into epochs: what a receiver is given of an epoch comes before its barrier, and
 * nothing of the next one.
 *
 * A sender that has ended its epoch already sends of the next: its messages wait here. They are few, since no more than
 * `Limits.epochsInFlight` epochs are open.
 */
import type { Barrier, Batch, Message, PartitionCut, Records } from "../model/Message.ts"

/** A message, who sent it, and by which input of the receiver it comes. */
export interface Incoming {
  readonly from: string
  readonly input: number
  readonly message: Message
}

/** A message whose turn it is; the barrier and the end are those of all senders together. */
export type Aligned =
  | { readonly kind: "batch"; readonly batch: Batch | Records; readonly input: number }
  | { readonly kind: "barrier"; readonly barrier: Barrier }
  | { readonly kind: "end" }

export class Alignment {
  readonly #senders: number
  readonly #barriers = new Map<string, Barrier>()
  #waiting: Array<Incoming> = []
  #ended = 0
  #watermark = Number.NEGATIVE_INFINITY

  constructor(senders: ReadonlyArray<string>) {
    this.#senders = senders.length
  }

  /** Takes a message; answers those whose turn has come, in order. */
  offer(incoming: Incoming): ReadonlyArray<Aligned> {
    const ready: Array<Aligned> = []
    let next: ReadonlyArray<Incoming> = [incoming]
    while (next.length > 0) {
      const [barriersBefore, all] = [this.#barriers.size, next]
      next = []
      for (const one of all) this.#take(one, ready)
      if (this.#barriers.size < this.#senders || this.#barriers.size === barriersBefore) continue
      ready.push({ kind: "barrier", barrier: this.#joined() })
      this.#barriers.clear()
      next = this.#waiting
      this.#waiting = []
    }
    return ready
  }

  #take(incoming: Incoming, ready: Array<Aligned>): void {
    const { from, input, message } = incoming
    if (this.#barriers.has(from)) {
      this.#waiting.push(incoming)
      return
    }
    switch (message._tag) {
      case "Barrier":
        this.#barriers.set(from, message)
        return
      case "End":
        this.#ended++
        if (this.#ended === this.#senders) ready.push({ kind: "end" })
        return
      default:
        ready.push({ kind: "batch", batch: message, input })
    }
  }

  /**
   * The barrier of all senders: the cuts of all their sources, and the lowest watermark of those that are not idle. It
   * does not fall when one that is behind is no longer idle.
   */
  #joined(): Barrier {
    const barriers = [...this.#barriers.values()]
    const [first] = barriers as [Barrier]
    if (barriers.length === 1) return first
    const partitions = new Map<string, PartitionCut>()
    for (const barrier of barriers)
      for (const cut of barrier.partitions) partitions.set(`${cut.source}/${cut.partition}`, cut)
    const awake = barriers.filter((barrier) => !barrier.idle)
    const lowest = Math.min(...(awake.length === 0 ? barriers : awake).map((barrier) => barrier.watermark))
    this.#watermark = Math.max(this.#watermark, lowest)
    return {
      ...first,
      partitions: [...partitions.values()],
      watermark: this.#watermark,
      idle: awake.length === 0
    }
  }
}
