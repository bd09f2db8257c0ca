/** The program on Deno, from the sources. */
import { main } from "../src/cli/Main.ts"
import type { ProjectModules } from "../src/cli/Process.ts"
import { runMain } from "../src/platform/deno.ts"

export const start = (modules: ProjectModules): void => runMain(modules, main)
