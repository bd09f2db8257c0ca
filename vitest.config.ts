/** How tests are run: on all cores, and with patience, since many of them open a database or start a process. */
import { defineConfig } from "vitest/config"
import { mutated } from "./test/mutations/Plugin.ts"

const { WEIR_MUTATION } = process.env

export default defineConfig({
  plugins: WEIR_MUTATION === undefined ? [] : [mutated(WEIR_MUTATION)],
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/services/globalSetup.ts",
    maxWorkers: "100%",
    testTimeout: 30_000,
    hookTimeout: 60_000
  }
})
