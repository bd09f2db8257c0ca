/**
 * Every bound of the engine, with its unit and its reason. What is bounded nowhere else is bounded here.
 *
 * The assertions at the end hold between the bounds: a change of one that contradicts another fails at import.
 */

/** Records in one batch. Thousands amortise the cost of a mailbox; more only delays the next barrier. */
export const batchRecordsMax = 8_192
/** Bytes in one batch of raw records: keeps a batch inside the processor's cache and a read within one disk request. */
export const batchBytesMax = 1_048_576

/** Batches in a mailbox. A full mailbox suspends its writer: this is the credit of an edge. */
export const mailboxBatchesMax = 16
/** Bytes in a mailbox, as far as its batches know their size. */
export const mailboxBytesMax = 16_777_216
/** Control messages in a mailbox. Few are ever sent: a writer that waits here talks to an actor that hangs. */
export const mailboxControlMax = 64

/** Epochs that are cut but not yet committed. Two: records of e + 1 flow while e commits. */
export const epochsInFlight = 2
/** Records of one epoch in all sources together: an epoch that is full is cut before its trigger. */
export const epochRecordsMax = 1_000_000
/** Bytes of raw records of one epoch: bounds what a sink without a window before it holds in memory. */
export const epochBytesMax = 268_435_456
/** Records of a run that computes its whole result anew, which is one epoch. One more fails it: `RunTooLarge`. */
export const recomputedRecordsMax = 4_000_000
/** Bytes of raw records of such a run: what its steps and sinks hold in memory is a few times as much. */
export const recomputedBytesMax = 1_073_741_824
/** Dead letters, or late events, that one epoch replays beside its records: more come with the next one. */
export const replayRecordsMax = 20_000
/** Bytes of them, after which an epoch replays no more. */
export const replayBytesMax = 67_108_864

/** Dead letters of a partition, the newest, whose records a listing compares with those of older ones. */
export const lettersComparedMax = 100_000

/** One record of a log, key and value together. A larger one is refused when it is produced. */
export const recordBytesMax = 33_554_432
/** One record that a job decodes. A larger one is a dead letter. */
export const decodeBytesMax = 16_777_216
/** Nested arrays and objects of one JSON record. A deeper one is a dead letter. */
export const decodeDepthMax = 64

/** Key groups of a job: the unit in which state can move between workers. Fixed when the job is created. */
export const keyGroups = 60
/** Keys of one stateful step, over all its windows. One more fails the job: `StateLimitExceeded`. */
export const stateKeysMax = 10_000_000
/** Rows that a step in complete mode keeps: it emits all of them at each epoch with changes, and a console shows few. */
export const completeRowsMax = 100_000
/** Events of one step that wait for the watermark, each whole in memory. More than some epochs full of them. */
export const waitingEventsMax = 4_000_000
/** Rows before the current one that a row frame takes in: the last rows of each key are kept. */
export const frameRowsMax = 10_000
/** Rows that a join makes of the events of one epoch: they wait in memory for its barrier. One more fails the job. */
export const joinRowsMax = 4_000_000
/**
 * Entries of one stateful step that are kept as objects, of some 400 bytes; those beyond it are packed into some 60
 * bytes each, and cost a step a microsecond more when their key comes again or they fall due. So do `aggregate`, but for
 * sessions, `distinct` and `process`. All entries of sessions, `frames`, joins and complete mode stay objects, up to
 * the bound of each: beyond that the job fails with `StateLimitExceeded`.
 */
export const stateEntriesMax = 500_000
/** Timers of one key of a user's own operator, of each kind: they are written with the key. */
export const timersPerKeyMax = 1_000
/** Deltas of one key group that are kept before it is written anew: each is a row to read at a restart. */
export const stateDeltasMax = 256
/** Nested arrays, objects and maps of one value in the state. */
export const stateDepthMax = 64
/** Rows of one result of `topN`: each event may move them all, and each epoch writes them again. */
export const topRowsMax = 1_000
/** Windows that one event of a sliding window may fall into. */
export const windowsPerEventMax = 1_024
/**
 * Rows that a `Flow.flatMap` makes of one event that has a row number already: numbers go up in steps of so many, so that
 * they stay in order, and three such steps behind each other fit below 2^53.
 */
export const rowsOfEventMax = 65_536
/** Milliseconds of one window, and of the gap of a session: 36,525 days. The end of a longer one is no instant of a table. */
export const windowMillisMax = 3_155_760_000_000

/** Manifests of a job that are kept, newest first. */
export const manifestsKept = 3
/** Savepoints of a job. Each holds a copy of its state, and holds back what a log may forget. */
export const savepointsMax = 100
/** Characters of a savepoint's name. */
export const savepointNameMax = 100
/** Progress reports of a job that are kept, newest first. */
export const progressKept = 200

