/**
 * Loaded before a program of Node: its clock is off by the milliseconds that stand in the file SOAK_CLOCK, from the
 * moment on that they are written there, as if somebody had set the clock of its machine.
 *
 * A step of a machine's clock moves `Date` and nothing else: timers, `performance.now` and `process.hrtime` count from
 * a clock that nobody sets, and go on as they were. Threads of the program load this too. Not covered: the clocks of
 * servers, times of files, and what the program's WebAssembly asks the system past `Date`.
 */
import { readFileSync, writeSync } from "node:fs"
import { isMainThread } from "node:worker_threads"

/** Milliseconds until a step is noticed, at most. */
const lookMillis = 50

const file = process.env.SOAK_CLOCK
const RealDate = Date
let offMillis = 0

class SteppedDate extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(SteppedDate.now())
    else super(...given)
  }
  static now() {
    return RealDate.now() + offMillis
  }
}

/** `Date()` without `new` is text. */
globalThis.Date = new Proxy(SteppedDate, { apply: () => new SteppedDate().toString() })

const look = () => {
  const found = Number(readFileSync(file, "utf8"))
  if (found === offMillis) return
  offMillis = found
  if (isMainThread) writeSync(2, `its clock is off by ${offMillis} ms\n`)
}
look()
setInterval(look, lookMillis).unref()
