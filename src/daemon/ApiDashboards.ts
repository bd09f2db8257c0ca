/** What the daemon answers about dashboards, and about the tables that a query may name. Says, does nothing. */
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Dashboard, DashboardSummary } from "./DashboardSchemas.ts"

const dashboardPath = Schema.Struct({ dashboard: Schema.String })
const said = (description: string) => OpenApi.annotations({ description })

/** Dashboards: files of the data folder and of the project, one each. */
export const dashboards = HttpApiGroup.make("dashboards")
  .add(
    HttpApiEndpoint.get("list", "/api/dashboards")
      .addSuccess(Schema.Array(DashboardSummary))
      .annotateContext(said("Every dashboard: name, title, how many tiles, whose it is."))
  )
  .add(
    HttpApiEndpoint.get("read", "/api/dashboards/:dashboard")
      .setPath(dashboardPath)
      .addSuccess(Dashboard)
      .annotateContext(said("One dashboard, as its file holds it."))
  )
  .add(
    HttpApiEndpoint.put("write", "/api/dashboards/:dashboard")
      .setPath(dashboardPath)
      .setPayload(Dashboard)
      .addSuccess(Dashboard)
      .annotateContext(said("Makes a dashboard, or replaces it, in the data folder. Kept when it is answered."))
  )
  .add(
    HttpApiEndpoint.del("remove", "/api/dashboards/:dashboard")
      .setPath(dashboardPath)
      .addSuccess(Schema.Struct({ removed: Schema.String }))
      .annotateContext(said("Removes a dashboard and its file; one that the project brought is again as it came."))
  )
