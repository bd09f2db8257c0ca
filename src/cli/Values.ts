/** What several commands read from their words: settings, durations. */
import { Duration, Effect } from "effect"
import * as Parameter from "../flow/Parameter.ts"
import { WrongUsage } from "../model/Errors.ts"

/** `name=value` words as a record; a value may hold further `=`. */
export const settingsOf = (words: ReadonlyArray<string>): Effect.Effect<Readonly<Record<string, string>>, WrongUsage> =>
  Effect.gen(function* () {
    const settings: Array<readonly [string, string]> = []
    for (const word of words) {
      const at = word.indexOf("=")
      if (at < 1)
        return yield* new WrongUsage({
          message: `--set '${word}' sets nothing`,
          hint: "Write the name of a parameter and its value, such as --set window='30 seconds'."
        })
      settings.push([word.slice(0, at), word.slice(at + 1)])
    }
    return Object.fromEntries(settings)
  })

/** A length of time above 0. */
export const durationOf = (flag: string, text: string): Effect.Effect<Duration.Duration, WrongUsage> => {
  const duration = Parameter.parseDuration(text)
  return duration === null || Duration.toMillis(duration) <= 0
    ? new WrongUsage({
        message: `${flag} '${text}' is no duration`,
        hint: `Write a number and a unit, such as ${flag} 120s or ${flag} '2 minutes'.`
      })
    : Effect.succeed(duration)
}
