/** A Kafka broker of one node, run by Java from Maven's jars, which are kept in the user's cache. */
import { createHash, randomUUID } from "node:crypto"
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import {
  freePort,
  freePortBeside,
  listens,
  Missing,
  programOf,
  type Running,
  run,
  type Service,
  serve
} from "./Service.ts"

/** A user that the second listener of a broker knows. */
export const user = "weir"
export const password = "weir password"

export interface Broker extends Running {
  /** The address of the listener that asks for user and password, by SASL PLAIN over TLS. */
  readonly guarded: string
  /** The certificate by which that listener is known, in PEM form. */
  readonly authority: string
  readonly port: number
  readonly guardedPort: number
}

export interface BrokerOptions {
  /** Where it listens; absent: where nothing does. */
  readonly ports?: { readonly port: number; readonly guardedPort: number }
  /** The signal that stops it; absent: TERM. */
  readonly signal?: string
  /** A listener more, whose clients are sent to another port: that of a proxy before it. */
  readonly proxied?: { readonly port: number; readonly proxyPort: number }
}

/** Starts a broker that keeps its data in `folder`: the data of an earlier one, if it is there. */
export const start = async (folder: string, { ports, proxied, signal }: BrokerOptions = {}): Promise<Broker> => {
  const java = programOf(["java"])
  if (java === undefined)
    throw new Missing("no java was found: install one (Debian: apt-get install default-jre-headless)")
  const classes = ["-cp", `${await jars()}/*`]
  const port = ports?.port ?? (await freePort())
  const guardedPort = ports?.guardedPort ?? (await freePortBeside([port]))
  const properties = join(folder, "server.properties")
  const isNew = !existsSync(properties)
  writeFileSync(
    properties,
    settings({
      data: join(folder, "data"),
      keys: join(folder, "keys"),
      port,
      guardedPort,
      controllerPort: await freePortBeside([port, guardedPort]),
      ...(proxied === undefined ? {} : { proxied })
    })
  )
  const authority = join(folder, "authority.pem")
  if (isNew) await makeKeys(join(folder, "keys"), authority)
  if (isNew) await run(java, [...classes, "kafka.tools.StorageTool", "format", "-t", clusterId(), "-c", properties])
  const running = await serve({
    command: java,
    parameters: ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", ...classes, "kafka.Kafka", properties],
    ...(signal === undefined ? {} : { signal }),
    log: join(folder, "log"),
    answers: () => listens(port)
  })
  return {
    address: `127.0.0.1:${port}`,
    guarded: `127.0.0.1:${guardedPort}`,
    port,
    guardedPort,
    authority: readFileSync(authority, "utf8"),
    stop: running.stop
  }
}

export const service: Service = {
  name: "Kafka",
  variable: "KAFKA_BROKERS",
  container: {
    service: "kafka",
    port: 9092,
    environment: (port) => ({
      KAFKA_NODE_ID: "1",
      KAFKA_PROCESS_ROLES: "broker,controller",
      KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:9093",
      KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
      KAFKA_LISTENERS: "PLAINTEXT://:9092,CONTROLLER://localhost:9093",
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1",
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
      KAFKA_HEAP_OPTS: "-Xmx512m"
    }),
    address: (port) => `127.0.0.1:${port}`,
    answers: (_, port) => listens(port)
  },
  start: (folder) => start(folder)
}

// Private

/** The folder of the jars, fetched by Maven where they are not there yet. Rejects with `Missing` where they cannot be. */
export const jars = async (): Promise<string> => {
  const pom = join(import.meta.dirname, "kafka", "pom.xml")
  const version = createHash("sha256").update(readFileSync(pom)).digest("hex").slice(0, 12)
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "weir")
  const folder = join(cache, `kafka-${version}`)
  if (existsSync(folder)) return folder
  const maven = programOf(["mvn"])
  if (maven === undefined) throw new Missing("no mvn was found: install Maven (Debian: apt-get install maven)")
  const fetched = join(cache, randomUUID())
  mkdirSync(fetched, { recursive: true })
  copyFileSync(pom, join(fetched, "pom.xml"))
  try {
    await run(maven, [
      "-q",
      "-B",
      "-f",
      join(fetched, "pom.xml"),
      "dependency:copy-dependencies",
      "-DoutputDirectory=lib"
    ])
    if (!existsSync(folder)) renameSync(join(fetched, "lib"), folder)
    return folder
  } finally {
    rmSync(fetched, { recursive: true, force: true })
  }
}

/** A key for this machine, and the certificate that it has signed itself, by Java's own tool. */
const makeKeys = async (keys: string, authority: string): Promise<void> => {
  const keytool = programOf(["keytool"])
  if (keytool === undefined) throw new Missing("no keytool was found beside java")
  const store = ["-keystore", keys, "-storetype", "PKCS12", "-storepass", password, "-alias", "broker"]
  const made = ["-keyalg", "EC", "-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost", "-validity", "30"]
  await run(keytool, ["-genkeypair", ...store, ...made])
  await run(keytool, ["-exportcert", "-rfc", ...store, "-file", authority])
}

/** 16 bytes, as Kafka writes them: with a dash in front they would be taken for an option. */
const clusterId = (): string => {
  const id = Buffer.from(randomUUID().replaceAll("-", ""), "hex").toString("base64url")
  return id.startsWith("-") ? clusterId() : id
}

interface Settings {
  readonly data: string
  readonly keys: string
  readonly port: number
  readonly guardedPort: number
  readonly controllerPort: number
  readonly proxied?: { readonly port: number; readonly proxyPort: number }
}

const settings = ({ controllerPort, data, guardedPort, keys, port, proxied }: Settings): string => {
  const own = `PLAINTEXT://127.0.0.1:${port},GUARDED://127.0.0.1:${guardedPort}`
  const behind = (of: "port" | "proxyPort") => (proxied === undefined ? "" : `,PROXIED://127.0.0.1:${proxied[of]}`)
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `${own}${behind("port")},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `${own}${behind("proxyPort")}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,GUARDED:SASL_SSL,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.guarded.plain.sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
    "listener.name.guarded.ssl.keystore.location": keys,
    "listener.name.guarded.ssl.keystore.password": password,
    "listener.name.guarded.ssl.keystore.type": "PKCS12",
    "log.dirs": data,
    "auto.create.topics.enable": false,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    // A broker that was killed is taken back as soon as it is there again.
    "broker.session.timeout.ms": 2_000,
    "broker.heartbeat.interval.ms": 500,
    "group.initial.rebalance.delay.ms": 0
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")
}
