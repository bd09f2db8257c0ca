/** A dashboard as its file and the API hold it: tiles in order, each a question and how its answer is drawn. */
import { Schema } from "effect"
import * as Limits from "../model/Limits.ts"

const text = (charactersMax: number) => Schema.String.pipe(Schema.maxLength(charactersMax))
const column = text(Limits.dashboardTextMax)

/** The name of a dashboard, and of its file: lower-case words joined by `-`, so that it is safe in any folder. */
export const namePattern: RegExp = /^[a-z0-9]+(?:-[a-z0-9]+)*$/
export const DashboardName = Schema.String.pipe(
  Schema.maxLength(64),
  Schema.pattern(namePattern, {
    message: () => "a dashboard's name is lower-case letters and digits, in words joined by '-'"
  })
)

export const Chart = Schema.Struct({
  type: Schema.Literal("line", "bar", "heatmap", "treemap", "wordcloud", "number", "table"),
  x: Schema.NullOr(column).annotations({ description: "Column of the time axis, of the categories, or of the words." }),
  values: Schema.Array(column).pipe(
    Schema.maxItems(Limits.chartSeriesMax),
    Schema.annotations({
      description: "Columns of numbers, one series each; a chart that draws one of them lets a person choose."
    })
  ),
  by: Schema.NullOr(column).annotations({
    description: "Column whose texts split a number into series, boxes into groups, a heat map into rows."
  }),
  stacked: Schema.Boolean
}).annotations({ identifier: "Chart" })

const tileFields = {
  id: text(64).pipe(Schema.pattern(/^[A-Za-z0-9-]+$/)),
  title: text(Limits.dashboardTextMax),
  chart: Chart,
  width: Schema.Int.pipe(Schema.between(1, 4), Schema.annotations({ description: "Quarters of the page." })),
  height: Schema.Int.pipe(Schema.between(1, 3))
}
const job = text(Limits.dashboardTextMax)

/** A tile of a query. */
const QueryTile = Schema.Struct({
  ...tileFields,
  sql: Schema.NonEmptyString.pipe(Schema.maxLength(Limits.tileSqlMax)),
  job: Schema.optionalWith(job, { exact: true }).annotations({
    description: "The job that writes what the query reads. Absent: the tile is asked again at epochs of any job."
  })
})

/** A tile of the rows that a job writes to one of its sinks: columns `minute` (an instant) and `rows`. */
const ArrivalsTile = Schema.Struct({
  ...tileFields,
  job,
  arrivals: column.annotations({
    description: "The sink whose rows are counted, by the minute in which their epochs were cut."
  })
})

export const Tile = Schema.Union(QueryTile, ArrivalsTile).annotations({ identifier: "Tile" })

export const Dashboard = Schema.Struct({
  version: Schema.Literal(1).annotations({ description: "Of this form." }),
  title: text(Limits.dashboardTextMax).pipe(Schema.minLength(1)),
  tiles: Schema.Array(Tile).pipe(
    Schema.maxItems(Limits.dashboardTilesMax),
    Schema.filter((tiles) => new Set(tiles.map((tile) => tile.id)).size === tiles.length, {
      message: () => "two tiles have the same id"
    })
  )
}).annotations({ identifier: "Dashboard" })
export type Dashboard = typeof Dashboard.Type

/** A dashboard in the list of all. */
export const DashboardSummary = Schema.Struct({
  name: Schema.String,
  title: Schema.String,
  tiles: Schema.Number.annotations({ description: "How many." }),
  origin: Schema.Literal("own", "project", "changed").annotations({
    description: "Made here; brought by the project and as it came; brought by the project and changed here."
  })
}).annotations({ identifier: "DashboardSummary" })
