/** Steps for which event time is nothing but a column, crashed at every durable step. */
import { survives } from "./CrashTests.ts"
import * as Events from "./Events.ts"
import * as Keyed from "./Keyed.ts"

survives([...Events.cases, ...Keyed.cases])
