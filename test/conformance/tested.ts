/** Runs the suites of an implementation as tests. */
import { afterAll, describe, it } from "vitest"
import type { Subject } from "./Subject.ts"

/** One whose server is not there is skipped. */
export const tested = ({ close, implementation, suites }: Subject, isThere = true): void => {
  describe.skipIf(!isThere)(implementation, { timeout: 60_000 }, () => {
    afterAll(close)
    for (const suite of suites)
      describe(suite.name, () => {
        for (const { name, run } of suite.cases) it(name, run)
      })
  })
}