/** Rows of one lookup: all of them are at hand in memory, in up to four versions while they change. */
export const lookupRowsMax = 1_000_000
/** Bytes of one lookup, as its file and as it is stored. */
export const lookupBytesMax = 134_217_728
/** Bytes of one part of a lookup in a database: a version is stored in as many as it needs. */
export const lookupPartBytes = 4_194_304
/** Characters of a lookup's name: with three other texts it is a key where versions are stored, of 3,072 bytes in MySQL. */
export const lookupNameMax = 190
/** Milliseconds that loading a lookup may take. */
export const lookupMillisMax = 120_000
/** Milliseconds before a refresh that failed is tried again; doubled for each further one. */
export const lookupBackoffMillis = 1_000
/** Milliseconds that this backoff never exceeds. */
export const lookupBackoffMillisMax = 60_000

/** Bytes that one read of a file brings. */
export const fileChunkBytes = 524_288
/**
 * Bytes of one line or one row of CSV in a file: a longer one is cut there, and so is too long to be decoded. A quote
 * that is not closed within them does not swallow the file.
 */
export const fileRecordBytesMax = decodeBytesMax + 1
/** Files of one folder that a source knows. */
export const folderFilesMax = 1_000_000

/** Folders of a sink of files with rows that are in no file yet: each is named in every manifest. With one more all become files. */
export const fileFoldersMax = 1_000
/** Bytes of rows of one sink that are in no file yet. With more all of them become files. */
export const fileSpoolBytesMax = 4_294_967_296
/** Rows of one row group of a Parquet file: what is in memory while the file is made, and what a reader skips at once. */
export const rowGroupRowsMax = 100_000

/** Rows in one SQL statement. Above this a statement takes longer than a heartbeat should wait. */
export const statementRowsMax = 10_000
/** Bytes of parameters of one SQL statement, about: a server, and the embedded one's memory, hold them at once. */
export const statementBytesMax = 16_777_216
/** Bytes of one text column of a table's key: what an index row of Postgres (2,704 bytes) and of MySQL (3,072) holds. */
export const keyTextBytesMax = 2_400

/** Connections to one database server: its jobs, their lookups and the questions of people share them. */
export const tablesConnectionsMax = 8
/** Milliseconds that connecting to a database server may take. */
export const connectMillisMax = 5_000
/** Milliseconds over which a database server that does not answer is tried again when it is opened. */
export const tablesOpenMillisMax = 10_000
/** Milliseconds of one statement of a job in a database server. */
export const statementMillisMax = 120_000
/** Milliseconds that a statement waits for a lock in a database server before it is tried again. */
export const lockMillisMax = 30_000
/**
 * Milliseconds that a client waits for the answer to one statement before it gives its connection up: the server has
 * ended the statement by then, and who still says nothing is not there.
 */
export const answerMillisMax = 130_000
/** Milliseconds that a database server waits for the next statement of a transaction before it takes it back. */
export const idleTransactionMillisMax = 10_000

/** Bytes of one segment file of the embedded log. Retention removes whole segments. */
export const segmentBytesMax = 67_108_864
/** Partitions of one topic that Weir creates. */
export const partitionsMax = 256
/** Characters of a topic's name, as Kafka's. */
export const topicNameMax = 249
/** Bytes of one record's headers, beside its key and value. Leaves room for what a dead letter says of itself. */
export const headersBytesMax = 1_048_576
/** Bytes of one frame of the log, unless one record alone is larger: a read begins and ends at frames. */
export const frameBytesMax = 65_536
/** Bytes between two entries of a segment's index: a read from any offset passes over at most so many. */
export const indexBytes = 65_536
/** Bytes that one append of the log writes before it is synced. */
export const appendBytesMax = 16_777_216
/** Callers that wait to append to one partition. One more waits for a place. */
export const appendsWaitingMax = 1_024
/** Files that a log holds open, over all its topics. A process may commonly open 1 024. */
export const logFilesMax = 128

/** Milliseconds in which a broker of Kafka must answer a process that starts: who waits for it wants to know why. */
export const brokerConnectMillisMax = 4_000
/** Milliseconds that a broker may take to answer one request. */
export const brokerRequestMillisMax = 30_000
/** Milliseconds for which a broker may hold a request for records until some come. */
export const brokerWaitMillis = 500
/** Milliseconds that a source may take to hear of what is done with, and that a job which ends waits for it. */
export const acknowledgeMillisMax = 4_000
/** Bytes that one packed batch of Kafka's records may come to. A batch says how large it is and may lie: gigabytes fit into a packet. */
export const unpackedBatchBytesMax = 67_108_864
/** Bytes to which the packed batches of one answer are unpacked; what is left is asked for again. */
export const unpackedBytes = 16_777_216
/** Milliseconds after which Kafka aborts the transaction of a process that has gone silent. */
export const transactionMillisMax = 60_000

/** Schemas of a registry that are kept: each is a few kilobytes, and a topic seldom has more than some tens. */
export const schemasKept = 1_000
/** Bytes of one schema of a registry, as it answers. */
export const schemaBytesMax = 1_048_576
/** Schemas that one schema refers to, one through the other. */
export const schemaReferencesMax = 100
/** Milliseconds that a schema registry may take to answer one request. */
export const registryMillisMax = 5_000

