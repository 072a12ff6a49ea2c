/** Numbers, dates and durations as people read them, in the locale of the browser. */

export const locale = typeof navigator === 'undefined' ? 'en' : navigator.language

const exactFormat = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 })
const shortFormat = new Intl.NumberFormat(locale, { notation: 'compact', maximumSignificantDigits: 3 })
const percentFormat = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1, signDisplay: 'exceptZero' })

/** 1,622,149 */
export function exact(value: number): string {
  return exactFormat.format(value)
}

/** A sentence of the program, its numbers written as this page writes numbers: years, dates and ports stay. */
export function withSeparators(sentence: string): string {
  return sentence.replace(/(?<![\w.:-])(?!(?:19|20)\d\d\b)\d{4,}(?![\w:-]|\.\d)/g, number => exact(Number(number)))
}

/** 1.62M; below ten thousand exact to three digits. */
export function short(value: number): string {
  return Math.abs(value) < 10_000 ? new Intl.NumberFormat(locale, { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 }).format(value) : shortFormat.format(value)
}

/** +4.2% from one value to another; `null` where there is nothing to compare with. */
export function change(before: number | null | undefined, now: number | null | undefined): string | null {
  if (before === null || before === undefined || now === null || now === undefined || before === 0) return null
  return percentFormat.format(now / before - 1)
}

/** 3 s, 12 min, 5 h, 2 d. */
export function duration(seconds: number): string {
  if (seconds < 1) return '< 1 s'
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${exact(Math.round(seconds / 86400))} d`
}

/** 269 MB. */
export function bytes(count: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)))
  return new Intl.NumberFormat(locale, { style: 'unit', unit: units[power]!, unitDisplay: 'short', maximumSignificantDigits: 3 }).format(count / 1000 ** power)
}

const wallFormats = new Map<string, Intl.DateTimeFormat>()

function wallText(wall: number, name: string, options: Intl.DateTimeFormatOptions): string {
  let format = wallFormats.get(name)
  if (format === undefined) wallFormats.set(name, (format = new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' })))
  return format.format(wall)
}

/** Sat 4 Feb */
export function dayText(wall: number): string {
  return wallText(wall, 'day', { weekday: 'short', day: 'numeric', month: 'short' })
}

/** Sat, 4 Feb 2023 */
export function dayYearText(wall: number): string {
  return wallText(wall, 'year', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' })
}

/** Feb 2023 */
export function monthText(wall: number): string {
  return wallText(wall, 'month', { month: 'short', year: 'numeric' })
}

/** 14:00 */
export function clockText(wall: number): string {
  return wallText(wall, 'clock', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
}

/** Sat, 4 Feb 2023, 14:00; without the clock at midnight if `dates`. */
export function wallClockText(wall: number, dates = false): string {
  return dates && wall % 86400e3 === 0 ? dayYearText(wall) : `${dayYearText(wall)} ${clockText(wall)}`
}

/** 3 to 12 Feb 2023: days of a range whose end is not included. */
export function rangeText(from: number, to: number): string {
  const whole = from % 86400e3 === 0 && to % 86400e3 === 0
  if (!whole) return `${wallClockText(from)} to ${wallClockText(to)}`
  if (to - from === 86400e3) return dayYearText(from)
  return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' }).formatRange(from, to - 1)
}

/** A name of a column as a label: `characters_mean` is `mean characters`. */
export function columnLabel(name: string): string {
  const words = name.split('_')
  const last = words.at(-1)!
  if (words.length > 1 && ['mean', 'min', 'max', 'median', 'sum'].includes(last)) return [{ min: 'least', max: 'most', sum: 'all' }[last] ?? last, ...words.slice(0, -1)].join(' ')
  return words.join(' ')
}
