/**
 * The queue in front of one actor: bounded in messages and in bytes, read by one fiber.
 *
 * Two lanes. Control messages overtake data messages; within a lane messages keep the order in which they were sent.
 * A full lane suspends its senders (credit) and serves them in the order in which they came. Nothing here is unbounded:
 * a suspended sender holds its one message itself.
 */
import { Effect, Option } from "effect"
import { Defect, MailboxClosed } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"

export interface Options<in A> {
  /** Data messages that wait at most. Default: `Limits.mailboxBatchesMax`. */
  readonly messagesMax?: number
  /** Bytes of the data messages that wait at most. Default: `Limits.mailboxBytesMax`. */
  readonly bytesMax?: number
  /** Control messages that wait at most; they have no byte bound. Default: `Limits.mailboxControlMax`. */
  readonly controlMax?: number
  /** Bytes of a data message, asked once, when it is sent. Default: 0, then only `messagesMax` binds. */
  readonly sizeOf?: (message: A) => number
}

/** `open`: accepts. `ending`: delivers what it holds, then ends. `closed`: holds nothing. */
export type State = "open" | "ending" | "closed"

/** What waits now: for progress reports. */
export interface Fill {
  readonly messages: number
  readonly bytes: number
  readonly control: number
  readonly sendersWaiting: number
}

export interface Mailbox<in out A> {
  readonly name: string
  /**
   * Puts a message at the end of the data lane; suspends while the lane is full.
   *
   * A message above `bytesMax` passes alone: it waits until the lane is empty. Interrupted, it has delivered its
   * message once or not at all. Fails once `end` or `close` was called; a sender that was suspended before `end` is
   * still served.
   */
  readonly send: (message: A) => Effect.Effect<void, MailboxClosed>
  /** As `send`, in the control lane. */
  readonly sendControl: (message: A) => Effect.Effect<void, MailboxClosed>
  /**
   * Waits until `take` would not wait. Takes nothing, so it may lose a race or a timeout without losing a message.
   *
   * Never fails: at the end and after `close` it returns at once. Dies with `Defect` if a second fiber waits.
   */
  readonly ready: Effect.Effect<void>
  /**
   * The next message, control first; waits while there is none. `None`: ended, and it stays so.
   *
   * Interrupted while it waits it has taken nothing. Fails after `close`. For one fiber at a time.
   */
  readonly take: Effect.Effect<Option.Option<A>, MailboxClosed>
  /** As `take`, but everything that waits, at least one, up to `messagesMax`, control first. Empty: ended. */
  readonly takeBatch: (messagesMax: number) => Effect.Effect<ReadonlyArray<A>, MailboxClosed>
  /** Accepts nothing more; what waits, and what suspended senders hold, is still delivered. May be called again. */
  readonly end: Effect.Effect<void>
  /** Drops what waits and fails every sender and taker with `MailboxClosed`. May be called again, also after `end`. */
  readonly close: Effect.Effect<void>
  /** For observers. It may change with the next message. */
  readonly state: () => State
  readonly fill: () => Fill
}

