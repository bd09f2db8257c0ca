/**
 * The job of `../shared/peers` in Weir and in Kafka Streams, Flink and Spark, side by side: each on the same topic, into
 * the same Postgres, measured by the peers' own harness and checked against the sums of the generator, in rounds in
 * turn. Then latency at a fixed rate, and what one broken record in a thousand does to each.
 *
 * The peers lie in `PEERS_FOLDER`, else in `../shared/peers`; what they need is built when it is missing, in
 * `PEERS_HOME`, else in the user's cache: that needs Java, Maven and Python, and takes minutes.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as Servers from "./Servers.ts"
import * as World from "./World.ts"

const options = Figures.options({
  records: 2_000_000,
  /** Items: they make the number of rows. */
  items: 30_000,
  rounds: 3,
  peers: "weir,weir-1s,kafka-streams,kafka-streams-rocksdb,flink,flink-sql,spark,spark-1s",
  /** Seconds of each series of latency; 0: none. */
  latency: 45,
  /** Records a second, by series. */
  rates: "500",
  /** Records of the topic of which every thousandth is broken; 0: none. */
  broken: 200_000
})

interface Run {
  readonly peer: string
  readonly recordsPerSecond: number | null
  readonly seconds: number | null
  readonly startupSeconds: number | null
  readonly peakRssMiB: number
  readonly cpuSeconds: number
  readonly postgresCpuSeconds: number
  readonly brokerCpuSeconds: number
  readonly rows: number
  readonly check: string
  readonly log: string
}

interface Latency {
  readonly ratePerSecond: number
  readonly latencyMs: { readonly p50?: number; readonly p95?: number; readonly p99?: number; readonly max?: number }
  readonly check: string
}

const folder = resolve(process.env.PEERS_FOLDER ?? "../shared/peers")
const home = process.env.PEERS_HOME ?? join(homedir(), ".cache/weir-peers")
const peers = options.peers.split(",")
/** Settings of all peers, Weir and the generator. */
let environment: NodeJS.ProcessEnv = {}

/** Runs a command with the settings of the peers; answers what it says. */
const shell = (command: string, more: NodeJS.ProcessEnv = {}): string => {
  const { status, stdout } = spawnSync("bash", ["-c", `. "$PEERS_FOLDER/env.sh"; ${command}`], {
    env: { ...environment, ...more },
    encoding: "utf8",
    maxBuffer: 16_777_216,
    stdio: ["ignore", "pipe", "inherit"]
  })
  if (status !== 0) throw new Error(`${command} ended with ${status}`)
  return stdout.trim()
}

/** It ends with this process, whatever ends that. */
const harness = (peer: string, program: string, words: string): string =>
  `exec setpriv --pdeathsig TERM -- "$PEERS_HOME/venv/bin/python" bench/peers/harness.py ${program} ${peer} ${words}`

const run = (peer: string, records: number, more?: NodeJS.ProcessEnv): Run =>
  JSON.parse(
    shell(harness(peer, "run.py", String(records)), more)
      .split("\n")
      .at(-1)!
  )

const measured = (): ReadonlyMap<string, ReadonlyArray<Run>> => {
  const runs = new Map(peers.map((peer) => [peer, [] as Array<Run>]))
  for (let round = 1; round <= options.rounds; round++)
    for (const peer of peers) {
      const one = run(peer, options.records)
      console.log(
        `round ${round}, ${peer}: ${Figures.grouped(one.recordsPerSecond ?? 0)} records/s, ${one.seconds} s, ${one.check}`
      )
      runs.get(peer)!.push(one)
    }
  return runs
}

/** Milliseconds from append to commit, by rate; a peer's settings with its shortest trigger are those of the harness. */
const latencies = (): ReadonlyMap<string, ReadonlyArray<Latency>> => {
  const rates = options.latency === 0 ? [] : options.rates.split(",")
  // Other settings of one engine are not another engine here.
  const engines = peers.filter((peer) => ["weir", "kafka-streams", "flink", "spark"].includes(peer))
  return new Map(
    engines.map((peer) => [
      peer,
      rates.map((rate): Latency => {
        const found = JSON.parse(
          shell(harness(peer, "latency.py", `${rate} ${options.latency}`))
            .split("\n")
            .at(-1)!
        )
        console.log(`${peer}, ${rate} records/s: ${JSON.stringify(found.latencyMs)} ms, ${found.check}`)
        return found
      })
    ])
  )
}

