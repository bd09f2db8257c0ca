/** Entries in windows whose places are fixed: a Map for each window, dropped whole when it closes. */
import * as Calendars from "./Calendar.ts"
import type { MapKey } from "./KeyReader.ts"
import type { WindowEntry } from "./WindowEntry.ts"
import type { WindowIndex, WindowState } from "./WindowState.ts"

type Entries = Map<MapKey, WindowEntry>

/** Windows of `sizeMillis`, one begun each `everyMillis`; tumbling ones begin one where the last ends. */
export const make = (
  state: WindowState,
  options: { readonly sizeMillis: number; readonly everyMillis: number; readonly allowedLatenessMillis: number }
): WindowIndex => {
  const { sizeMillis, everyMillis, allowedLatenessMillis } = options
  const closesAfterStart = sizeMillis + allowedLatenessMillis
  const windows = new Calendars.Calendar<Entries>()
  // Most events fall into the window of the event before them.
  let lastStart = Number.NaN
  let last: Entries = new Map()

  const entriesAt = (start: number): Entries => {
    if (start === lastStart) return last
    let entries = windows.get(start)
    if (entries === undefined) {
      entries = new Map()
      windows.put(start, entries)
    }
    lastStart = start
    last = entries
    return entries
  }

  return {
    closesAfterMillis: allowedLatenessMillis,
    add: (event, eventTime, limit) => {
      let start = eventTime - (((eventTime % everyMillis) + everyMillis) % everyMillis) + 0
      if (start + closesAfterStart <= limit) return false
      const mapKey = state.keys.mapKeyOf(event)
      let counted = false
      for (; start > eventTime - sizeMillis && start + closesAfterStart > limit; start -= everyMillis) {
        const entries = entriesAt(start)
        let entry = entries.get(mapKey)
        if (entry === undefined) {
          entry = state.make(state.keys.keyOf(event), start, start + sizeMillis)
          entries.set(mapKey, entry)
        }
        if (entry.closed) continue
        state.add(entry, event)
        counted = true
      }
      return counted
    },
    close: (watermark) => {
      const closing: Array<WindowEntry> = []
      for (const entries of windows.takeUntil(watermark - closesAfterStart)) {
        for (const entry of entries.values()) closing.push(entry)
      }
      lastStart = Number.NaN
      return closing
    },
    find: (key, start) => windows.get(start)?.get(state.keys.mapKeyFrom(key)),
    insert: (entry) => void entriesAt(entry.start).set(state.keys.mapKeyFrom(entry.key), entry),
    forget: (entry) => void windows.get(entry.start)?.delete(state.keys.mapKeyFrom(entry.key)),
    open: () => windows.size
  }
}