/** Rows that a query over HTTP answers with. */
export const queryRowsMax = 10_000
/** Milliseconds that a query over HTTP may take. */
export const queryMillisMax = 10_000
/** Bytes of one HTTP request body. */
export const requestBytesMax = 67_108_864
/** Bytes of a request body that is one JSON value: a query, the options of a run. */
export const requestJsonBytesMax = 1_048_576
/** Records that one read of a topic, or of dead letters, over HTTP answers with. */
export const fetchRecordsMax = 10_000
/** Bytes of keys and values after which a read of a topic over HTTP ends, whatever count was asked for. */
export const fetchBytesMax = 33_554_432
/** Milliseconds between two comments on a quiet stream of server-sent events: proxies close silent connections. */
export const eventsHeartbeatMillis = 15_000
/** Server-sent events that wait for a slow reader. The oldest are dropped: each event is a whole report. */
export const eventsWaitingMax = 256

/** Tables of which the catalog over HTTP says the columns: each is a statement. The names of all others are listed. */
export const catalogTablesMax = 500
/** Dashboards of a data folder. A list is read by opening each. */
export const dashboardsMax = 200
/** Tiles of one dashboard: each is a query that is asked again and again. */
export const dashboardTilesMax = 48
/** Bytes of one dashboard as JSON. */
export const dashboardBytesMax = 1_048_576
/** Characters of a title, and of a column's name, in a dashboard. */
export const dashboardTextMax = 200
/** Characters of a tile's query. */
export const tileSqlMax = 20_000
/** Columns that one chart draws as series: more colours than this are not told apart. */
export const chartSeriesMax = 8

/**
 * Milliseconds for which a job asks a system again that does not answer, as while that is started anew: behind them it
 * begins anew from its last checkpoint, and asks on.
 */
export const outageMillisMax = 60_000
/** Times that it is asked again at least, however long it takes until it is known that there is no answer. */
export const outageTriesMin = 3
/** Milliseconds before what was not answered is asked again; doubled for each further time. */
export const outageRetryMillis = 50
/** Milliseconds that this wait never exceeds. */
export const outageRetryMillisMax = 1_000
/** Restarts of a job within `restartPeriodMillis` before it is failed. */
export const restartIntensity = 10
/** Milliseconds over which restarts are counted. */
export const restartPeriodMillis = 60_000
/** Milliseconds before the first restart; doubled for each further one, with jitter. */
export const restartBackoffMillis = 100
/** Milliseconds that a backoff never exceeds. */
export const restartBackoffMillisMax = 10_000
/** Milliseconds that a drain may take before an interrupted process ends without it: it has ended within 10 seconds. */
export const drainMillisMax = 9_500

/** Traces a second, of all jobs together: an epoch is one. Beyond them epochs are still counted, and not traced. */
export const tracesPerSecondMax = 100
/** Milliseconds that a collector of traces and metrics may take to answer. */
export const telemetryMillisMax = 5_000
/** Milliseconds that sending the last traces, and the last metrics, may take when a process ends: well within a drain. */
export const telemetryDrainMillisMax = 2_000

/** Open windows of a step that are told by name to whoever asks what it waits for: a screen of them. */
export const windowsToldMax = 10

const holds = (bound: string, condition: boolean): void => {
  if (!condition) throw new Error(`Limits: ${bound}`)
}
holds("a batch fits into a mailbox", batchBytesMax <= mailboxBytesMax)
holds("the largest record of a log fits into an epoch", recordBytesMax <= epochBytesMax)
holds("what is decoded can be stored", decodeBytesMax <= recordBytesMax)
holds("a full mailbox is less than an epoch", mailboxBatchesMax * batchRecordsMax < epochRecordsMax)
holds("an epoch may wait for the watermark as a whole", epochRecordsMax < waitingEventsMax)
holds(
  "what a run that computes anew reads may wait for the watermark as a whole",
  epochRecordsMax <= recomputedRecordsMax && recomputedRecordsMax <= waitingEventsMax
)
holds("a packed batch may hold the largest record", recordBytesMax < unpackedBatchBytesMax)
holds("a segment holds the largest record", recordBytesMax < segmentBytesMax)
holds("a line of a file that is too long can be stored as a dead letter", fileRecordBytesMax < recordBytesMax)
holds("several frames fit into a read", frameBytesMax * 8 <= batchBytesMax)
holds("a part of a lookup fits into a statement", lookupPartBytes <= statementBytesMax)
holds(
  "an owner that stopped in a transaction holds its locks for less than another waits",
  idleTransactionMillisMax < lockMillisMax
)
holds("a server ends a statement before its client gives it up", statementMillisMax < answerMillisMax)
holds("a wait for an answer grows", outageRetryMillis < outageRetryMillisMax)
holds(
  "a job that waits for a system at each of its starts spends no restarts",
  outageMillisMax * restartIntensity > restartPeriodMillis
)
holds("backoff grows", restartBackoffMillis < restartBackoffMillisMax)
