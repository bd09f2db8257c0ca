/**
 * The rules of the engine that can be broken, each by a change of its source, and who is to notice. Where the rule is a
 * comparison, it is left out; where it is an order, it is turned round; where something is kept, it is forgotten.
 */
import type { Catcher, Mutation } from "./Mutation.ts"

const simulated = (job: string): Catcher => ({ by: "simulation", job })
const tested = (file: string, of?: string): Catcher => ({ by: "test", file, ...(of === undefined ? {} : { of }) })

/** The life of an epoch: intent, sinks, manifest. */
const epochs: ReadonlyArray<Mutation> = [
  {
    name: "an epoch is committed while its intent is being written",
    rule: "The intent is durable before anything of its epoch is visible",
    file: "checkpoint/Coordinator.ts",
    find: "if (replayed === null) yield* writeIntent(store, claim, intent)",
    replace: "if (replayed === null) yield* Effect.forkDaemon(Effect.delay(writeIntent(store, claim, intent), 50))",
    caught: simulated("orders")
  },
  {
    name: "the manifest does not wait for the sinks",
    rule: "The manifest is never durable before a sink is",
    file: "checkpoint/Coordinator.ts",
    find: "const outcomes = yield* commitOwnSinks(prepared)",
    replace: `yield* Effect.forkDaemon(Effect.delay(commitOwnSinks(prepared), 50))
        const outcomes = new Map<string, "written" | "already there">()`,
    caught: simulated("orders")
  },
  {
    name: "rows are committed before the manifest",
    rule: "One transaction carries the rows, their fences, the state and the manifest",
    file: "checkpoint/Commit.ts",
    find: "const commit = store.commit(claim, { ...kept, statements })",
    replace: `const commit = Effect.zipRight(
      store.tables === null || statements.length === 0 ? Effect.void : store.tables.transaction(statements),
      store.commit(claim, { ...kept, statements: [] })
    )`,
    caught: simulated("orders")
  },
  {
    name: "only the first intent is replayed",
    rule: "A start replays every intent above the manifest",
    file: "checkpoint/Coordinator.ts",
    find: "for (const [i, intent] of claim.intents.entries()) {",
    replace: "for (const [i, intent] of claim.intents.slice(0, 1).entries()) {",
    caught: simulated("orders")
  },
  {
    name: "intents are replayed in the order of their last being first",
    rule: "Intents are replayed in order",
    file: "checkpoint/Coordinator.ts",
    find: "for (const [i, intent] of claim.intents.entries()) {",
    replace: "for (const [i, intent] of [...claim.intents].reverse().entries()) {",
    caught: simulated("orders")
  },
  {
    name: "a replay is cut where the source stands",
    rule: "A replay has the offsets of its intent",
    file: "checkpoint/Coordinator.ts",
    find: "yield* cutEpoch(following(replayedAfter(i), intent), intent)",
    replace: "yield* cutEpoch(following(replayedAfter(i), { ...intent, partitions: null }), intent)",
    caught: simulated("orders")
  },
  {
    name: "a replay is closed when it is replayed",
    rule: "A replay has the times of its intent",
    file: "checkpoint/Coordinator.ts",
    find: "yield* cutEpoch(following(replayedAfter(i), intent), intent)",
    replace: `const closedAt = yield* Clock.currentTimeMillis
        yield* cutEpoch(following(replayedAfter(i), { ...intent, closedAt }), intent)`,
    caught: simulated("orders")
  },
  {
    name: "a replay is not the final one",
    rule: "A replay is final where its intent is",
    file: "checkpoint/Coordinator.ts",
    find: "yield* cutEpoch(following(replayedAfter(i), intent), intent)",
    replace: "yield* cutEpoch(following(replayedAfter(i), { ...intent, final: false }), intent)",
    caught: tested("runtime/crashes/timed.test.ts", "a tumbling window on close writes the same after a crash at any")
  },
  {
    name: "epochs are numbered from the manifest",
    rule: "Numbers of epochs are never used twice",
    file: "checkpoint/Coordinator.ts",
    find: "let epoch = (lastIntent?.epoch ?? claim.manifest.epoch) + 1",
    replace: "let epoch = claim.manifest.epoch + 1",
    caught: tested("runtime/intents.test.ts")
  },
  {
    name: "new epochs are cut while intents are replayed",
    rule: "What was intended is durable before anything new is cut",
    file: "checkpoint/Coordinator.ts",
    find: `yield* places.take(Limits.epochsInFlight)
        yield* places.release(Limits.epochsInFlight)`,
    replace: "",
    caught: tested("runtime/intents.test.ts")
  },
  {
    name: "an epoch opens before the last one closed",
    rule: "Times of epochs never fall",
    file: "checkpoint/Coordinator.ts",
    find: "let openedAt = Math.max(yield* Clock.currentTimeMillis, closedBefore)",
    replace: "let openedAt = yield* Clock.currentTimeMillis",
    caught: tested("runtime/clock.test.ts")
  },
  {
    name: "an epoch closes before it opens",
    rule: "Times of epochs never fall",
    file: "checkpoint/Coordinator.ts",
    find: "const closedAt = Math.max(now, openedAt)",
    replace: "const closedAt = now",
    caught: tested("runtime/clock.test.ts")
  },
  {
    name: "a final emission is left out where nothing came",
    rule: "A run that was asked for a final emission gives one",
    file: "checkpoint/Coordinator.ts",
    find: "if (something || (final && finalOwed)) {",
    replace: "if (something) {",
    caught: tested("runtime/final.test.ts")
  },
  {
    name: "a sink prepares twice the rows of the epoch before",
    rule: "Rows of an epoch are given once",
    file: "runtime/SinkActor.ts",
    find: `yield* prepare(options, turn.barrier, batches)
            batches = []`,
    replace: "yield* prepare(options, turn.barrier, batches)",
    caught: simulated("an aggregate")
  },
  {
    name: "a commit is not tried again",
    rule: "What another system does not answer is asked again, before it is a failure",
    file: "flow/Patience.ts",
    find: 'export const isOutage = (error: Explained): boolean => error.retry && error.fault === "external"',
    replace: "export const isOutage = (_error: Explained): boolean => false",
    caught: tested("flow/Patience.test.ts")
  },
  {
    name: "a commit is tried again without a look",
    rule: "After a lost reply it is looked whether the epoch is there, before it is tried again",
    file: "checkpoint/Commit.ts",
    find: "if (yield* Ref.getAndSet(tried, true)) if (yield* isDone()) return",
    replace: "yield* Ref.getAndSet(tried, true)",
    caught: {
      by: "nobody",
      why: "the look spares a transaction: a store takes the same intent, and the same commit, twice without effect"
    }
  },
  {
    name: "a refused commit that is there is a failure",
    rule: "An epoch whose acknowledgement was lost is there",
    file: "checkpoint/SqlCheckpointStore.ts",
    find: "if (there?.body !== body) yield* Effect.fail(doesNotFollow(manifest, committed))",
    replace: "yield* Effect.fail(doesNotFollow(manifest, committed))",
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "a refused intent that is there is a failure",
    rule: "An intent whose acknowledgement was lost is there",
    file: "checkpoint/SqlCheckpointStore.ts",
    find: "if (there?.body === body) return",
    replace: "",
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "a limit of dead letters is not judged",
    rule: "Too many dead letters stop the job, after their epoch",
    file: "checkpoint/Coordinator.ts",
    find: "yield* judge(SetAsideLimits.setAsideOf(facts))",
    replace: "",
    caught: tested("runtime/limits.test.ts")
  },
  {
    name: "a source is told what is done with before it is durable",
    rule: "Sources are told of what is done with after the manifest",
    file: "checkpoint/Coordinator.ts",
    find: "const state = acknowledgements.flatMap((acknowledgement) => acknowledgement.state)\n        yield*",
    replace: `const state = acknowledgements.flatMap((acknowledgement) => acknowledgement.state)
        for (const source of sources) source.acknowledge?.(facts.manifest.partitions)
        yield* Effect.sleep(20)
        yield*`,
    caught: tested("runtime/Acknowledgements.test.ts")
  }
]

