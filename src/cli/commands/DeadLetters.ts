/** `weir dead-letters`: what a job set aside, and once more through the job with it. */
import { Effect, Encoding } from "effect"
import type { ReplayAnswer } from "../../daemon/DeadLetters.ts"
import { WrongUsage } from "../../model/Errors.ts"
import { formatInstant } from "../../model/Time.ts"
import * as Output from "../Output.ts"
import * as Project from "../Project.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import { settingsOf } from "../Values.ts"

export const deadLetters = Usage.command(
  "dead-letters",
  "shows the records that a job could not use, and why; --replay puts them through the job again",
  {
    job: Usage.argument("job", "the name of a job; `weir jobs` lists them"),
    replay: Usage.flag(
      "replay",
      "puts all of them through the job's code as it is now, each once: those that fail are dead letters again, those whose window is forgotten are late"
    ),
    late: Usage.flag("late", "shows late events instead; their windows are forgotten, so they cannot be replayed"),
    last: Usage.whole("last", "N", "how many (default: 100)"),
    step: Usage.text("step", "STEP", "only those that this step set aside"),
    reason: Usage.text("reason", "REASON", "only those with this reason: undecodable, 'far future', 'refused row'"),
    set: Usage.texts("set", "NAME=VALUE", "with --replay: a parameter of a job that does not run"),
    format: Output.format,
    data: Session.data
  },
  (given) =>
    Effect.gen(function* () {
      const job = yield* Project.job(given.job)
      if (given.replay) {
        yield* refuseChoices(job.name, given)
        const set = yield* settingsOf(given.set)
        yield* job.configure(set)
        const answer = yield* Session.use({ data: given.data }, (weir) => weir.replayDeadLetters(job.name, { set }))
        yield* Output.print(given.format, listingOf(answer))
        return 0
      }
      if (given.last !== undefined && given.last < 1)
        return yield* new WrongUsage({
          message: `--last ${given.last} shows nothing`,
          hint: "Write a number from 1 on."
        })
      const { late, reason, step } = given
      const letters = yield* Session.use({ data: given.data }, (weir) =>
        weir.deadLetters(job.name, { last: given.last ?? 100, late, reason, step })
      )
      const values = letters.map(({ about, record, replay, topic }) => ({
        topic,
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        ...about,
        replay,
        // The place among the letters, whatever the record's own was.
        letter: { partition: record.partition, offset: record.offset },
        key: record.key === null ? null : shown(record.key),
        value: shown(record.value)
      }))
      yield* Output.print(given.format, {
        columns: ["topic", "offset", "time", "step", "reason", "cause", "source", "position", "replay", "value"],
        rows: letters.map(({ about, record, replay, topic }) => [
          topic,
          `${record.partition}/${record.offset}`,
          formatInstant(record.timestamp),
          about.step ?? null,
          about.reason ?? null,
          about.cause ?? null,
          about.source ?? null,
          about.partition === undefined ? null : `${about.partition}/${about.offset}`,
          replay,
          textOf(record.value)
        ]),
        values
      })
      return 0
    })
)

// Private

/** A replay takes all or none: how far it has come is one offset a partition. */
const refuseChoices = (
  job: string,
  given: {
    readonly late: boolean
    readonly last: number | undefined
    readonly step: string | undefined
    readonly reason: string | undefined
  }
) =>
  Effect.gen(function* () {
    if (given.late)
      return yield* new WrongUsage({
        message: "Late events cannot be replayed: their windows are forgotten",
        hint: `To count them, give the job a longer allowedLateness and let it begin anew: \`weir reset ${job}\`.`
      })
    if (given.last !== undefined || given.step !== undefined || given.reason !== undefined)
      return yield* new WrongUsage({
        message: "--replay takes all dead letters that were not replayed before",
        hint: `Write \`weir dead-letters ${job} --replay\` without --last, --step and --reason.`
      })
  })

const listingOf = (answer: ReplayAnswer): Output.Listing => ({
  columns: ["replayed", "succeeded", "late", "dead_letters", "skipped"],
  rows: [[answer.replayed, answer.succeeded, answer.late, answer.deadLetters, answer.skipped]],
  values: [answer]
})

const strict = new TextDecoder("utf-8", { fatal: true })

const shown = (bytes: Uint8Array): string | { readonly base64: string } => {
  try {
    return strict.decode(bytes)
  } catch {
    return { base64: Encoding.encodeBase64(bytes) }
  }
}

const textOf = (bytes: Uint8Array): string => {
  const text = shown(bytes)
  return typeof text === "string" ? text : `base64:${text.base64}`
}
