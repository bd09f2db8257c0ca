/**
 * Several jobs at once over real servers, for as long as is wanted, while processes are killed and put to sleep,
 * connections are cut, servers die and come back, and clocks are set. Readers look at what is written all the time; in
 * the end everything is healed, all jobs read to the end, and what they wrote is compared with an oracle.
 */
import { setTimeout as sleep } from "node:timers/promises"
import * as Contents from "./Contents.ts"
import * as Feed from "./Feed.ts"
import * as PathLife from "./PathLife.ts"
import { kindsOf, type Path, type ServerName } from "./Paths.ts"
import * as Readers from "./Readers.ts"
import * as Schedule from "./Schedule.ts"
import * as Watch from "./Watch.ts"
import * as World from "./World.ts"

export interface SoakOptions {
  readonly minutes: number
  readonly seed: number
  readonly paths: ReadonlyArray<Path>
  /** A folder that is empty, and that servers of other users may reach. */
  readonly home: string
  /** Hears how it goes, a line at a time. */
  readonly tell: (line: string) => void
  /** Ends it before its time: nothing is compared then. */
  readonly signal: AbortSignal
}

export interface Outcome {
  /** What must not be; empty: all is well. */
  readonly failures: ReadonlyArray<string>
  /** All that was done, in order, each with the second in which it began. */
  readonly schedule: ReadonlyArray<string>
  readonly paths: ReadonlyArray<PathOutcome>
  readonly restarts: ReadonlyMap<ServerName, number>
  /** Looks of readers. */
  readonly reads: ReadonlyMap<string, number>
  readonly seconds: number
}

export interface PathOutcome {
  readonly path: Path
  readonly seen: PathLife.Seen
  readonly epochsInFirstHalf: number
  /** Transfers, broken ones too, in the topic that it begins with. */
  readonly records: number
}

/** Transfers a second into each topic: an hour makes 144,000. */
const perSecond = 40
/** Seconds from one line of progress to the next. */
const tellSeconds = 15
/** A run goes on until each kind of fault has struck, for at most so many times as long as it was to be. */
const overtimeMax = 4
/** Looks of each reader, at least, in a minute. */
const readsPerMinuteMin = 3

export const run = async (options: SoakOptions): Promise<Outcome> => {
  const { home, paths, signal } = options
  const world = await World.open(home, paths)
  const lives = paths.map((path) =>
    PathLife.make({
      path,
      ...world.placeOf(path),
      weir: world.weir,
      project: world.project,
      wasAwaySince: (moment) => path.servers.some((name) => world.wasAwaySince(name, moment))
    })
  )
  const end = () => Promise.all(lives.map((life) => life.end()))
  const kill = (): void => void end()
  signal.addEventListener("abort", kill)
  try {
    return await soaked(options, world, lives)
  } finally {
    signal.removeEventListener("abort", kill)
    await end()
    await world.close()
  }
}

// Private

