/** Spans of time in which a server was not read. */
import type { Gap } from '../api'

export interface Unread {
  from: number
  to: number
}

/** The ranges of a server's gaps that nothing filled since; of a server that only counts its gaps, none are known. */
export function unreadOf(gaps: unknown, now = Date.now()): Unread[] {
  const ranges = (Array.isArray(gaps) ? gaps : []) as Gap[]
  return ranges.filter(gap => gap.filled !== true).map(gap => ({ from: Date.parse(gap.from), to: gap.to === null ? now : Date.parse(gap.to) })).filter(gap => gap.to > gap.from)
}