export const make = <A>(name: string, options?: Options<A>): Mailbox<A> => {
  const sizeOf = options?.sizeOf ?? (() => 0)
  const data = new Lane<A>(
    options?.messagesMax ?? Limits.mailboxBatchesMax,
    options?.bytesMax ?? Limits.mailboxBytesMax
  )
  const control = new Lane<A>(options?.controlMax ?? Limits.mailboxControlMax, Number.POSITIVE_INFINITY)
  let state: State = "open"
  let taker: ((effect: Effect.Effect<void>) => void) | null = null

  const closed = (): MailboxClosed =>
    new MailboxClosed({
      mailbox: name,
      message: `The mailbox of '${name}' accepts and delivers nothing more.`,
      hint: "Its actor has stopped: look for the failure that stopped it."
    })
  const holdsNothing = (): boolean => data.isEmpty() && control.isEmpty()

  const wakeTaker = (): void => {
    if (taker === null || (state === "open" && holdsNothing())) return
    const resume = taker
    taker = null
    resume(Effect.void)
  }

  const suspended = (lane: Lane<A>, message: A, bytes: number): Effect.Effect<void, MailboxClosed> =>
    Effect.async<void, MailboxClosed>((resume) => {
      if (state !== "open") return resume(Effect.fail(closed()))
      const sender = { message, bytes, resume }
      lane.senders.add(sender)
      // Others may have had their turn since the lane was looked at: it may have room by now.
      lane.admit()
      wakeTaker()
      return Effect.sync(() => {
        if (lane.senders.delete(sender)) lane.admit()
        wakeTaker()
      })
    })

  const sendTo = (lane: Lane<A>, message: A, bytes: number): Effect.Effect<void, MailboxClosed> => {
    if (state !== "open") return Effect.fail(closed())
    if (lane.isAwaited() || !lane.fits(bytes)) return suspended(lane, message, bytes)
    lane.push(message, bytes)
    wakeTaker()
    return Effect.void
  }

  const ready = Effect.suspend(() => {
    if (state !== "open" || !holdsNothing()) return Effect.void
    return Effect.async<void>((resume) => {
      if (taker !== null) return resume(Effect.die(secondTaker(name)))
      // Others may have had their turn since it was looked at: what came then wakes nobody up later.
      if (state !== "open" || !holdsNothing()) return resume(Effect.void)
      taker = resume
      return Effect.sync(() => {
        if (taker === resume) taker = null
      })
    })
  })

  const shift = (): A => {
    const lane = control.isEmpty() ? data : control
    const message = lane.shift()
    lane.admit()
    return message
  }

  // A message leaves in the step that yields it: between two steps the fiber may be interrupted, and it would be lost.
  const whenReady = <B>(takeNow: () => B): Effect.Effect<B, MailboxClosed> => {
    const step = Effect.sync(() => {
      if (state === "closed") throw closed()
      return takeNow()
    })
    return Effect.catchAllDefect(
      Effect.flatMap(ready, () => step),
      (defect) => (defect instanceof MailboxClosed ? Effect.fail(defect) : Effect.die(defect))
    )
  }

  return {
    name,
    send: (message) => Effect.suspend(() => sendTo(data, message, sizeOf(message))),
    sendControl: (message) => Effect.suspend(() => sendTo(control, message, 0)),
    ready,
    take: whenReady(() => (holdsNothing() ? Option.none<A>() : Option.some(shift()))),
    takeBatch: (messagesMax) =>
      whenReady(() => {
        const messages: Array<A> = []
        while (!holdsNothing() && (messages.length === 0 || messages.length < messagesMax)) messages.push(shift())
        return messages
      }),
    end: Effect.sync(() => {
      if (state !== "open") return
      state = "ending"
      wakeTaker()
    }),
    close: Effect.sync(() => {
      if (state === "closed") return
      state = "closed"
      for (const lane of [control, data]) for (const sender of lane.clear()) sender.resume(Effect.fail(closed()))
      wakeTaker()
    }),
    state: () => state,
    fill: () => ({
      messages: data.count,
      bytes: data.bytes,
      control: control.count,
      sendersWaiting: data.senders.size + control.senders.size
    })
  }
}

const secondTaker = (name: string): Defect =>
  new Defect({
    message: `Two fibers wait at the mailbox of '${name}'.`,
    hint: "Let one fiber take, and hand on what it took."
  })

interface Sender<A> {
  readonly message: A
  readonly bytes: number
  readonly resume: (effect: Effect.Effect<void, MailboxClosed>) => void
}

/** A ring of messages and the senders that wait for a place in it. */
class Lane<A> {
  readonly senders = new Set<Sender<A>>()
  readonly messagesMax: number
  readonly bytesMax: number
  readonly messages: Array<A | undefined>
  readonly sizes: Float64Array
  first = 0
  count = 0
  bytes = 0

  constructor(messagesMax: number, bytesMax: number) {
    this.messagesMax = Math.max(1, messagesMax)
    this.bytesMax = bytesMax
    this.messages = new Array<A | undefined>(this.messagesMax).fill(undefined)
    this.sizes = new Float64Array(this.messagesMax)
  }

  isEmpty(): boolean {
    return this.count === 0
  }

  isAwaited(): boolean {
    return this.senders.size > 0
  }

  fits(bytes: number): boolean {
    return this.count === 0 || (this.count < this.messagesMax && this.bytes + bytes <= this.bytesMax)
  }

  push(message: A, bytes: number): void {
    const place = (this.first + this.count) % this.messagesMax
    this.messages[place] = message
    this.sizes[place] = bytes
    this.count += 1
    this.bytes += bytes
  }

  shift(): A {
    const message = this.messages[this.first] as A
    this.messages[this.first] = undefined
    this.count -= 1
    this.bytes -= this.sizes[this.first]!
    this.first = (this.first + 1) % this.messagesMax
    return message
  }

  /** Serves waiting senders, oldest first, until one does not fit. */
  admit(): void {
    for (const sender of this.senders) {
      if (!this.fits(sender.bytes)) return
      this.senders.delete(sender)
      this.push(sender.message, sender.bytes)
      sender.resume(Effect.void)
    }
  }

  clear(): ReadonlyArray<Sender<A>> {
    const senders = [...this.senders]
    this.senders.clear()
    this.messages.fill(undefined)
    this.first = this.count = this.bytes = 0
    return senders
  }
}
