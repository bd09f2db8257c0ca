/** The program on Node, bundled by `build.mjs`. */
import { main } from "../src/cli/Main.ts"
import type { ProjectModules } from "../src/cli/Process.ts"
import { runMain } from "../src/platform/node.ts"

export const start = (modules: ProjectModules): void => runMain(modules, main)
