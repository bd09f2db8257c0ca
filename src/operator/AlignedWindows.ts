/** Entries in windows whose places are fixed: a table for each window, dropped whole when it closes. */
import * as Calendars from "./Calendar.ts"
import { hashOfKey, KeyTable } from "./KeyTable.ts"
import type { WindowEntry } from "./WindowEntry.ts"
import type { WindowIndex, WindowState } from "./WindowState.ts"

type Entries = KeyTable<WindowEntry>

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
  let last: Entries = new KeyTable()

  const entriesAt = (start: number): Entries => {
    if (start === lastStart) return last
    let entries = windows.get(start)
    if (entries === undefined) {
      entries = new KeyTable()
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
      const passed = Math.max(limit - closesAfterStart, state.forgottenUntil - sizeMillis)
      if (start <= passed) return false
      const hash = state.keys.read(event)
      let counted = false
      for (; start > eventTime - sizeMillis && start > passed; start -= everyMillis) {
        const entries = entriesAt(start)
        let entry = entries.find(hash, state.keys.columns)
        if (entry === undefined) {
          entry = state.make(hash, start, start + sizeMillis)
          entries.add(entry)
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
        for (const entry of entries.all()) closing.push(entry)
      }
      for (const entry of state.recallUntil(watermark - allowedLatenessMillis)) closing.push(entry)
      lastStart = Number.NaN
      return closing
    },
    find: (key, start) => windows.get(start)?.find(hashOfKey(key), key),
    insert: (entry) => {
      const entries = entriesAt(entry.start)
      if (entries.find(entry.hash, entry.key) === undefined) entries.add(entry)
    },
    forget: (entry) => windows.get(entry.start)?.remove(entry.hash, entry.key),
    open: () => windows.size,
    first: (count) =>
      windows.first(count).map((start) => ({
        start,
        end: start + sizeMillis,
        closesAt: start + closesAfterStart,
        rows: windows.get(start)!.size
      }))
  }
}
