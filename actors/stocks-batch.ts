import { Schema } from "effect"
import { Console } from "../src/connectors/console/index.ts"
import { Files } from "../src/connectors/files/index.ts"
import { Sql } from "../src/connectors/sql/index.ts"
import { Topic } from "../src/connectors/topic/index.ts"
import { Aggregate, Flow, type Instant, Job, Parameter, Trigger } from "../src/index.ts"
import { Day, filed, filedOf, Listing, means, startOf, stockOf, symbolOf, Unlisted } from "./stocks/Days.ts"

/** Days of shares from a folder of symbol files, each with its share's category and moving averages of its close. */
export default Job.make("stocks-batch", {
  parameters: {
    input: Parameter.text("stocks-files/stocks-small", { meaning: "folder of the symbol files, *.us.txt" }),
    lookup: Parameter.text("stocks-files/yahoo-symbols.csv", { meaning: "CSV of the shares and their categories" }),
    output: Parameter.text("out/stocks-batch", {
      meaning: "folder of Parquet; a relative one is below the data folder"
    }),
    fromDate: Parameter.text("2017-09-01", { meaning: "first day of the result" }),
    frames: Parameter.list(Parameter.integer, [20, 50, 100], {
      meaning: "days before a day that its averages take in"
    }),
    filterFirst: Parameter.flag(true, { meaning: "do the averages take in no day before fromDate?" })
  },
  trigger: Trigger.availableNow,
  recomputes: true,
  starts: false,
  outputs: ({ filterFirst, frames, fromDate, input, lookup, output }) => {
    const from = startOf(fromDate)
    const counts = ({ fullDate }: { readonly fullDate: Instant }) => fullDate >= from
    const all = Flow.from(Files.csv(input, Day, { name: "days", pattern: "*.us.txt", watch: false })).pipe(
      Flow.decodeRecord({ key: Schema.String, value: Day }, { invalid: Topic.deadLetter("stocks-batch.invalid") }),
      Flow.map(({ key, value }) => ({ ...value, symbol: symbolOf(key) }))
    )
    const days = (filterFirst ? all.pipe(Flow.filter((day) => counts(day))) : all).pipe(
      Flow.enrich("category", Files.lookup(lookup, Listing, { key: ["symbol"], name: "listings" }), {
        key: ({ symbol }) => ({ symbol }),
        into: (day, listing) => ({ ...day, category: listing?.category ?? null, isListed: listing !== null })
      })
    )
    const averages = days.pipe(
      Flow.filter(({ isListed }) => isListed),
      Flow.eventTime(({ fullDate }) => fullDate, { maxOutOfOrderness: "0 seconds" }),
      Flow.keyBy("symbol"),
      Flow.frames("averages", means(frames))
    )
    const stocks = filterFirst ? averages : averages.pipe(Flow.filter((day) => counts(day)))
    const unlisted = days.pipe(
      Flow.filter(({ isListed }) => !isListed),
      Flow.keyBy("symbol"),
      Flow.aggregate("unlisted", { days: Aggregate.count })
    )
    return [
      stocks.pipe(Flow.to(Sql.replace("stocks", stockOf(frames), { key: ["fullDate", "symbol"] }))),
      stocks.pipe(
        Flow.map((day) => filed(day)),
        Flow.to(Files.toParquet(output, filedOf(frames), { by: ["year", "month", "day"], replace: true }))
      ),
      unlisted.pipe(Flow.to(Sql.replace("stocks_unlisted", Unlisted, { key: ["symbol"] }))),
      unlisted.pipe(Flow.emit("complete"), Flow.to(Console.sink({ name: "unlisted symbols" })))
    ]
  }
})
