/**
 * Versions of lookups in a database: the rows of one, as bytes, in as many parts as statements can carry.
 *
 * A version is named by a digest of its rows, so a second write of it writes the same.
 */
import { Effect } from "effect"
import type { Statement } from "../flow/Tables.ts"
import { crc32 } from "../model/Crc32.ts"
import type { Fenced } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { Claim, LookupPlace, LookupRows, StoreError } from "./CheckpointStore.ts"
import { lookupCorrupted, lookupsNamed, overtaken, unsealIntent, unsealManifest } from "./Encoding.ts"
import { jobRow, manifestRows, type Place, sealedRow } from "./SqlCheckpointQueries.ts"
import { lookupColumns, lookupKey } from "./SqlCheckpointTables.ts"
import { one } from "./SqlText.ts"

export const write = (
  place: Place,
  owner: Claim,
  rows: LookupRows,
  inUse: ReadonlyArray<LookupPlace>
): Effect.Effect<void, StoreError | Fenced> =>
  Effect.gen(function* () {
    const { say, tables } = place
    const removals = yield* collection(place, owner, [...inUse, rows])
    const owned = one(say`update weir_job set generation = ${owner.generation} where job = ${owner.job}
      and lineage = ${owner.lineage} and generation = ${owner.generation}`)
    yield* tables
      .transaction([owned, ...insertions(place, owner, rows), ...removals])
      .pipe(
        Effect.catchTag("RowsUnexpected", () =>
          Effect.flatMap(jobRow(place, owner.job), (found) => Effect.fail(overtaken(owner, found)))
        )
      )
  })

export const read = (place: Place, owner: Claim, of: LookupPlace): Effect.Effect<Uint8Array, StoreError> =>
  Effect.gen(function* () {
    const rows = yield* place.tables.query(
      place.say`select part, parts, bytes, checksum from weir_lookup where job = ${owner.job}
        and lineage = ${owner.lineage} and lookup = ${of.lookup} and version = ${of.version} order by part`
    )
    if (rows.length === 0) return yield* Effect.fail(lookupCorrupted(owner, of, "is missing"))
    if (rows.length !== Number(rows[0]!.parts))
      return yield* Effect.fail(lookupCorrupted(owner, of, "has lost a part of its rows"))
    const parts = rows.map((row) => row.bytes as Uint8Array)
    if (rows.some((row, i) => crc32(parts[i]!) !== Number(row.checksum)))
      return yield* Effect.fail(lookupCorrupted(owner, of, "is not what was written"))
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      bytes.set(part, at)
      at += part.length
    }
    return bytes
  })

const insertions = (place: Place, owner: Claim, rows: LookupRows): ReadonlyArray<Statement> => {
  const count = Math.max(1, Math.ceil(rows.bytes.length / Limits.lookupPartBytes))
  return Array.from({ length: count }, (_, part) => part).flatMap((part) => {
    const bytes = rows.bytes.slice(part * Limits.lookupPartBytes, (part + 1) * Limits.lookupPartBytes)
    return place.tables.dialect.upsert(
      "weir_lookup",
      lookupColumns,
      [...lookupKey.map((column) => column.name), "part"],
      [[owner.job], [owner.lineage], [rows.lookup], [rows.version], [part], [count], [bytes], [crc32(bytes)]]
    )
  })
}

/** Removes the versions that nothing names. Where a manifest or an intent cannot be read, nobody knows what it names. */
const collection = (
  place: Place,
  owner: Claim,
  inUse: ReadonlyArray<LookupPlace>
): Effect.Effect<ReadonlyArray<Statement>, StoreError> =>
  Effect.gen(function* () {
    const { say, tables } = place
    const stored = yield* tables.query(
      say`select lookup, version from weir_lookup where job = ${owner.job} and lineage = ${owner.lineage} and part = ${0}`
    )
    if (stored.length === 0) return []
    const manifests = (yield* manifestRows(place, owner.job, owner.lineage)).map(unsealManifest)
    const intents = (yield* tables.query(
      say`select epoch, body, checksum from weir_intent where job = ${owner.job} and lineage = ${owner.lineage}`
    )).map((row) => unsealIntent(sealedRow(row)))
    const naming = [...manifests, ...intents]
    if (naming.includes(null)) return []
    const kept = new Set([...inUse, ...lookupsNamed(naming)].map(({ lookup, version }) => `${version} ${lookup}`))
    const dead = stored.filter((row) => !kept.has(`${row.version} ${row.lookup}`))
    if (dead.length === 0) return []
    return tables.dialect.remove("weir_lookup", lookupKey, [
      dead.map(() => owner.job),
      dead.map(() => owner.lineage),
      dead.map((row) => String(row.lookup)),
      dead.map((row) => String(row.version))
    ])
  })