/** Who may write. */
const fences: ReadonlyArray<Mutation> = [
  {
    name: "rows without a fence",
    rule: "The fence moves in the transaction of the rows",
    file: "checkpoint/Commit.ts",
    find: `Fence.advance(writer.tables, stampOf(claim, id, rows), rows.digest),
    ...writer.statements(rows)`,
    replace: "...writer.statements(rows)",
    caught: simulated("orders")
  },
  {
    name: "an older owner passes the fence",
    rule: "A fence lets nothing of an older generation through",
    file: "checkpoint/Fence.ts",
    find: `and generation = \${stamp.generation} and epoch = \${stamp.epoch - 1}\`)`,
    replace: `and epoch = \${stamp.epoch - 1}\`)`,
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "epochs pass the fence out of order",
    rule: "An epoch passes a fence once and in order",
    file: "checkpoint/Fence.ts",
    find: `and generation = \${stamp.generation} and epoch = \${stamp.epoch - 1}\`)`,
    replace: `and generation = \${stamp.generation}\`)`,
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "a fence of an epoch without an intent is taken",
    rule: "A sink ahead of the checkpoint is refused",
    file: "checkpoint/Fence.ts",
    find: "if (!opening.intentEpochs.includes(e)) return Effect.fail(ahead(opening, found))",
    replace: "",
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "a fence behind the checkpoint is taken",
    rule: "A sink behind the checkpoint is refused",
    file: "checkpoint/Fence.ts",
    find: "if (found.epoch < m) return Effect.fail(behind(opening, m, found))",
    replace: "",
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "a fence that was lost is made anew",
    rule: "A sink that lost its fence is refused",
    file: "checkpoint/Fence.ts",
    find: "if (found === null && opening.isKnown === true) return yield* behind(opening, opening.manifestEpoch, null)",
    replace: "",
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "a newer owner's fence is taken back",
    rule: "A fence is taken by a newer generation only",
    file: "checkpoint/Fence.ts",
    find: "return found.generation > opening.generation ? Effect.fail(fenced(opening, found)) : Effect.succeed(found.epoch)",
    replace: "return Effect.succeed(found.epoch)",
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "the fence of a newer lineage is taken",
    rule: "A sink of another lineage is refused",
    file: "checkpoint/Fence.ts",
    find: "if (found.lineage > lineage) return Effect.fail(otherLineage(opening, found))",
    replace: "",
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "a fence is taken as it was read, not as it is",
    rule: "An epoch that passes while a fence is taken is not overwritten",
    file: "checkpoint/Fence.ts",
    find: `and generation = \${found.generation} and epoch = \${found.epoch}\`)`,
    replace: "`)",
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "an epoch that is there is not compared",
    rule: "An epoch, computed again, has the digest of what its sink holds",
    file: "checkpoint/Fence.ts",
    find: "return found.epoch === stamp.epoch && found.digest !== digest",
    replace: "return found.epoch === stamp.epoch && found.digest === null",
    caught: tested("checkpoint/Fence.test.ts")
  },
  {
    name: "an older owner appends to a topic",
    rule: "A fence lets nothing of an older generation through",
    file: "flow/EpochFence.ts",
    find: "if (current.lineage !== stamp.lineage || current.generation !== stamp.generation)",
    replace: "if (current.lineage !== stamp.lineage)",
    caught: tested("conformance/topics.test.ts", "^memory")
  },
  {
    name: "an epoch is appended to a topic again",
    rule: "An epoch passes a fence once and in order",
    file: "flow/EpochFence.ts",
    find: `if (epoch > current.epoch) return Either.right(digest === null ? "already there" : "write")`,
    replace: `if (epoch > 0) return Either.right(digest === null ? "already there" : "write")`,
    caught: simulated("branch")
  },
  {
    name: "an epoch of a topic that is there is not compared",
    rule: "An epoch, computed again, has the digest of what its sink holds",
    file: "flow/EpochFence.ts",
    find: "return isKnown && (known?.[1] ?? null) !== digest",
    replace: "return isKnown && digest === undefined",
    caught: tested("conformance/topics.test.ts", "^memory")
  },
  {
    name: "a topic is opened by an older owner",
    rule: "A fence is taken by a newer generation only",
    file: "flow/EpochFence.ts",
    find: "if (found.generation >= generation) return Either.left(fenced(stamp, found))",
    replace: "",
    caught: tested("conformance/topics.test.ts", "^memory")
  },
  {
    name: "a topic that lost records is gone on with",
    rule: "A sink behind the checkpoint is refused",
    file: "flow/EpochFence.ts",
    find: "if (kept?.ends.some(([partition, end]) => latest(partition) < end))",
    replace: "if (kept?.ends.some(([partition, end]) => latest(partition) < end - 1_000_000))",
    caught: tested("conformance/topics.test.ts", "^memory")
  },
  {
    name: "a topic ahead of the checkpoint is gone on with",
    rule: "A sink ahead of the checkpoint is refused",
    file: "flow/EpochFence.ts",
    find: "if (isAhead) return Either.left(ahead(stamp, found.epoch))",
    replace: "",
    caught: tested("conformance/topics.test.ts", "^memory")
  },
  {
    name: "the fence of a topic forgets who opened it",
    rule: "A fence lets nothing of an older generation through",
    file: "flow/EpochFence.ts",
    find: "return Either.right({ ...found, generation })",
    replace: "return Either.right(found)",
    caught: simulated("branch")
  },
  {
    name: "the fence of a topic keeps one digest",
    rule: "The fence of a topic knows every epoch that may be open above a manifest",
    file: "flow/EpochFence.ts",
    find: ".slice(-writtenMax)",
    replace: ".slice(-1)",
    caught: tested("conformance/topics.test.ts", "^memory")
  },
  {
    name: "sinks are opened without the intents",
    rule: "A sink that has an epoch of an intent is not ahead",
    file: "runtime/JobLife.ts",
    find: "intentEpochs: claim.intents.map((intent) => intent.epoch),",
    replace: "intentEpochs: [],",
    caught: simulated("branch")
  },
  {
    name: "two owners claim one generation",
    rule: "A generation is taken by compare-and-set",
    file: "checkpoint/SqlCheckpointStore.ts",
    find: `say\`update weir_job set generation = \${generation}, job_id = \${owner.jobId}
            where job = \${job} and lineage = \${found.lineage} and generation = \${found.generation}\``,
    replace: `say\`update weir_job set generation = \${generation}, job_id = \${owner.jobId}
            where job = \${job} and lineage = \${found.lineage}\``,
    caught: tested("checkpoint/claims.test.ts")
  },
  {
    name: "an older owner writes an intent",
    rule: "An intent is written by the current generation only",
    file: "checkpoint/SqlCheckpointStore.ts",
    find: `and generation = \${owner.generation} and intended = \${epoch - 1}\`),`,
    replace: `and intended = \${epoch - 1}\`),`,
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "an intent leaves an epoch out",
    rule: "Intents are written in order",
    file: "checkpoint/SqlCheckpointStore.ts",
    find: `and generation = \${owner.generation} and intended = \${epoch - 1}\`),`,
    replace: `and generation = \${owner.generation}\`),`,
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "an older owner writes a manifest",
    rule: "A manifest is written by the current generation only",
    file: "checkpoint/SqlCheckpointStore.ts",
    find: `and lineage = \${owner.lineage} and generation = \${owner.generation} and committed = \${manifest.epoch - 1}\`),`,
    replace: `and lineage = \${owner.lineage} and committed = \${manifest.epoch - 1}\`),`,
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "a manifest leaves an epoch out",
    rule: "Manifests are written in order",
    file: "checkpoint/SqlCheckpointStore.ts",
    find: `and lineage = \${owner.lineage} and generation = \${owner.generation} and committed = \${manifest.epoch - 1}\`),`,
    replace: `and lineage = \${owner.lineage} and generation = \${owner.generation}\`),`,
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "who was overtaken while it opened takes it for damage",
    rule: "An owner that was overtaken stops, and nothing is wrong",
    file: "runtime/JobLife.ts",
    find: "return yield* Effect.catchAll(wired<R>(options, claimed), (error) => orOvertaken(store, claimed, error))",
    replace: "return yield* wired<R>(options, claimed)",
    caught: tested("runtime/overtaken.test.ts")
  },
  {
    name: "a lineage begins with numbers that were used",
    rule: "A lineage begins above every epoch that was ever seen",
    file: "checkpoint/SqlCheckpointStore.ts",
    find: "const floor = Math.max(of.epochsSeen, found?.floor ?? 0, found?.intended ?? 0, found?.committed ?? 0)",
    replace: "const floor = found?.committed ?? 0",
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  }
]

