/**
 * Wall clocks of time zones. Charts are drawn on wall-clock time: a wall clock is milliseconds since 1970 as if the
 * zone were UTC, so that scales for UTC draw it.
 */

const formats = new Map<string, Intl.DateTimeFormat>()

/** The wall clock of a zone at an instant. */
export function wallOf(instant: number, zone: string): number {
  if (zone === 'UTC') return instant
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-u-ca-iso8601-hc-h23', {
      timeZone: zone, year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
    })
    formats.set(zone, format)
  }
  const part: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(instant)) part[type] = Number(value)
  const wall = Date.UTC(part.year!, part.month! - 1, part.day!, part.hour!, part.minute!, part.second!)
  return wall + (((instant % 1000) + 1000) % 1000)
}

/** The first instant at which a zone's wall clock shows a time, or would if the clock had not been put forward. */
export function instantOf(wall: number, zone: string): number {
  if (zone === 'UTC') return wall
  // Offsets a day before and after differ only where the clock changes between them.
  const before = wallOf(wall - 86400e3, zone) - (wall - 86400e3)
  const after = wallOf(wall + 86400e3, zone) - (wall + 86400e3)
  const candidates = [wall - before, wall - after].filter(instant => wallOf(instant, zone) === wall)
  return candidates.length > 0 ? Math.min(...candidates) : wall - before
}

/** Wall clock of a text of the API: a date, a wall clock without a zone, or an instant that ends in `Z`. */
export function wallOfText(text: string, zone: string): number {
  if (/(?:Z|[+-]\d\d:?\d\d)$/.test(text)) return wallOf(Date.parse(text), zone)
  return Date.parse(`${text.length === 10 ? `${text}T00:00:00` : text.replace(' ', 'T')}Z`)
}

/** Every zone that the browser knows, UTC first. */
export function zones(): string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter(zone => zone !== 'UTC')]
}

/** The zone that the reader's computer is set to. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}
