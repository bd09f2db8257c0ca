/** Every command, in the order of the help. */

import { check } from "./commands/Check.ts"
import { clean } from "./commands/Clean.ts"
import { pause, restart, resume, savepoint, savepoints, stop } from "./commands/Control.ts"
import { deadLetters } from "./commands/DeadLetters.ts"
import { explain } from "./commands/Explain.ts"
import { generate } from "./commands/Generate.ts"
import { health } from "./commands/Health.ts"
import { init } from "./commands/Init.ts"
import { jobs, progress, reset } from "./commands/Jobs.ts"
import { produce } from "./commands/Produce.ts"
import { query } from "./commands/Query.ts"
import { run } from "./commands/Run.ts"
import { schema } from "./commands/Schema.ts"
import { simulate } from "./commands/Simulate.ts"
import { start } from "./commands/Start.ts"
import { tail } from "./commands/Tail.ts"
import { createTopic, topics } from "./commands/Topics.ts"
import type * as Usage from "./Usage.ts"
import type { Needs } from "./Weir.ts"

export const commands: ReadonlyArray<Usage.Entry<Needs>> = [
  start,
  run,
  jobs,
  health,
  explain,
  progress,
  pause,
  resume,
  stop,
  restart,
  savepoint,
  savepoints,
  check,
  reset,
  deadLetters,
  topics,
  createTopic,
  produce,
  tail,
  generate,
  query,
  schema,
  clean,
  simulate,
  init
]
