/**
 * The lookups of one life of a job: loads them beside the flow, stores what is new, and hands steps the versions.
 *
 *     due ─► load ─► digest ─► store ─► waits ─► in force from the next barrier on
 *
 * - **Loads** each lookup that has no version yet, and a refreshed one at every start: before anything flows
 * - **Keeps** in memory the versions that an open epoch may still see
 * - **Keeps in force** the version before, where a refresh fails: it warns, and tries again, more and more patiently
 */
import { Cause, Clock, Effect, type Scope } from "effect"
import type { CheckpointStoreService, Claim, LookupPlace } from "../checkpoint/CheckpointStore.ts"
import type { LookupHandle } from "../checkpoint/Coordinator.ts"
import type { AnyLookup, Loaded } from "../flow/Lookup.ts"
import * as Lookup from "../flow/Lookup.ts"
import { patiently } from "../flow/Patience.ts"
import { Defect, type Explained, SourceUnavailable } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { LookupVersions } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"
import type { LookupTable, LookupTables } from "../operator/LookupTable.ts"
import * as LookupRows from "./LookupRows.ts"

/** What is known of a lookup while the job runs. */
export interface LookupFigures {
  readonly lookup: string
  /** In force for the epoch that is open. */
  readonly version: string
  readonly rows: number
  /** Loads that ended well since the life began, whether something had changed or not. */
  readonly loads: number
  readonly failures: number
  /** Why the last load failed; `null`: it did not. */
  readonly reason: string | null
  readonly loadedAt: Millis | null
}

export interface Lookups extends LookupHandle {
  readonly tables: LookupTables
  readonly figures: () => ReadonlyArray<LookupFigures>
}

export interface Options {
  readonly lookups: ReadonlyArray<AnyLookup>
  readonly store: CheckpointStoreService
  readonly claim: Claim
}

export type LookupsError = Explained & Error

/** Loads, or reads back, every version that is needed first. Loading needs what the job needs. */
export const open = ({ claim, lookups, store }: Options): Effect.Effect<Lookups, LookupsError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const shelf = new Shelf()
    const loader = yield* loaderOf(store, claim, shelf)
    const entries = yield* Effect.forEach(lookups, (lookup) => firstOf(lookup, lastNamed(claim, lookup), loader))
    const pending = claim.manifest === null ? claim.intents.slice(1) : claim.intents
    for (const seen of pending)
      for (const lookup of lookups) {
        const version = seen.lookups?.[lookup.name]
        if (version !== undefined) yield* loader.readBack(lookup, version)
      }
    const start = versionsOf(entries)
    const first: LookupVersions = { ...start, ...pending[0]?.lookups }
    return {
      marks: lookups.map((lookup) => ({ lookup: lookup.name, fingerprint: Lookup.fingerprintOf(lookup) })),
      start,
      isWaiting: () => entries.some((entry) => entry.waiting !== null),
      take: () => {
        for (const entry of entries) {
          entry.version = entry.waiting ?? entry.version
          entry.waiting = null
        }
        const versions = versionsOf(entries)
        shelf.keep(versions)
        return versions
      },
      refresh: (now) =>
        Effect.forEach(
          entries.filter((entry) => !entry.isLoading && now >= entry.dueAt),
          (entry) => {
            entry.isLoading = true
            return Effect.forkIn(reload(entry, loader), scope)
          },
          { discard: true }
        ),
      tables: {
        first: (lookup) => shelf.table({ lookup, version: first[lookup]! }),
        of: (lookup, version) => shelf.table({ lookup, version })
      },
      figures: () => entries.map((entry) => figuresOf(entry, shelf))
    }
  })

// What is known of each

interface Entry {
  readonly lookup: AnyLookup
  /** In force for the open epoch. */
  version: string
  /** Durable, and in force from the next barrier on. */
  waiting: string | null
  /** When it is loaded again; infinity for a fixed one. */
  dueAt: Millis
  isLoading: boolean
  loads: number
  failures: number
  failuresInRow: number
  reason: string | null
  loadedAt: Millis | null
}

/** The version that the last intent, or else the manifest, names. */
const lastNamed = ({ intents, manifest }: Claim, { name }: AnyLookup): string | null =>
  [manifest, ...intents].reduce<string | null>((last, one) => one?.lookups?.[name] ?? last, null)

/** A fixed lookup has the version of its lineage; every other is loaded, if it can be. */
const firstOf = (lookup: AnyLookup, last: string | null, loader: Loader): Effect.Effect<Entry, LookupsError> =>
  Effect.gen(function* () {
    const entry: Entry = {
      lookup,
      version: last ?? "",
      waiting: null,
      dueAt: Number.POSITIVE_INFINITY,
      isLoading: false,
      loads: 0,
      failures: 0,
      failuresInRow: 0,
      reason: null,
      loadedAt: null
    }
    if (last === null) yield* loaded(entry, yield* loader.load(lookup))
    else if (lookup.policy === "refreshed") yield* reload(entry, loader)
    entry.version = entry.waiting ?? entry.version
    entry.waiting = null
    yield* loader.readBack(lookup, entry.version)
    return entry
  })

const reload = (entry: Entry, loader: Loader): Effect.Effect<void> =>
  loader.load(entry.lookup).pipe(
    Effect.flatMap((version) => loaded(entry, version)),
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause) ? Effect.failCause(cause as Cause.Cause<never>) : failed(entry, cause)
    ),
    Effect.ensuring(
      Effect.sync(() => {
        entry.isLoading = false
      })
    )
  )