const soaked = async (
  { minutes, paths, seed, signal, tell }: SoakOptions,
  world: World.World,
  lives: ReadonlyArray<PathLife.PathLife>
): Promise<Outcome> => {
  const began = performance.now()
  const seconds = (): number => Math.round((performance.now() - began) / 100) / 10
  const schedule: Array<string> = []
  const note = (who: string, what: string): void => void schedule.push(`${seconds()} s ${who}: ${what}`)
  const failures: Array<string> = []
  const failing = new AbortController()
  /** It has failed, or is not wanted any more. */
  const over = AbortSignal.any([signal, failing.signal])
  const failed = (what: string): void => {
    failures.push(what)
    failing.abort()
    for (const life of lives) void life.end()
  }
  const pause = (millis: number): Promise<void> => sleep(millis, undefined, { signal: over }).catch(() => {})
  const restarts = new Map(world.servers.map((name) => [name, 0]))
  const watch = Watch.make(failed)

  const feeds = await feedsOf(world, paths, lives, seed)
  const missing = (): ReadonlyArray<string> => [
    ...paths.flatMap((path, i) =>
      kindsOf(path)
        .filter((kind) => !lives[i]!.seen().struck.has(kind))
        .map((kind) => `${path.name}: no ${kind} has struck`)
    ),
    ...[...restarts].filter(([, count]) => count === 0).map(([name]) => `${name} was not restarted`)
  ]
  const isOver = (): boolean =>
    over.aborted || (seconds() >= minutes * 60 && (missing().length === 0 || seconds() >= overtimeMax * minutes * 60))

  /** Paths to which nothing more is done. */
  const done = new Set<string>()
  /** Whoever reads what this path writes gets nothing once it rests. */
  const isNeeded = ({ name }: Path): boolean => paths.some((other) => other.after === name && !done.has(other.name))
  const striking = async (path: Path, life: PathLife.PathLife): Promise<void> => {
    for (const fault of Schedule.faults(seed, path.name, kindsOf(path))) {
      if (over.aborted || (isOver() && !isNeeded(path))) return void done.add(path.name)
      note(path.name, Schedule.said(fault))
      await life.strike(fault)
    }
  }
  const restarting = async (): Promise<void> => {
    if (world.servers.length === 0) return
    for (const restart of Schedule.restarts(seed, world.servers)) {
      await pause(restart.pauseMillis)
      if (isOver()) return
      note(restart.server, `killed, and away for ${restart.awayMillis} ms`)
      await world.restart(restart)
      restarts.set(restart.server, restarts.get(restart.server)! + 1)
    }
  }
  let epochsInFirstHalf: ReadonlyArray<number> = paths.map(() => 0)
  const telling = async (): Promise<void> => {
    let isSecondHalf = false
    for (let told = 0; !over.aborted && done.size < paths.length; await pause(500)) {
      if (!isSecondHalf && seconds() >= minutes * 30) {
        isSecondHalf = true
        epochsInFirstHalf = lives.map((life) => life.seen().epochs)
      }
      if (seconds() < (told + 1) * tellSeconds) continue
      told += 1
      tell(`${Math.round(seconds())} s: ${progressOf(paths, lives, restarts, watch)}`)
    }
  }
  const guarded = (doing: Promise<void>): Promise<void> =>
    doing.catch((cause: unknown) => {
      if (!over.aborted) failed(cause instanceof Error ? cause.message : String(cause))
    })

  const readers = readersOf(world, paths, lives, watch)
  await Promise.all([...paths.map((path, i) => guarded(striking(path, lives[i]!))), guarded(restarting()), telling()])
  await Promise.all([...feeds.values()].map((feed) => feed.stop()))
  const records = new Map<string, number>()
  if (!over.aborted) {
    tell(`${Math.round(seconds())} s: every server is there, and every job reads to the end`)
    await guarded(finished(paths, lives, note))
    // What came last is looked at, too.
    await pause(2_000)
  }
  await Promise.all(readers.map((reader) => reader.stop()))
  if (!over.aborted) {
    const found = await Contents.found(world, paths, feeds)
    for (const [path, count] of found.records) records.set(path, count)
    const looks = readersNames(paths)
      .map((name) => ({ name, looks: watch.reads().get(name) ?? 0 }))
      .filter(({ looks }) => looks < readsPerMinuteMin * minutes)
    failures.push(
      ...found.differences,
      ...missing(),
      ...looks.map(({ looks, name }) => `${name} was looked at ${looks} times only`),
      ...paths.flatMap(({ name }, i) => {
        const [first, all] = [epochsInFirstHalf[i]!, lives[i]!.seen().epochs]
        return first > 0 && all > first ? [] : [`${name} made ${first} epochs in the first half, and ${all} in all`]
      })
    )
  }
  return {
    failures,
    schedule,
    paths: paths.map((path, i) => ({
      path,
      seen: lives[i]!.seen(),
      epochsInFirstHalf: epochsInFirstHalf[i]!,
      records: records.get(path.name) ?? 0
    })),
    restarts,
    reads: watch.reads(),
    seconds: Math.round(seconds())
  }
}

