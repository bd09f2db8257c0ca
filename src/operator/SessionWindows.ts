/**
 * Entries in sessions: for each key its sessions in the order of time, none overlapping another.
 *
 * An event is the session `[t, t + gap)`; sessions that overlap are one. An event that is not late may still join
 * sessions that ended up to `gap` before the limit, so a session closes at `windowEnd + gap + allowedLateness`.
 */
import * as Calendars from "./Calendar.ts"
import type { MapKey } from "./KeyReader.ts"
import type { WindowEntry } from "./WindowEntry.ts"
import type { WindowIndex, WindowState } from "./WindowState.ts"

export const make = (
  state: WindowState,
  options: { readonly gapMillis: number; readonly allowedLatenessMillis: number }
): WindowIndex => {
  const { gapMillis, allowedLatenessMillis } = options
  const closesAfterMillis = gapMillis + allowedLatenessMillis
  const sessionsOf = new Map<MapKey, Array<WindowEntry>>()
  // Sessions are looked at when they would end if they had not grown; a slot of time for many keeps the calendar small.
  const slotMillis = Math.max(1, Math.floor(gapMillis / 64))
  const calendar = new Calendars.Calendar<Array<WindowEntry>>()

  const enlist = (entry: WindowEntry): void => {
    const slot = Math.floor(entry.end / slotMillis) * slotMillis
    const entries = calendar.get(slot)
    if (entries === undefined) calendar.put(slot, [entry])
    else entries.push(entry)
  }
  const drop = (entry: WindowEntry): void => {
    const mapKey = state.keys.mapKeyFrom(entry.key)
    const sessions = sessionsOf.get(mapKey)
    const at = sessions?.indexOf(entry) ?? -1
    if (at < 0) return
    if (sessions!.length === 1) sessionsOf.delete(mapKey)
    else sessions!.splice(at, 1)
  }
  const begin = (event: never, start: number, end: number): WindowEntry => {
    const entry = state.make(state.keys.keyOf(event), start, end)
    enlist(entry)
    return entry
  }
  /** The session that begins first stays if it begins before the event; else a new one takes all over. */
  const join = (sessions: Array<WindowEntry>, from: number, to: number, eventTime: number, event: never): void => {
    const first = sessions[from]!
    const stays = first.start <= eventTime
    const target = stays ? first : begin(event, eventTime, eventTime + gapMillis)
    if (stays) state.touch(target)
    for (let i = stays ? from + 1 : from; i < to; i++) state.absorb(target, sessions[i]!)
    if (target.end < eventTime + gapMillis) target.end = eventTime + gapMillis
    if (!stays || to - from > 1) sessions.splice(from, to - from, target)
    state.add(target, event)
  }

  return {
    closesAfterMillis,
    add: (event, eventTime, limit) => {
      const end = eventTime + gapMillis
      if (end + allowedLatenessMillis <= limit) return false
      const mapKey = state.keys.mapKeyOf(event)
      let sessions = sessionsOf.get(mapKey)
      if (sessions === undefined) {
        sessions = []
        sessionsOf.set(mapKey, sessions)
      }
      const from = firstAfter(sessions, eventTime)
      let to = from
      while (to < sessions.length && sessions[to]!.start < end) if (sessions[to++]!.closed) return false
      if (from < to) {
        join(sessions, from, to, eventTime, event)
        return true
      }
      const entry = begin(event, eventTime, end)
      sessions.splice(from, 0, entry)
      state.add(entry, event)
      return true
    },
    close: (watermark) => {
      const closing: Array<WindowEntry> = []
      const limit = watermark - closesAfterMillis
      for (const entry of calendar.takeUntil(limit).flat()) {
        if (entry.slot < 0) continue
        if (entry.end > limit) {
          enlist(entry)
          continue
        }
        drop(entry)
        closing.push(entry)
      }
      return closing
    },
    find: (key, start) => sessionsOf.get(state.keys.mapKeyFrom(key))?.find((entry) => entry.start === start),
    insert: (entry) => {
      const mapKey = state.keys.mapKeyFrom(entry.key)
      const sessions = sessionsOf.get(mapKey) ?? []
      sessionsOf.set(mapKey, sessions)
      if (sessions.includes(entry)) return
      // While deltas are read, ends are not yet in order: only starts tell the place.
      const at = sessions.findIndex((session) => session.start > entry.start)
      sessions.splice(at < 0 ? sessions.length : at, 0, entry)
      enlist(entry)
    },
    forget: drop,
    open: () => state.store.size
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
