/**
 * Entries in sessions: for each key its sessions in the order of time, none overlapping another.
 *
 * An event is the session `[t, t + gap)`; sessions that overlap are one. An event that is not late may still join
 * sessions that ended up to `gap` before the limit, so a session closes at `windowEnd + gap + allowedLateness`. An event
 * that could join a session that has been forgotten is late.
 */
import type { Key } from "../model/Key.ts"
import { DueEntries } from "./DueEntries.ts"
import { hashOfKey, type Keyed, KeyTable } from "./KeyTable.ts"
import type { WindowEntry } from "./WindowEntry.ts"
import type { WindowIndex, WindowState } from "./WindowState.ts"

/** The sessions of one key. */
interface Sessions extends Keyed {
  readonly inOrder: Array<WindowEntry>
}

export const make = (
  state: WindowState,
  options: { readonly gapMillis: number; readonly allowedLatenessMillis: number }
): WindowIndex => {
  const { gapMillis, allowedLatenessMillis } = options
  const closesAfterMillis = gapMillis + allowedLatenessMillis
  const byKey = new KeyTable<Sessions>()
  // Sessions are looked at when they would end if they had not grown.
  const due = new DueEntries<WindowEntry>(Math.max(1, Math.floor(gapMillis / 64)))

  const drop = (entry: WindowEntry): void => {
    due.remove(entry)
    const sessions = byKey.find(entry.hash, entry.key)?.inOrder
    const at = sessions?.indexOf(entry) ?? -1
    if (at < 0) return
    sessions!.splice(at, 1)
    if (sessions!.length === 0) byKey.remove(entry.hash, entry.key)
  }
  /** The sessions of a key; an empty list that is kept, if there are none. */
  const sessionsOf = (hash: number, key: Key): Array<WindowEntry> => {
    const known = byKey.find(hash, key)
    if (known !== undefined) return known.inOrder
    const sessions: Sessions = { key: key.slice(), hash, inOrder: [] }
    byKey.add(sessions)
    return sessions.inOrder
  }
  const begin = (hash: number, start: number, end: number): WindowEntry => {
    const entry = state.make(hash, start, end)
    due.put(entry, end)
    return entry
  }
  /** The session that begins first stays if it begins before the event; else a new one takes all over. */
  const join = (sessions: Array<WindowEntry>, from: number, to: number, eventTime: number, event: never): void => {
    const first = sessions[from]!
    const stays = first.start <= eventTime
    const target = stays ? first : begin(first.hash, eventTime, eventTime + gapMillis)
    if (stays) state.touch(target)
    for (let i = stays ? from + 1 : from; i < to; i++) {
      due.remove(sessions[i]!)
      state.absorb(target, sessions[i]!)
    }
    if (target.end < eventTime + gapMillis) target.end = eventTime + gapMillis
    if (!stays || to - from > 1) sessions.splice(from, to - from, target)
    state.add(target, event)
  }

  return {
    closesAfterMillis,
    add: (event, eventTime, limit) => {
      const end = eventTime + gapMillis
      if (end + allowedLatenessMillis <= limit || eventTime < state.forgottenUntil) return false
      const hash = state.keys.read(event)
      const sessions = sessionsOf(hash, state.keys.columns)
      const from = firstAfter(sessions, eventTime)
      let to = from
      while (to < sessions.length && sessions[to]!.start < end) if (sessions[to++]!.closed) return false
      if (from < to) {
        join(sessions, from, to, eventTime, event)
        return true
      }
      const entry = begin(hash, eventTime, end)
      sessions.splice(from, 0, entry)
      state.add(entry, event)
      return true
    },
    close: (watermark) => {
      const closing: Array<WindowEntry> = []
      const limit = watermark - closesAfterMillis
      for (const entry of due.takeUntil(limit)) {
        if (entry.end > limit) {
          due.put(entry, entry.end)
          continue
        }
        drop(entry)
        closing.push(entry)
      }
      return closing
    },
    find: (key, start) => byKey.find(hashOfKey(key), key)?.inOrder.find((entry) => entry.start === start),
    insert: (entry) => {
      const sessions = sessionsOf(entry.hash, entry.key)
      if (sessions.includes(entry)) return
      // While deltas are read, ends are not yet in order: only starts tell the place.
      const at = sessions.findIndex((session) => session.start > entry.start)
      sessions.splice(at < 0 ? sessions.length : at, 0, entry)
      due.put(entry, entry.end)
    },
    forget: drop,
    open: () => state.store.size,
    first: (count) =>
      due.firstOf(count).map(({ end, start }) => ({ start, end, closesAt: end + closesAfterMillis, rows: 1 }))
  }
}

/** Index of the first session that ends after `time`. */
const firstAfter = (sessions: ReadonlyArray<WindowEntry>, time: number): number => {
  let from = 0
  let to = sessions.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (sessions[middle]!.end > time) to = middle
    else from = middle + 1
  }
  return from
}