/** What is stored, and read back. */
const stores: ReadonlyArray<Mutation> = [
  {
    name: "offsets are those of the last intent, state is that of the manifest",
    rule: "Offsets and state are of one manifest",
    file: "runtime/LifeSources.ts",
    find: "const restored = (claim.manifest ?? claim.intents[0])?.partitions",
    replace: "const restored = (claim.intents.at(-1) ?? claim.manifest)?.partitions",
    caught: simulated("orders")
  },
  {
    name: "deltas of the state are forgotten",
    rule: "A manifest names every part of the state",
    file: "checkpoint/EpochFacts.ts",
    find: ": { ...known, deltaEpochs: [...known.deltaEpochs, epoch] }",
    replace: ": { ...known, deltaEpochs: [epoch] }",
    caught: simulated("a tumbling window on close")
  },
  {
    name: "state is collected that a manifest names",
    rule: "What a kept manifest needs is kept",
    file: "checkpoint/Encoding.ts",
    find: `if (now?.baseEpoch === handle.baseEpoch) return []
    const named = new Set(now === undefined ? [] : epochsOf(now))`,
    replace: "const named = new Set(now === null ? [0] : [])",
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "a manifest is believed whatever its checksum says",
    rule: "Bytes that are not what was written are an error",
    file: "checkpoint/Encoding.ts",
    find: "if (crc32(encoder.encode(body)) !== written) return null",
    replace: "if (written < 0) return null",
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "state is believed whatever its checksum says",
    rule: "Bytes that are not what was written are an error",
    file: "checkpoint/SqlCheckpointQueries.ts",
    find: `if (crc32(bytes) !== Number(row.checksum)) return "is not what was written"`,
    replace: "",
    caught: tested("conformance/simulated.test.ts", "checkpoints")
  },
  {
    name: "a file of a checkpoint is named before it is synced",
    rule: "A file of a checkpoint is synced, then named",
    file: "checkpoint/CheckpointFolder.ts",
    find: "Effect.zipRight(opened.writeAll(seal(file.body)), opened.sync)",
    replace: "opened.writeAll(seal(file.body))",
    caught: tested("checkpoint/FileCheckpointStore.test.ts")
  },
  {
    name: "the name of a file of a checkpoint is not synced",
    rule: "A file of a checkpoint is confirmed when its name is durable",
    file: "checkpoint/CheckpointFolder.ts",
    find: "if (linked) yield* sync(files, path)",
    replace: "",
    caught: tested("checkpoint/FileCheckpointStore.test.ts")
  },
  {
    name: "a file of a checkpoint is believed whatever its checksum says",
    rule: "Bytes that are not what was written are an error",
    file: "checkpoint/CheckpointFolder.ts",
    find: "if (view.getUint32(8) !== crc32(bytes, headBytes)) return null",
    replace: "",
    caught: tested("conformance/stores.test.ts", "files")
  },
  {
    name: "an older owner writes a manifest into files",
    rule: "A manifest is written by the current generation only",
    file: "checkpoint/FileCheckpointStore.ts",
    find: "if ((yield* highestClaim(folders)) === owner.generation) return",
    replace: "if ((yield* highestClaim(folders)) >= owner.generation) return",
    caught: tested("conformance/stores.test.ts", "files")
  },
  {
    name: "who was overtaken while it claimed files takes it for damage",
    rule: "An owner that was overtaken stops, and nothing is wrong",
    file: "checkpoint/FileCheckpointStore.ts",
    find: "Effect.tapError(claimed(folders, owner), () => checkOwner(folders, owner))",
    replace: "claimed(folders, owner)",
    caught: tested("checkpoint/claims.test.ts")
  },
  {
    name: "who was overtaken while it committed to files takes it for damage",
    rule: "An owner that was overtaken stops, and nothing is wrong",
    file: "checkpoint/FileCheckpointStore.ts",
    find: "commit: (owner, epoch) => toldIfOvertaken(of(owner.job), owner)(commit(of(owner.job), owner, epoch)),",
    replace: "commit: (owner, epoch) => commit(of(owner.job), owner, epoch),",
    caught: tested("checkpoint/claims.test.ts")
  },
  {
    name: "who was overtaken while it wrote a file takes it for a failure of the disk",
    rule: "An owner that was overtaken stops, and nothing is wrong",
    file: "checkpoint/FileCheckpointStore.ts",
    find: "writeIntent: (owner, intent) => toldIfOvertaken(of(owner.job), owner)(writeIntent(of(owner.job), owner, intent)),",
    replace: "writeIntent: (owner, intent) => writeIntent(of(owner.job), owner, intent),",
    caught: tested("checkpoint/claims.test.ts")
  },
  {
    name: "a claim trusts files whose names are not durable",
    rule: "A claim makes durable what it found",
    file: "checkpoint/FileCheckpointStore.ts",
    find: "for (const folder of epochs) yield* folder.settle",
    replace: "yield* folders.claims.names",
    caught: tested("simulation/successors.test.ts")
  },
  {
    name: "a log trusts segments whose names are not durable",
    rule: "A log makes durable what it found",
    file: "connectors/log/LogTopic.ts",
    find: "Effect.zipLeft(recover(files, partition), files.syncFolder(partition.folder))",
    replace: "recover(files, partition)",
    caught: tested("simulation/successors.test.ts")
  },
  {
    name: "what an older owner left half done is left",
    rule: "A new generation removes what older ones left half done, before it replays",
    file: "checkpoint/FileCheckpointStore.ts",
    find: "yield* folder.clear(isStale)",
    replace: "yield* folder.names",
    caught: tested("checkpoint/FileCheckpointStore.test.ts")
  },
  {
    name: "an append to the log is confirmed before it is synced",
    rule: "An append to the log is confirmed when it is synced",
    file: "connectors/log/LogFiles.ts",
    find: `yield* open.writeAll(bytes)
              yield* open.sync`,
    replace: "yield* open.writeAll(bytes)",
    caught: tested("connectors/log-recovery.test.ts")
  },
  {
    name: "a torn end of the log is damage",
    rule: "A torn end of the log is cut off",
    file: "connectors/log/LogRecovery.ts",
    find: "if (scan.end < scan.size) {",
    replace: "if (scan.end < scan.size && scan.end < whole) {",
    caught: tested("connectors/log-recovery.test.ts")
  },
  {
    name: "damage within the log is cut off as a torn end",
    rule: "Damage elsewhere than at the end is an error",
    file: "connectors/log/LogRecovery.ts",
    find: `if (frame.synced > broken) return "synced later"`,
    replace: "",
    caught: {
      by: "nobody",
      why: "what says how far the log is durable says it too; both would have to be lost"
    }
  },
  {
    name: "the log is shorter than it was, and nobody says so",
    rule: "Records that were durable are never cut off",
    file: "connectors/log/LogRecovery.ts",
    find: "if (scan.end < whole)",
    replace: "if (scan.end < 0)",
    caught: tested("connectors/log-recovery.test.ts")
  },
  {
    name: "a part of an epoch is left in the log",
    rule: "An epoch that is in some partitions of the log only is taken back",
    file: "connectors/log/LogRecovery.ts",
    find: "yield* files.truncate(segment.path, tail.position)",
    replace: "",
    caught: tested("connectors/log-recovery.test.ts")
  }
]