const printTable = (
  runs: ReadonlyMap<string, ReadonlyArray<Run>>,
  found: ReadonlyMap<string, ReadonlyArray<Latency>>
): void => {
  const rates = options.latency === 0 ? [] : options.rates.split(",")
  const head = [
    "records/s",
    "seconds",
    "start-up s",
    "peak MiB",
    "CPU s",
    "Postgres CPU s",
    "broker CPU s",
    "rows",
    "check"
  ]
  const lines = peers.map((peer) => {
    const all = runs.get(peer)!
    const of = (field: Exclude<keyof Run, "peer" | "check" | "log">) =>
      Figures.spreadOf(all.map((one) => one[field] ?? 0))
    const { least, median, most } = of("recordsPerSecond")
    return [
      peer,
      `${Figures.grouped(median)} (${Figures.grouped(least)} to ${Figures.grouped(most)})`,
      Figures.show(of("seconds"), 1),
      Figures.show(of("startupSeconds"), 1),
      Figures.grouped(of("peakRssMiB").median),
      Figures.show(of("cpuSeconds"), 1),
      of("postgresCpuSeconds").median.toFixed(1),
      of("brokerCpuSeconds").median.toFixed(1),
      Figures.grouped(of("rows").median),
      [...new Set(all.map(({ check }) => check))].join("; "),
      ...rates.map((_, i) => {
        const one = found.get(peer)?.[i]
        return one === undefined
          ? ""
          : `${one.latencyMs.p50} / ${one.latencyMs.p99}${one.check === "ok" ? "" : ` (${one.check})`}`
      })
    ]
  })
  const latencyHead = rates.map((rate) => `p50 / p99 ms at ${rate}/s`)
  console.log(`\n${Figures.table([["peer", ...head, ...latencyHead], ...lines])}\n`)
}

/** One run of each over a topic with broken records, and what it says where that changes its results. */
const broken = (): void => {
  console.log(`\n${Figures.grouped(options.broken)} records, every thousandth broken:`)
  for (const peer of peers) {
    const one = run(peer, options.broken, { PEERS_BAD: "1000" })
    console.log(`${peer}: ${one.check}, ${Figures.grouped(one.rows)} rows`)
    if (one.check !== "ok") console.log(`  ${troubleOf(one.log) ?? "and names no trouble"}`)
  }
}

/** The first line of a log that names the trouble, without its time and thread. */
const troubleOf = (log: string): string | undefined =>
  readFileSync(join(home, "log", log), "utf8")
    .split("\n")
    .find((line) => /exception|error|dropped/i.test(line))
    ?.replace(/^\S+ \[[^\]]*\]/, "")
    .trim()
    .slice(0, 240)

if (!existsSync(join(folder, "env.sh"))) {
  process.stderr.write(`There are no peers in ${folder}: PEERS_FOLDER names their folder.\n`)
  process.exit(2)
}
console.log(`${Processes.machine()}\n${Figures.grouped(options.records)} records in 4 partitions of Kafka\n`)
await Servers.withServers((servers) =>
  Servers.withDatabase(servers, (url) =>
    World.withFolder(async (own) => {
      const { hostname, password, port, username } = new URL(url)
      const passwords = join(own, "passwords")
      writeFileSync(passwords, `*:*:*:${username}:${decodeURIComponent(password)}\n`, { mode: 0o600 })
      environment = {
        ...process.env,
        PEERS_FOLDER: folder,
        PEERS_HOME: home,
        PEERS_KAFKA: servers.brokers,
        PEERS_PGHOST: hostname,
        PEERS_PGPORT: port,
        PEERS_ITEMS: String(options.items),
        PGPASSFILE: passwords,
        PGTZ: "UTC",
        DATABASE_URL: url
      }
      // A note there says that a topic is made already: on the broker of an earlier bench.
      rmSync(join(home, "data"), { recursive: true, force: true })
      shell(`"$PEERS_FOLDER/prepare.sh"`)
      const runs = measured()
      printTable(runs, latencies())
      if (options.broken > 0) broken()
    })
  )
)
