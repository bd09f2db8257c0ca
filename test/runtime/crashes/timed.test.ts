/** Steps that go by event time or keep an order, crashed at every durable step. */
import { survives } from "./CrashTests.ts"
import * as Joins from "./Joins.ts"
import * as Ordered from "./Ordered.ts"
import * as Windows from "./Windows.ts"

survives([...Windows.cases, ...Joins.cases, ...Ordered.cases])