/** What is read. */
const sources: ReadonlyArray<Mutation> = [
  {
    name: "a source reads on while intents are replayed",
    rule: "A source that has not been opened reads only up to the cuts of intents",
    file: "runtime/SourceActor.ts",
    find: "openedAt = cut.partitions === null ? cut.closedAt : null",
    replace: "openedAt = cut.closedAt",
    caught: simulated("orders")
  },
  {
    name: "a replay reads past its cut",
    rule: "A replay has the offsets of its intent",
    file: "runtime/SourceActor.ts",
    find: "if (yield* readNext(partition, Math.min(Limits.batchRecordsMax, cut.offset - partition.offset))) return",
    replace: "if (yield* readNext(partition, Limits.batchRecordsMax)) return",
    caught: simulated("orders")
  },
  {
    name: "a replay judges anew who is idle",
    rule: "Which partitions were idle is in the intent",
    file: "runtime/SourceActor.ts",
    find: "const state = recorded?.state ?? stateOf(partition, cut.closedAt)",
    replace: "const state = stateOf(partition, cut.closedAt)",
    caught: tested("runtime/SourceActor.test.ts")
  },
  {
    name: "a partition is idle though there is something to fetch",
    rule: "A partition is idle only while nothing is left to fetch",
    file: "runtime/SourceActor.ts",
    find: "return partition.drained && now - partition.lastReadAt >= options.idleAfterMillis",
    replace: "return now - partition.lastReadAt >= options.idleAfterMillis",
    caught: tested("runtime/SourceActor.test.ts")
  },
  {
    name: "a partition is idle as soon as it is assigned",
    rule: "A partition is idle so long after it was assigned",
    file: "runtime/SourceActor.ts",
    find: "lastReadAt: at,\n  isNew: false",
    replace: "lastReadAt: 0,\n  isNew: false",
    caught: tested("runtime/SourceActor.test.ts")
  },
  {
    name: "offsets that are gone are not noticed",
    rule: "A start never goes on behind records that are gone",
    file: "runtime/SourceActor.ts",
    find: "if (restored !== undefined) yield* checkRange(id, restored.offset, range)",
    replace: "",
    caught: tested("runtime/SourceActor.test.ts")
  },
  {
    name: "a topic that was made anew is taken for the old one",
    rule: "A source is the one that the checkpoint was made from",
    file: "runtime/SourceActor.ts",
    find: "if (mark.identity !== reader.identity)",
    replace: "if (mark.identity === null)",
    caught: tested("runtime/SourceActor.test.ts")
  },
  {
    name: "another record before the offset is not noticed",
    rule: "A source holds the record before each offset that the checkpoint saw",
    file: "runtime/SourceActor.ts",
    find: "if (found !== null && (found.checksum !== checksum || found.timestamp !== timestamp)) {",
    replace: "if (found !== null && found.checksum === null) {",
    caught: tested("runtime/SourceActor.test.ts")
  },
  {
    name: "a partition that was found later begins where the job began",
    rule: "A partition that is found while a job runs is read from its beginning",
    file: "runtime/SourceActor.ts",
    find: `assigned(range, undefined, { startAt: "earliest", at: now, isEmpty: false })`,
    replace: `assigned(range, undefined, { startAt: "latest", at: now, isEmpty: false })`,
    caught: tested("runtime/SourceActor.test.ts")
  },
  {
    name: "records that an intent counts are missed by nobody",
    rule: "A replay has the records of its intent",
    file: "runtime/SourceActor.ts",
    find: "if (partition.records < counted) return yield* forgotten(id, cut, counted - partition.records)",
    replace: "",
    caught: tested("runtime/SourceActor.test.ts")
  },
  {
    name: "a replay of dead letters feeds itself",
    rule: "A replay ends where the letters ended when it was asked for",
    file: "runtime/Replays.ts",
    find: "const wanted = letters.filter((letter) => letter.offset < end).slice(0, room.letters)",
    replace: "const wanted = letters.slice(0, room.letters)",
    caught: tested("runtime/Replays.test.ts")
  },
  {
    name: "a replayed dead letter moves the watermark",
    rule: "What comes again moves no watermark",
    file: "operator/AssignTime.ts",
    find: "if (high > before && batch.again === undefined) {",
    replace: "if (high > before) {",
    caught: tested("runtime/replay.test.ts")
  },
  {
    name: "messages of the next epoch go into this one",
    rule: "What is of an epoch comes before its barrier, and nothing of the next one",
    file: "runtime/Alignment.ts",
    find: "if (this.#barriers.has(from)) {",
    replace: `if (this.#barriers.has(from) && message._tag === "Barrier") {`,
    caught: simulated("an interval join, outer")
  },
  {
    name: "an operator does not wait for all barriers",
    rule: "Barriers are aligned",
    file: "runtime/Alignment.ts",
    find: "if (this.#barriers.size < this.#senders || this.#barriers.size === barriersBefore) continue",
    replace: "if (this.#barriers.size === barriersBefore) continue",
    caught: simulated("an interval join, outer")
  },
  {
    name: "an operator with several inputs goes by the highest watermark",
    rule: "The watermark is the lowest of those that are not idle",
    file: "runtime/Alignment.ts",
    find: "const lowest = Math.min(...(awake",
    replace: "const lowest = Math.max(...(awake",
    caught: simulated("an interval join, outer")
  },
  {
    name: "a barrier overtakes the rows of its epoch",
    rule: "What is of an epoch comes before its barrier, and nothing of the next one",
    file: "runtime/OperatorActor.ts",
    find: `yield* sendAll(outgoing)
            yield* forward(barrier)`,
    replace: `yield* forward(barrier)
            yield* sendAll(outgoing)`,
    caught: simulated("an aggregate")
  },
  {
    name: "a mailbox that ends drops what it holds",
    rule: "A queue is drained, then shut down",
    file: "actor/Mailbox.ts",
    find: `state = "ending"`,
    replace: `state = "ending"
      data.clear()`,
    caught: tested("actor/Mailbox.test.ts")
  }
]

