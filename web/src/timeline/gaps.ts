/** Spans of time in which a server was not read. */
import type { Gap, Rows } from '../api'

export interface Unread {
  server: string
  from: number
  to: number
}

/** The gaps of a server that nothing filled since; one without an end lasts until now. */
export function unreadOf(gaps: Gap[], now = Date.now()): Omit<Unread, 'server'>[] {
  return gaps.filter(gap => gap.filled !== true).map(gap => ({ from: Date.parse(gap.from), to: gap.to === null ? now : Date.parse(gap.to) })).filter(gap => gap.to > gap.from)
}

/** The same, of the rows of the report of gaps. */
export function unreadOfRows({ columns, rows }: Rows, now = Date.now()): Unread[] {
  const [server, from, to, gap] = ['server', 'from_at', 'to_at', 'gap'].map(name => columns.findIndex(column => column.name === name)) as [number, number, number, number]
  // Moments are written in UTC.
  const instant = (value: unknown) => `${String(value).replace(/Z$/, '')}Z`
  return rows.flatMap(row => unreadOf([{ from: instant(row[from]), to: row[to] === null ? null : instant(row[to]), filled: row[gap] === 'filled' }], now).map(unread => ({ server: String(row[server]), ...unread })))
}
