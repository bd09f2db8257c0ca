/** Prints the stories of some worlds, as any runtime tells them. */
import { seedsOfAll, stories } from "./Stories.ts"

process.stdout.write(JSON.stringify(await stories(seedsOfAll)))
