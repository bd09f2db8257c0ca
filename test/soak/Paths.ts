/** What the soak runs: jobs from topics into tables and topics, side by side, over servers that they share. */
import type { Kind } from "./Schedule.ts"
import { kinds } from "./Schedule.ts"

export type ServerName = "kafka" | "mariadb" | "postgres"

export interface Path {
  readonly name: string
  readonly meaning: string
  readonly job: string
  /** Servers that it needs; none: it is embedded. */
  readonly servers: ReadonlyArray<ServerName>
  /** The server whose connection is cut, and the messages of this job behind which something is committed there. */
  readonly commit: { readonly server: ServerName; readonly isIt: (message: Buffer) => boolean } | null
  readonly checkpoints: "tables" | "files"
  /** What it reads is what this path writes. */
  readonly after?: string
  readonly reads: string
  /** Topics. */
  readonly writes: ReadonlyArray<string>
}

/** Of Kafka's protocol: after four bytes of length. */
const endOfTransaction = 26
const statementOf = (text: string) => (message: Buffer) => message.includes(text)

export const paths: ReadonlyArray<Path> = [
  {
    name: "kafka-postgres",
    meaning: "Kafka → Postgres, checkpoints in its tables",
    job: "bank-postgres",
    servers: ["kafka", "postgres"],
    commit: { server: "postgres", isIt: statementOf("\0commit\0") },
    checkpoints: "tables",
    reads: "transfers",
    writes: ["bank-postgres.invalid"]
  },
  {
    name: "kafka-kafka",
    meaning: "Kafka → Kafka, checkpoints in files",
    job: "statements",
    // No table is written, and with a database that is there no embedded one is opened.
    servers: ["kafka", "postgres"],
    commit: {
      server: "kafka",
      isIt: (message) =>
        message.length > 6 && message.readInt16BE(4) === endOfTransaction && message.includes("statements")
    },
    checkpoints: "files",
    reads: "transfers",
    writes: ["statements.invalid", "statements.copies", "statements.paid", "statements.late"]
  },
  {
    name: "kafka-mariadb",
    meaning: "what the path before has copied, Kafka → MariaDB, checkpoints in its tables",
    job: "bank-mariadb",
    servers: ["kafka", "mariadb"],
    commit: { server: "mariadb", isIt: statementOf("\x03commit") },
    checkpoints: "tables",
    after: "kafka-kafka",
    reads: "statements.copies",
    writes: ["bank-mariadb.invalid"]
  },
  {
    name: "embedded",
    meaning: "the log → the built-in Postgres",
    job: "bank-embedded",
    servers: [],
    commit: null,
    checkpoints: "tables",
    reads: "transfers",
    writes: ["bank-embedded.invalid"]
  }
]

/** The kinds of faults that a path can have. Nothing embedded has connections. */
export const kindsOf = ({ commit }: Path): ReadonlyArray<Kind> =>
  kinds.filter((kind) => commit !== null || kind !== "cut")
