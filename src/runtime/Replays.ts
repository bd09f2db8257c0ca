/**
 * Puts what steps set aside of one source's records through the job again: from where the last replay ended up to where
 * the letters ended when it was asked for. What is set aside again stands behind that end, so no replay feeds itself.
 *
 * How far it has come is cut with the epoch, stands in its intent and its manifest, and so outlives any crash. Letters
 * come right before the barrier, at the places of their records; they move no watermark.
 *
 *     orders.invalid/0   ──1──2──3──│──4──5──6──┤──7──
 *                                   offset      until
 */
import { Effect } from "effect"
import type { Letter, LetterReader } from "../flow/Letters.ts"
import type { SourceError } from "../flow/Source.ts"
import { type MailboxClosed, SourceReplaced } from "../model/Errors.ts"
import type { Offset, RawEvent } from "../model/Event.ts"
import * as Limits from "../model/Limits.ts"
import type { Records, ReplayCut } from "../model/Message.ts"
import * as RawRecords from "../model/RawRecords.ts"
import type { Millis } from "../model/Time.ts"

/** A sink that keeps letters, and what reads them. */
export interface LetterBox {
  readonly sink: string
  readonly reader: LetterReader
}

export interface Options {
  readonly job: string
  /** Id of the source. */
  readonly source: string
  readonly boxes: ReadonlyArray<LetterBox>
  /** What the last manifest knows; `null` where a lineage begins: what was set aside before it is none of its affair. */
  readonly restored: ReadonlyArray<ReplayCut> | null
  /** Where replays end that were asked for in this run and may not be in any intent yet. */
  readonly ends: (cut: Pick<ReplayCut, "source" | "sink" | "partition">) => Offset
  /** Is a letter of this job this source's affair? Those of other sources, and of abandoned epochs, are passed over. */
  readonly owns: (letter: Letter) => boolean
  /** The step that a letter is for; `null`: the job has none. */
  readonly stepOf: (letter: Letter) => string | null
  /** Letters of one epoch that the job allows; `null`: as many as an epoch may replay. */
  readonly recordsPerEpochMax: number | null
  /** Sends records on the ways that lead to the step. */
  readonly send: (records: Records, step: string) => Effect.Effect<void, MailboxClosed>
}

/** What one epoch has put through. */
export interface Sent {
  readonly records: number
  readonly skipped: number
}

export interface Replays {
  /** Is there anything left of what was asked for? */
  readonly isPending: () => boolean
  /** How far it has come. */
  readonly cuts: () => ReadonlyArray<ReplayCut>
  /** Asks for the replay of all letters that are there now. */
  readonly ask: Effect.Effect<void, SourceError>
  /** Sends some of what was asked for; what an intent names, to its cut and not a letter further. */
  readonly forward: (
    openedAt: Millis,
    recorded: ReadonlyArray<ReplayCut> | null
  ) => Effect.Effect<Sent, SourceError | MailboxClosed>
}