/** Event time, lateness, order. */
const times: ReadonlyArray<Mutation> = [
  {
    name: "the watermark is the highest of the partitions",
    rule: "The watermark is the lowest of the active partitions",
    file: "operator/AssignTime.ts",
    find: "lowest = Math.min(lowest, own(cut.source, cut.partition))",
    replace:
      "lowest = Math.max(Number.isFinite(lowest) ? lowest : own(cut.source, cut.partition), own(cut.source, cut.partition))",
    caught: simulated("a tumbling window on close")
  },
  {
    name: "the watermark falls",
    rule: "The watermark never falls",
    file: "operator/AssignTime.ts",
    find: "if (next !== null && next > watermark) {",
    replace: "if (next !== null && next !== watermark) {",
    caught: tested("operator/AssignTime.test.ts")
  },
  {
    name: "idle partitions hold the watermark back",
    rule: "A silent partition does not hold the watermark back",
    file: "operator/AssignTime.ts",
    find: `if (cut.state === "finished") finished++
    if (cut.state !== "active") continue`,
    replace: `if (cut.state === "finished") finished++
    if (cut.state === "finished") continue`,
    caught: tested("operator/AssignTime.test.ts")
  },
  {
    name: "finished partitions hold back what waits for them",
    rule: "Once all partitions are finished, all windows close",
    file: "operator/AssignTime.ts",
    find: "return finished > 0 && finished === barrier.partitions.length ? Time.eventTimeMax : null",
    replace: "return null",
    caught: tested("operator/AssignTime.test.ts")
  },
  {
    name: "a record of the far future moves the watermark",
    rule: "An event of the far future is a dead letter and moves no watermark",
    file: "operator/AssignTime.ts",
    find: "if (!Time.isEventTime(eventTime) || eventTime > latest) {",
    replace: "if (!Time.isEventTime(eventTime)) {",
    caught: tested("operator/AssignTime.test.ts")
  },
  {
    name: "lateness goes by batches",
    rule: "Lateness does not depend on how records are batched",
    file: "operator/AssignTime.ts",
    find: "batch.again === undefined ? high - spec.maxOutOfOrdernessMillis : Time.beginning",
    replace: "batch.again === undefined ? before - spec.maxOutOfOrdernessMillis : Time.beginning",
    caught: simulated("a tumbling window on close")
  },
  {
    name: "lateness goes by cuts",
    rule: "Lateness does not depend on where epochs are cut",
    file: "operator/WindowAggregate.ts",
    find: "if (index.add(values[i] as never, place.eventTime, own > watermark ? own : watermark)) continue",
    replace: "if (index.add(values[i] as never, place.eventTime, watermark)) continue",
    caught: simulated("a tumbling window on close")
  },
  {
    name: "the watermarks of partitions are forgotten at a start",
    rule: "Watermarks are state",
    file: "operator/AssignTime.ts",
    find: "writer.value(highest)",
    replace: "writer.value(new Map())",
    caught: simulated("a tumbling window on close")
  },
  {
    name: "the watermark moves while an epoch is open",
    rule: "The watermark takes effect at the end of epochs",
    file: "operator/AssignTime.ts",
    find: `partitions.set(batch.partition, high)
      changed = true`,
    replace: `partitions.set(batch.partition, high)
      watermark = Math.max(watermark, high - spec.maxOutOfOrdernessMillis)
      changed = true`,
    caught: simulated("a tumbling window on close")
  },
  {
    name: "a window closes when it ends",
    rule: "A window closes when the watermark reaches its end and allowedLateness",
    file: "operator/AlignedWindows.ts",
    find: "for (const entries of windows.takeUntil(watermark - closesAfterStart)) {",
    replace: "for (const entries of windows.takeUntil(watermark - sizeMillis)) {",
    caught: simulated("a tumbling window on close")
  },
  {
    name: "the watermark of windows is forgotten at a start",
    rule: "What has closed stays so after a start",
    file: "operator/WindowState.ts",
    find: `this.watermark = reader.double()
        this.forgottenUntil = reader.double()`,
    replace: `reader.double()
        reader.double()`,
    caught: tested("runtime/raised-lateness.test.ts")
  },
  {
    name: "the rows of sessions that went into others stay",
    rule: "The row of a session that went into another is removed",
    file: "operator/WindowState.ts",
    find: "if (entry.before !== null) this.absorbed.push(entry)",
    replace: "",
    caught: simulated("a session on update")
  },
  {
    name: "a window that a final epoch closed takes more events",
    rule: "What a final epoch appended is closed",
    file: "operator/WindowAggregate.ts",
    find: "if (finalCloses) for (const entry of open) seal(entry)",
    replace: "",
    caught: tested("operator/WindowAggregate.test.ts", "final")
  },
  {
    name: "rows leave in the order in which keys came",
    rule: "Rows leave an operator in one order, however its input was batched",
    file: "operator/ResultRows.ts",
    find: "for (const group of groups.values()) group.sort(compare)",
    replace: "if (compare === null) throw barrierless",
    caught: tested("operator/WindowAggregate.test.ts", "same order and places")
  },
  {
    name: "events that waited are taken in the order in which they came",
    rule: "Steps that depend on order take events by time and place",
    file: "operator/InOrder.ts",
    find: "due.sort(inOrder)",
    replace: "",
    caught: simulated("frames")
  },
  {
    name: "events that wait are forgotten at a start",
    rule: "Events that wait are state",
    file: "operator/InOrder.ts",
    find: "this.store.add(entry)",
    replace: "",
    caught: simulated("frames")
  },
  {
    name: "timers are forgotten at a start",
    rule: "Timers are state",
    file: "operator/ProcessState.ts",
    find: "for (let count = reader.varint(); count > 0; count--) times.push(reader.double())",
    replace: "for (let count = reader.varint(); count > 0; count--) reader.double()",
    caught: simulated("process with timers of event time and other outputs")
  },
  {
    name: "time to live begins anew at a start",
    rule: "When a key's last event came is state",
    file: "operator/KeyedState.ts",
    find: "entry.lastAt = lastAt",
    replace: "entry.lastAt = lastAt + 100_000",
    caught: simulated("an aggregate with a time to live")
  },
  {
    name: "distinct lets the event through that came first",
    rule: "Of the events of an epoch the one with the lowest place is the first",
    file: "operator/Distinct.ts",
    find: "if (seen.batch === null || compare(batch, i, seen.batch, seen.index) >= 0) continue",
    replace: "if (seen.batch !== undefined) continue",
    caught: simulated("distinct")
  },
  {
    name: "first is the one that came first",
    rule: "Ties of first and last are broken by place",
    file: "flow/Aggregate.ts",
    find: "left.offset - right.offset ||",
    replace: "",
    caught: tested("flow/Aggregate.test.ts")
  },
  {
    name: "sums of doubles are rounded as they go",
    rule: "Sums of doubles are exact, and rounded once",
    file: "model/ExactSum.ts",
    find: "return add([sum], value)",
    replace: "return total",
    caught: tested("flow/Aggregate.test.ts")
  },
  {
    name: "an event without a partner goes as soon as the watermark has passed it",
    rule: "An event waits until no partner of it can come",
    file: "operator/IntervalJoin.ts",
    find: "const untilOf = (side: Side): number => state.forgottenUntil - later[side]",
    replace: "const untilOf = (_side: Side): number => state.forgottenUntil",
    caught: simulated("an interval join, outer")
  },
  {
    name: "an event that had a partner before a start goes alone",
    rule: "What a join keeps of an event is state",
    file: "operator/IntervalJoin.ts",
    find: `event.matched = true
    state.change(event)`,
    replace: "event.matched = true",
    caught: simulated("an interval join, outer")
  },
  {
    name: "a version is forgotten that an event may need",
    rule: "A version is kept as long as an event may come that it holds for",
    file: "operator/TemporalJoin.ts",
    find: "const older = Math.max(0, indexAfterTime(known, until) - 1)",
    replace: "const older = Math.max(0, known.length - 1)",
    caught: simulated("a temporal join, left")
  }
]