const loaded = (entry: Entry, version: string): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    // What is in force already need not wait, even if something else has waited meanwhile.
    entry.waiting = version === entry.version ? null : version
    entry.dueAt = now + (entry.lookup.everyMillis ?? Number.POSITIVE_INFINITY)
    entry.loads++
    entry.failuresInRow = 0
    entry.reason = null
    entry.loadedAt = now
  })

const failed = (entry: Entry, cause: Cause.Cause<LookupsError>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const error = Cause.squash(cause)
    const now = yield* Clock.currentTimeMillis
    const wait = Math.min(Limits.lookupBackoffMillis * 2 ** entry.failuresInRow, Limits.lookupBackoffMillisMax)
    entry.dueAt = now + wait
    entry.failures++
    entry.failuresInRow++
    entry.reason = error instanceof Error ? error.message : String(error)
    yield* Effect.logWarning(
      `Lookup ${entry.lookup.name} cannot be refreshed, the version before stays in force: ${entry.reason}`
    )
  })

const versionsOf = (entries: ReadonlyArray<Entry>): LookupVersions =>
  Object.fromEntries(entries.map(({ lookup, version }) => [lookup.name, version]))

const figuresOf = (entry: Entry, shelf: Shelf): LookupFigures => {
  const { failures, loadedAt, loads, lookup, reason, version } = entry
  const { size } = shelf.table({ lookup: lookup.name, version })
  return { lookup: lookup.name, version, rows: size, loads, failures, reason, loadedAt }
}

// Loading

interface Loader {
  /** Answers the version of the rows as they are now: durable, and at hand. */
  readonly load: (lookup: AnyLookup) => Effect.Effect<string, LookupsError>
  /** Puts a version at hand that was stored before. */
  readonly readBack: (lookup: AnyLookup, version: string) => Effect.Effect<void, LookupsError>
}

const loaderOf = (store: CheckpointStoreService, claim: Claim, shelf: Shelf): Effect.Effect<Loader> =>
  Effect.gen(function* () {
    const environment = yield* Effect.context<never>()
    // What one load has stored is at hand before another one is stored, which removes what is not in use.
    const turn = yield* Effect.makeSemaphore(1)
    const keep = (lookup: AnyLookup, { bytes, version }: LookupRows.Encoded): Effect.Effect<string, LookupsError> =>
      Effect.gen(function* () {
        const place = { lookup: lookup.name, version }
        if (shelf.has(place)) return version
        const table = yield* LookupRows.decode(lookup, version, bytes)
        yield* patiently(store.writeLookup(claim, { ...place, bytes }, shelf.places()))
        shelf.add(place, table)
        return version
      })
    return {
      load: (lookup) =>
        (lookup.load as Effect.Effect<Loaded<unknown>, LookupsError>).pipe(
          Effect.provide(environment),
          Effect.timeoutFail({ duration: Limits.lookupMillisMax, onTimeout: () => tooSlow(lookup) }),
          Effect.flatMap((rows) => LookupRows.encode(lookup, rows)),
          Effect.flatMap((encoded) => turn.withPermits(1)(keep(lookup, encoded)))
        ),
      readBack: (lookup, version) =>
        Effect.gen(function* () {
          const place = { lookup: lookup.name, version }
          if (shelf.has(place)) return
          const bytes = yield* patiently(store.readLookup(claim, place))
          shelf.add(place, yield* LookupRows.decode(lookup, version, bytes))
        })
    }
  })

const tooSlow = (lookup: AnyLookup): SourceUnavailable =>
  new SourceUnavailable({
    source: lookup.name,
    message: `Lookup ${lookup.name} was not loaded within ${Limits.lookupMillisMax} milliseconds`,
    hint: "See why what it is loaded from answers so slowly, or look up fewer rows."
  })

/** The versions at hand: those that an open epoch may see, or a next one. */
class Shelf {
  readonly #tables = new Map<string, { readonly place: LookupPlace; readonly table: LookupTable }>()
  /** Of each lookup the version that was loaded last: it may wait for its barrier. */
  readonly #newest = new Map<string, string>()
  /** Of the last barriers, the newest last. */
  #recent: ReadonlyArray<ReadonlySet<string>> = []

  has(place: LookupPlace): boolean {
    return this.#tables.has(keyOf(place))
  }

  add(place: LookupPlace, table: LookupTable): void {
    this.#tables.set(keyOf(place), { place, table })
    this.#newest.set(place.lookup, keyOf(place))
  }

  places(): ReadonlyArray<LookupPlace> {
    return [...this.#tables.values()].map(({ place }) => place)
  }

  table(place: LookupPlace): LookupTable {
    const found = this.#tables.get(keyOf(place))
    if (found !== undefined) return found.table
    const { lookup, version } = place
    throw new Defect({ message: `Version ${version} of lookup ${lookup} is not at hand`, hint: "Report it." })
  }

  /** Drops what no barrier that a step has yet to see can name. */
  keep(versions: LookupVersions): void {
    const now = new Set(Object.entries(versions).map(([lookup, version]) => keyOf({ lookup, version })))
    this.#recent = [...this.#recent, now].slice(-barriersMax)
    if (this.#recent.length < barriersMax) return
    const kept = new Set([...this.#newest.values(), ...this.#recent.flatMap((versions) => [...versions])])
    for (const key of this.#tables.keys()) if (!kept.has(key)) this.#tables.delete(key)
  }
}

/** Those of the epochs in flight, of the one that is open, and of the next. */
const barriersMax = Limits.epochsInFlight + 2

const keyOf = ({ lookup, version }: LookupPlace): string => `${version} ${lookup}`