export const make = (options: Options): Effect.Effect<Replays, SourceError> =>
  Effect.gen(function* () {
    const { source } = options
    const positions: Array<Position> = []
    const find = (sink: string, partition: number) =>
      positions.find((position) => position.box.sink === sink && position.partition === partition)

    /** Takes up the partitions of a sink that are there now; answers where each ends. */
    const look = (box: LetterBox, begins: boolean) =>
      Effect.map(box.reader.partitions, (ranges) =>
        ranges.map(({ latest, oldest, partition }) => {
          let position = find(box.sink, partition)
          if (position === undefined) {
            const known = options.restored?.find(
              (cut) => cut.source === source && cut.sink === box.sink && cut.partition === partition
            )
            const offset = known?.offset ?? (begins ? latest : oldest)
            position = { box, partition, from: offset, offset, next: offset, until: known?.until ?? offset }
            positions.push(position)
          }
          return { position, oldest, latest }
        })
      )
    const ask: Effect.Effect<void, SourceError> = Effect.forEach(
      options.boxes,
      (box) =>
        Effect.map(look(box, false), (found) => {
          for (const { latest, oldest, position } of found) {
            // Letters that were kept for their time only are gone; a topic that was made anew begins anew.
            if (position.offset < oldest || position.offset > latest) position.next = oldest
            position.until = latest
          }
        }),
      { discard: true }
    )
    const send = (letters: ReadonlyArray<Letter>, openedAt: Millis): Effect.Effect<Sent, MailboxClosed> =>
      Effect.gen(function* () {
        const sorted = sort(options, letters)
        for (const { events, row, step } of sorted.runs) {
          const records = RawRecords.fromEvents(events[0]!.partition, events)
          yield* options.send({ _tag: "Records", origin: source, openedAt, records, again: { step, row } }, step)
        }
        return { records: sorted.records, skipped: sorted.skipped }
      })
    /** Reads one position forward, up to `end`, while the epoch has room. */
    const advance = (position: Position, end: Offset, openedAt: Millis, room: Room) =>
      Effect.gen(function* () {
        while (position.offset < end && room.letters > 0 && room.bytes > 0) {
          const { letters, nextOffset } = yield* position.box.reader.read(position.partition, position.offset)
          const wanted = letters.filter((letter) => letter.offset < end).slice(0, room.letters)
          const last = wanted.at(-1)
          const isAll = wanted.length === letters.length
          // Nothing to read up to the end: markers of transactions, or letters that are gone.
          position.offset =
            last === undefined || nextOffset === position.offset
              ? end
              : isAll
                ? Math.min(end, nextOffset)
                : last.offset + 1
          room.letters -= wanted.length
          for (const { event } of wanted) room.bytes -= event?.value.length ?? 0
          position.next = position.offset
          const sent = yield* send(wanted, openedAt)
          room.sent = { records: room.sent.records + sent.records, skipped: room.sent.skipped + sent.skipped }
        }
      })

    for (const box of options.boxes) yield* look(box, options.restored === null)
    for (const position of positions) {
      const { box, partition, until } = position
      position.until = Math.max(until, options.ends({ source, sink: box.sink, partition }))
    }

    return {
      isPending: () => positions.some(({ next, until }) => next < until),
      cuts: () =>
        positions.map(({ box, from, offset, partition, until }) => ({
          source,
          sink: box.sink,
          partition,
          from,
          offset,
          until
        })),
      ask,
      forward: (openedAt, recorded) =>
        Effect.gen(function* () {
          for (const position of positions) {
            position.offset = position.next
            position.from = position.next
          }
          if (recorded === null) {
            const letters = Math.min(Limits.replayRecordsMax, options.recordsPerEpochMax ?? Limits.replayRecordsMax)
            const room: Room = { letters, bytes: Limits.replayBytesMax, sent: nothing }
            for (const position of positions) yield* advance(position, position.until, openedAt, room)
            return room.sent
          }
          const room: Room = { letters: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY, sent: nothing }
          for (const cut of recorded.filter((one) => one.source === source)) {
            const position = find(cut.sink, cut.partition) ?? (yield* found(options, cut, positions))
            position.from = cut.from
            position.offset = cut.from
            position.next = cut.from
            yield* advance(position, cut.offset, openedAt, room)
            position.until = Math.max(position.until, cut.until)
          }
          return room.sent
        })
    }
  })

/** What a source without letters has. */
export const none: Replays = {
  isPending: () => false,
  cuts: () => [],
  ask: Effect.void,
  forward: () => Effect.succeed(nothing)
}

// Private

interface Position {
  readonly box: LetterBox
  readonly partition: number
  from: Offset
  offset: Offset
  /** Where the next epoch goes on: `offset`, unless what is there is no longer kept. */
  next: Offset
  until: Offset
}

/** What an epoch still takes, and what it has taken. */
interface Room {
  letters: number
  bytes: number
  sent: Sent
}

const nothing: Sent = { records: 0, skipped: 0 }

/** Letters that can go in one batch: of one partition, for one step, in the order of their records. */
interface Run {
  readonly step: string
  readonly row: number | null
  readonly events: Array<RawEvent>
}

const sort = (options: Options, letters: ReadonlyArray<Letter>) => {
  const runs: Array<Run> = []
  let records = 0
  let skipped = 0
  for (const letter of letters) {
    if (letter.job !== options.job || !options.owns(letter)) continue
    const { event, row } = letter
    const step = event === null ? null : options.stepOf(letter)
    if (event === null || step === null) {
      skipped += 1
      continue
    }
    records += 1
    const run = runs.at(-1)
    const last = run?.events.at(-1)
    const follows = last !== undefined && last.partition === event.partition && last.offset < event.offset
    if (run !== undefined && follows && run.step === step && run.row === row) run.events.push(event)
    else runs.push({ step, row, events: [event] })
  }
  return { runs, records, skipped }
}

/** A position that an intent names and that was not there when the source was opened. */
const found = (options: Options, cut: ReplayCut, positions: Array<Position>) => {
  const box = options.boxes.find((one) => one.sink === cut.sink)
  if (box === undefined) return gone(cut)
  const { from, partition, until } = cut
  const position: Position = { box, partition, from, offset: from, next: from, until }
  positions.push(position)
  return Effect.succeed(position)
}

const gone = ({ partition, sink, source }: ReplayCut) =>
  new SourceReplaced({
    source,
    message: `Partition ${partition} of what ${sink} keeps of source ${source} is gone, and an intent replays it`,
    hint: "Run the code that began the replay once more, or restore the topic."
  })
