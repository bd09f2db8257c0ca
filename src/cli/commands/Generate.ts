/** `weir generate`: runs a generator of `fixtures/` into a topic, or into a folder. */
import { Effect, Exit } from "effect"
import { WrongUsage } from "../../model/Errors.ts"
import * as Generation from "../Generation.ts"
import { Process } from "../Process.ts"
import * as ProgressLine from "../ProgressLine.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import { settingsOf } from "../Values.ts"

export const generate = Usage.command(
  "generate",
  "runs a generator into a topic or a folder; the same seed gives the same bytes",
  {
    generator: Usage.argument("generator", "its name, such as orders"),
    topic: Usage.text("topic", "TOPIC", "where to (default: the generator's own topic)"),
    folder: Usage.text("folder", "F", "where to, of a generator of files (default: the generator's own folder)"),
    count: Usage.whole("count", "N", "ends after so many records (default: runs until it is interrupted)"),
    rate: Usage.text("rate", "R|max", "records a second, or as fast as it goes (default: as its own clock says)"),
    seed: Usage.whole("seed", "S", "another seed gives other records (default: 1)"),
    set: Usage.texts("set", "NAME=VALUE", "a parameter of the generator"),
    data: Session.data
  },
  ({ generator: name, topic, folder, count, rate, seed, set, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const generator = yield* Generation.find(name)
      const pace = yield* paceOf(rate)
      const settings = {
        ...(yield* settingsOf(set)),
        ...(count === undefined ? {} : { count: String(count) }),
        ...(seed === undefined ? {} : { seed: String(seed) })
      }
      if (Generation.writesFiles(generator)) {
        yield* refuse(name, "writes files, into no topic and as fast as it goes", { topic, rate })
        const to = folder ?? generator.folder
        const records = yield* Generation.write(generator, { folder: to, set: settings })
        yield* process.print(`${records} records written to ${to}\n`)
        return 0
      }
      yield* refuse(name, "writes into a topic, and no files", { folder })
      const wanted = topic ?? generator.topic
      const sent = yield* Session.use({ data }, (weir) =>
        Effect.gen(function* () {
          let total = 0
          yield* Effect.addFinalizer((exit) =>
            Exit.isInterrupted(exit)
              ? process.report(`Interrupted: ${total} records produced to ${wanted}\n`)
              : Effect.void
          )
          yield* ProgressLine.shown(
            Effect.sync(() => ({
              what: `${name} into ${wanted}`,
              done: total,
              unit: "records",
              total: count === undefined || count === 0 ? null : count
            }))
          )
          return yield* Generation.run(weir, generator, {
            topic: wanted,
            pace,
            set: settings,
            sent: (count) =>
              Effect.sync(() => {
                total = count
              })
          })
        })
      )
      yield* process.print(`${sent} records produced to ${wanted}\n`)
      return 0
    })
)

/** An option that means nothing to this generator is no slip to be passed over. */
const refuse = (generator: string, why: string, options: Readonly<Record<string, string | undefined>>) => {
  const given = Object.keys(options).find((name) => options[name] !== undefined)
  return given === undefined
    ? Effect.void
    : new WrongUsage({ message: `Generator ${generator} ${why}`, hint: `Leave --${given} out.` })
}

const paceOf = (rate: string | undefined): Effect.Effect<Generation.Pace, WrongUsage> => {
  if (rate === undefined) return Effect.succeed("clock")
  if (rate === "max") return Effect.succeed("max")
  return /^\d+(\.\d+)?$/.test(rate) && Number(rate) > 0
    ? Effect.succeed(Number(rate))
    : new WrongUsage({
        message: `--rate '${rate}' is no rate`,
        hint: "Write records per second, such as --rate 500, or --rate max."
      })
}
