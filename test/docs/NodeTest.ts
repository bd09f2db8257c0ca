/** Stands for `node:test` in the tests of a page: they run here, one after the other. */

type Body = () => unknown

const tests: Array<readonly [name: string, body: Body]> = []
const afterwards: Array<Body> = []

export const test = (name: string, body: Body): void => void tests.push([name, body])
export const after = (body: Body): void => void afterwards.push(body)

/** Runs what was registered; rejects where a test fails, with its name. */
export const run = async (): Promise<void> => {
  try {
    for (const [name, body] of tests.splice(0))
      try {
        await body()
      } catch (cause) {
        throw new Error(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
      }
  } finally {
    for (const body of afterwards.splice(0)) await body()
  }
}
