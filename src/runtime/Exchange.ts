/**
 * The edges between the actors of a job: a mailbox for each chain and sink, found by id.
 *
 * A full mailbox suspends its writer: this is the only thing that goes against the flow.
 */
import { Effect, Option } from "effect"
import * as Mailbox from "../actor/Mailbox.ts"
import { Defect, type MailboxClosed } from "../model/Errors.ts"
import type { Message } from "../model/Message.ts"
import type { Incoming } from "./Alignment.ts"

export interface Exchange {
  readonly mailbox: (actor: string) => Mailbox.Mailbox<Incoming>
  /** `input`: by which of the receiver's inputs it comes, from 0. */
  readonly send: (from: string, to: string, message: Message, input?: number) => Effect.Effect<void, MailboxClosed>
  /** The next message; ends with `End`. */
  readonly take: (actor: string) => Effect.Effect<Incoming, MailboxClosed>
  /** Messages that wait for an actor. */
  readonly waiting: (actor: string) => number
}

export const make = (actors: ReadonlyArray<string>): Exchange => {
  const mailboxes = new Map(
    actors.map((actor) => [actor, Mailbox.make<Incoming>(actor, { sizeOf: ({ message }) => bytesOf(message) })])
  )
  const mailbox = (actor: string): Mailbox.Mailbox<Incoming> => {
    const found = mailboxes.get(actor)
    if (found === undefined)
      throw new Defect({ message: `There is no actor '${actor}'`, hint: "This is a defect of Weir." })
    return found
  }
  return {
    mailbox,
    send: (from, to, message, input = 0) => mailbox(to).send({ from, input, message }),
    take: (actor) =>
      Effect.map(
        mailbox(actor).take,
        Option.getOrElse((): Incoming => ({ from: actor, input: 0, message: { _tag: "End" } }))
      ),
    waiting: (actor) => mailboxes.get(actor)?.fill().messages ?? 0
  }
}

/** Bytes of an event that was decoded: an estimate, for the mailbox's bound only. */
const eventBytes = 128

const bytesOf = (message: Message): number => {
  switch (message._tag) {
    case "Records":
      return message.records.bytes.length
    case "Batch":
      return message.values.length * eventBytes
    default:
      return 0
  }
}
