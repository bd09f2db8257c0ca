/** `weir start`: the daemon. */
import { Effect } from "effect"
import type { Job } from "../../flow/Job.ts"
import { formatInstant } from "../../model/Time.ts"
import * as Restorability from "../../runtime/Restorability.ts"
import type { RunOptions } from "../../runtime/Runner.ts"
import * as Configuration from "../Configuration.ts"
import * as Engine from "../Engine.ts"
import * as Generation from "../Generation.ts"
import * as JobNews from "../JobNews.ts"
import * as LocalWeir from "../LocalWeir.ts"
import { Process } from "../Process.ts"
import * as Project from "../Project.ts"
import * as Usage from "../Usage.ts"
import type { WeirService } from "../Weir.ts"

export const start = Usage.command(
  "start",
  "runs jobs as a daemon, with the HTTP API and the page",
  {
    names: Usage.someArguments("name", "jobs or systems (a system is all jobs of its name); none: all marked to start"),
    demo: Usage.flag("demo", "also runs the generators of what is started"),
    "drop-state": Usage.texts(
      "drop-state",
      "STEP",
      "begins without what is kept of a step or source, if this code cannot take it up"
    ),
    data: Configuration.flagOf("data"),
    host: Configuration.flagOf("host"),
    port: Configuration.flagOf("port"),
    token: Configuration.flagOf("token"),
    checkpoints: Configuration.flagOf("checkpoints"),
    "stock-api-port": Configuration.flagOf("stockApiPort"),
    "kafka-brokers": Configuration.flagOf("kafkaBrokers"),
    log: Configuration.flagOf("log")
  },
  ({ names, demo, "stock-api-port": stockApiPort, "kafka-brokers": kafkaBrokers, "drop-state": dropState, ...flags }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const process = yield* Process
        const configuration = yield* Configuration.load({ ...flags, stockApiPort, kafkaBrokers })
        const all = yield* Project.jobs
        const wanted = yield* select(all, names)
        const engine = yield* Engine.make(configuration, Effect.succeed(all), { isDaemon: true })
        const dropped = yield* droppedOf(engine, wanted, dropState)
        const weir = yield* LocalWeir.fromEngine(engine)
        const port = yield* engine.serve
        const host = configuration.host.includes(":") ? `[${configuration.host}]` : configuration.host
        const page = `http://${host}:${port}`
        yield* process.report(`Weir is on ${page}, its data in ${engine.folder.path}\n`)
        const news = yield* JobNews.make(yield* engine.daemon, {
          jobs: wanted.map(({ name }) => name),
          remains: `The page and the API stay: ${page} shows why. An interrupt ends them.`
        })
        if (wanted.length === 0) yield* process.report(`${none(all)}\n`)
        yield* Effect.forEach(
          wanted,
          (job) => startOne(weir, job, { news, options: { dropState: dropped(job.name) } }),
          { discard: true }
        )
        if (demo) yield* demonstrate(weir, wanted, names)
        return yield* Effect.onInterrupt(Effect.never, () => process.report(JobNews.draining))
      })
    )
)

const none = (all: ReadonlyArray<Job>): string =>
  all.length === 0
    ? "No job runs: this project has none in actors/."
    : "No job runs: none is marked to start; name one."

/** By job, what it has of the ids whose state may be dropped; one that no job has is refused before anything starts. */
const droppedOf = (
  engine: Engine.Engine,
  wanted: ReadonlyArray<Job>,
  dropState: ReadonlyArray<string>
): Effect.Effect<(job: string) => ReadonlyArray<string>, Usage.Failure> =>
  Effect.gen(function* () {
    if (dropState.length === 0) return () => []
    const daemon = yield* engine.daemon
    const known = yield* Effect.forEach(wanted, ({ name }) =>
      // A job that cannot be judged says why when it starts.
      Effect.orElseSucceed(Effect.map(daemon.check(name, null), Restorability.droppable), () => [])
    )
    const wrong = Restorability.misnamed(known.flat(), dropState)
    if (wrong !== null) return yield* wrong
    return (job: string) => {
      const own = known[wanted.findIndex(({ name }) => name === job)] ?? []
      return dropState.filter((id) => own.includes(id))
    }
  })

/** A job that cannot start takes no other one down. */
const startOne = (
  weir: WeirService,
  job: Job,
  { news, options }: { readonly news: JobNews.JobNews; readonly options: RunOptions }
) =>
  Effect.gen(function* () {
    const process = yield* Process
    const known = (yield* weir.statuses).find((status) => status.job === job.name)
    if (known?.state === "paused")
      return yield* process.report(
        `job ${job.name} is paused after epoch ${known.epoch}: \`weir resume ${job.name}\`\n`
      )
    yield* process.report(`job ${job.name} starts\n`)
    yield* Effect.matchEffect(weir.start(job.name, options), {
      onSuccess: news.hear,
      onFailure: (error) => news.refused(job.name, error)
    })
  })

/** The jobs of these names: a job, or all jobs of a system, whose names begin with its own. */
const select = (all: ReadonlyArray<Job>, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    if (names.length === 0) return all.filter((job) => job.starts)
    const wanted = new Set<Job>()
    for (const name of names) {
      const found = all.filter((job) => job.name === name || job.name.startsWith(`${name}-`))
      if (found.length === 0) return yield* Project.unknown(name, all)
      for (const job of found) wanted.add(job)
    }
    return [...wanted]
  })

/** Generators whose name is that of a started job, or of its system; their events happen now. */
const demonstrate = (weir: WeirService, wanted: ReadonlyArray<Job>, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const process = yield* Process
    const generators = (yield* Generation.generators).filter(
      ({ name }) => names.includes(name) || wanted.some((job) => job.name === name || job.name.startsWith(`${name}-`))
    )
    for (const generator of generators) {
      yield* process.report(`generator ${generator.name} writes into topic ${generator.topic}\n`)
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* Generation.run(weir, generator, {
        topic: generator.topic,
        pace: "clock",
        set: "start" in generator.parameters ? { start: formatInstant(now) } : {},
        sent: () => Effect.void
      }).pipe(
        Effect.catchAll((error) => Effect.logError(`Generator ${generator.name} ended: ${error.message}`)),
        Effect.forkScoped
      )
    }
  })