/** What sinks are given. */
const sinks: ReadonlyArray<Mutation> = [
  {
    name: "rows of one key are not compacted",
    rule: "A sink writes one row for each key",
    file: "connectors/sql/TableRows.ts",
    find: "while (end < count && order.same(first, order.indexes[end]!)) end++",
    replace: "",
    caught: simulated("a table of one row, one of keys alone, the latest events, and refused rows")
  },
  {
    name: "of rows of one key the last to come counts",
    rule: "Of rows of one key the last by its place counts",
    file: "connectors/sql/TableRows.ts",
    find: "return order <= 0 ? other : one",
    replace: "return order === null ? one : other",
    caught: simulated("a table of one row, one of keys alone, the latest events, and refused rows")
  },
  {
    name: "rows that were taken back stay",
    rule: "A row that is taken back is removed",
    file: "connectors/sql/TableRows.ts",
    find: "else if (gone.length > 0) chosen.removed.push",
    replace: "else if (gone.length < 0) chosen.removed.push",
    caught: tested("connectors/sql-rows.test.ts")
  },
  {
    name: "a row under another key leaves the old one",
    rule: "A row that is taken back is removed",
    file: "connectors/sql/TableRows.ts",
    find: `put(gathered, before, removed, null, batch, index)
    put(gathered, after, written, null, batch, index)`,
    replace: "put(gathered, after, written, null, batch, index)",
    caught: tested("connectors/sql-rows.test.ts")
  },
  {
    name: "rows are written in the order in which they came",
    rule: "Rows are sorted by key",
    file: "connectors/sql/RowOrder.ts",
    find: "places.sort((left, right) => compare(distinct[left], distinct[right]))",
    replace: "if (compare === null) places.reverse()",
    caught: tested("connectors/sql-rows.test.ts")
  },
  {
    name: "a table of keys alone is updated",
    rule: "Where all columns are key, a row that is there stays",
    file: "connectors/sql/Postgres.ts",
    find: `rest.length === 0 ? "nothing" : \``,
    replace: "`",
    caught: simulated("a table of one row, one of keys alone, the latest events, and refused rows")
  },
  {
    name: "an appended row has no place",
    rule: "The key of an appended row is its record's place",
    file: "connectors/sql/SqlSink.ts",
    find: "tableKey: placeColumns.slice(0, 5).map((column) => column.name),",
    replace: "tableKey: [],",
    caught: tested("conformance/simulated.test.ts", "sinks")
  },
  {
    name: "records are appended in the order in which they came",
    rule: "Records are appended in the order of their places",
    file: "flow/BatchOrder.ts",
    find: "const sorted = [...groups.values()].sort((a, b) => compareOrigins(a[0]!, b[0]!))",
    replace: "const sorted = [...groups.values()]",
    caught: tested("connectors/topic.test.ts")
  },
  {
    name: "records of one partition are appended as they came",
    rule: "Records are appended in the order of their places",
    file: "flow/BatchOrder.ts",
    find: "if (comparePlaces(places[i - 1]!, places[i]!) > 0) {",
    replace: "if (comparePlaces(places[i - 1]!, places[i]!) === null) {",
    caught: tested("connectors/topic.test.ts")
  },
  {
    name: "a row that does not fit its column fails the epoch",
    rule: "What a column cannot hold is a dead letter of the same epoch",
    file: "runtime/SinkActor.ts",
    find: "if (prepared.invalid.length > 0 && !options.mayRefuse) return yield* unusable(options.id, prepared)",
    replace: "if (prepared.invalid.length > 0) return yield* unusable(options.id, prepared)",
    caught: simulated("a table of one row, one of keys alone, the latest events, and refused rows")
  },
  {
    name: "a row that does not fit is dropped",
    rule: "What a column cannot hold is a dead letter of the same epoch",
    file: "runtime/SinkActor.ts",
    find: "const all = refused.length === 0 ? batches : [...batches, batchOf(refused, barrier)]",
    replace: "const all = refused.length === null ? [...batches, batchOf(refused, barrier)] : batches",
    caught: simulated("a table of one row, one of keys alone, the latest events, and refused rows")
  },
  {
    name: "a row that changes may be appended",
    rule: "Rows that change are refused by a sink that appends, by their types",
    file: "connectors/sql/SqlSink.ts",
    find: "): Sink<A, SqlSinkError, Tables, AppendOnly> => ({",
    replace: "): Sink<A, SqlSinkError, Tables> => ({",
    caught: { by: "types", file: "connectors/sql-columns.test.ts" }
  }
]

/** What is bounded, refused, or owned by one. */
const bounds: ReadonlyArray<Mutation> = [
  {
    name: "keys are kept without bound",
    rule: "The keys of an operator are bounded",
    file: "operator/Distinct.ts",
    find: "if (store.size >= keysMax) throw full(id, keysMax)",
    replace: "",
    caught: tested("operator/Distinct.test.ts")
  },
  {
    name: "a key has another key group",
    rule: "A key has one key group for good",
    file: "model/Key.ts",
    find: "murmur3(bytes) % Limits.keyGroups",
    replace: "(murmur3(bytes) >>> 1) % Limits.keyGroups",
    caught: tested("model/Key.test.ts")
  }
]

export const mutations: ReadonlyArray<Mutation> = [
  ...epochs,
  ...fences,
  ...stores,
  ...sources,
  ...times,
  ...sinks,
  ...bounds
]

export const mutationOf = (name: string): Mutation => {
  const found = mutations.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no mutation '${name}'`)
  return found
}