const isEmbedded = ({ servers }: Path): boolean => servers.length === 0

/** One for all paths that begin with the topic of Kafka, and one for each log. */
const feedsOf = async (
  { brokers }: World.World,
  paths: ReadonlyArray<Path>,
  lives: ReadonlyArray<PathLife.PathLife>,
  seed: number
): Promise<ReadonlyMap<string, Feed.Feed>> => {
  const feeds = new Map<string, Feed.Feed>()
  if (brokers !== null) feeds.set("kafka", await Feed.kafka(brokers, "transfers", seed, perSecond))
  for (const [i, path] of paths.entries())
    if (isEmbedded(path)) feeds.set(path.name, Feed.local(lives[i]!.folder, "transfers", seed + 1, perSecond))
  return feeds
}

const readersNames = (paths: ReadonlyArray<Path>): ReadonlyArray<string> => [
  ...paths.map(({ job }) => job),
  ...(paths.some((path) => !isEmbedded(path)) ? ["topics"] : [])
]

const readersOf = (
  world: World.World,
  paths: ReadonlyArray<Path>,
  lives: ReadonlyArray<PathLife.PathLife>,
  watch: Watch.Watch
): ReadonlyArray<Readers.Reader> => {
  const own = paths.map((path, i) => {
    if (path.checkpoints === "files") return Readers.progress(path.job, watch, lives[i]!.folder)
    const { database } = world.placeOf(path)
    const asking = database === null ? Readers.askingLocally(lives[i]!.folder) : Readers.asking(database)
    return Readers.tables(path.job, watch, asking)
  })
  const { brokers } = world
  if (brokers === null) return own
  const written = paths.filter((path) => !isEmbedded(path)).flatMap(({ writes }) => writes)
  const named = Object.fromEntries(written.map((topic) => [topic, namings[topic] ?? placeOf]))
  return [...own, Readers.topics(brokers, watch, named)]
}

/** The record that it was made of. */
const placeOf: Readers.Naming = ({ headers }) => `${headers["weir.partition"]}/${headers["weir.offset"]}`
const namings: Readonly<Record<string, Readers.Naming>> = {
  "statements.copies": ({ value }) => Contents.bookedOf(value),
  "statements.paid": ({ value }) => Contents.keyOfPayment(value)
}

/** Every job reads to the end; those that read what others write, after them. */
const finished = async (
  paths: ReadonlyArray<Path>,
  lives: ReadonlyArray<PathLife.PathLife>,
  note: (who: string, what: string) => void
): Promise<void> => {
  for (const isAfter of [false, true])
    await Promise.all(
      paths.map(async (path, i) => {
        if ((path.after !== undefined) !== isAfter) return
        note(path.name, "reads to the end")
        await lives[i]!.finish()
      })
    )
}

const progressOf = (
  paths: ReadonlyArray<Path>,
  lives: ReadonlyArray<PathLife.PathLife>,
  restarts: ReadonlyMap<ServerName, number>,
  watch: Watch.Watch
): string => {
  const seen = lives.map((life) => life.seen())
  const kills = seen.reduce((sum, { kills }) => sum + kills, 0)
  const epochs = paths.map(({ name }, i) => `${name} ${seen[i]!.epochs}`).join(", ")
  const restarted = [...restarts.values()].reduce((sum, count) => sum + count, 0)
  const reads = [...watch.reads().values()].reduce((sum, count) => sum + count, 0)
  const memory = Math.round(process.memoryUsage.rss() / 2 ** 20)
  return `${kills} kills, ${restarted} restarts of servers; epochs: ${epochs}; ${reads} looks; ${memory} MiB of its own`
}
