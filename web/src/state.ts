/** The state of the page: everything that a reader chose. One text, the query of the page's address, holds all of it. */

import { instantOf } from './zone'

export const NAME_KEYS = ['origin', 'server', 'language', 'app', 'hashtag', 'about'] as const
export type NameKey = (typeof NAME_KEYS)[number]
/** A key that a click on a mark can set. */
export type FilterKey = NameKey | 'bot' | 'time'
export type Step = 'hour' | 'day' | 'week'
export type Names = Record<NameKey, string[]>
/** A remark at a moment of the time line. */
export interface Note {
  at: number
  text: string
}

export interface State {
  tab: string
  /** Milliseconds since 1970; included. */
  from: number | null
  /** Milliseconds since 1970; not included. */
  to: number | null
  /** A window that moves with the newest post: `1h`, `24h`, `7d`, `30d`. Excludes `from` and `to`. */
  last: string | null
  only: Names
  without: Names
  bot: 'bots' | 'people' | null
  timezone: string
  by: Step
  words: string[]
  compare: boolean
  /** The report on which the reader clicked last: it keeps what its own filter removed, as a ghost. */
  panel: string | null
  /** The report that fills the page. */
  full: string | null
  query: string | null
  search: string
  notes: Note[]
}

export const WINDOWS: Record<string, number> = { '1h': 3600e3, '24h': 86400e3, '7d': 7 * 86400e3, '30d': 30 * 86400e3 }
const STEPS: readonly string[] = ['hour', 'day', 'week']

const noNames = (): Names => ({ origin: [], server: [], language: [], app: [], hashtag: [], about: [] })

export function emptyState(): State {
  return {
    tab: 'overview', from: null, to: null, last: null, only: noNames(), without: noNames(), bot: null, timezone: 'UTC',
    by: 'hour', words: [], compare: true, panel: null, full: null, query: null, search: '', notes: [],
  }
}

/** Reads the query of an address. Values that mean nothing are left out, so that an old link still opens. */
export function parseState(query: string): State {
  const keys = new URLSearchParams(query)
  const state = emptyState()
  const text = (key: string) => keys.get(key) || null
  state.tab = text('tab') ?? 'overview'
  const zone = text('timezone')
  if (zone !== null && isTimezone(zone)) state.timezone = zone
  const last = text('last')
  if (last !== null && last in WINDOWS) state.last = last
  else {
    state.from = moment(text('from'), state.timezone)
    state.to = moment(text('to'), state.timezone)
  }
  for (const key of NAME_KEYS) {
    state.only[key] = distinct(keys.getAll(key))
    state.without[key] = distinct(keys.getAll(`not-${key}`))
  }
  const bot = text('bot')
  if (bot === 'bots' || bot === 'people') state.bot = bot
  const by = text('by')
  if (by !== null && STEPS.includes(by)) state.by = by as Step
  state.words = distinct(keys.getAll('word'))
  state.compare = text('compare') !== 'off'
  state.panel = text('panel')
  state.full = text('full')
  state.query = keys.get('q')
  state.search = text('search') ?? ''
  for (const note of keys.getAll('note')) {
    const [at, ...rest] = note.split('~')
    const when = moment(at ?? null, state.timezone)
    if (when !== null && rest.length > 0) state.notes.push({ at: when, text: rest.join('~') })
  }
  return state
}

/** The query of the address of a state, without `?`; empty for the state at the start. */
export function formatState(state: State): string {
  const keys = new URLSearchParams()
  if (state.tab !== 'overview') keys.append('tab', state.tab)
  if (state.last !== null) keys.append('last', state.last)
  appendFilter(keys, state, state.last === null ? state : { from: null, to: null })
  if (state.timezone !== 'UTC') keys.append('timezone', state.timezone)
  if (state.by !== 'hour') keys.append('by', state.by)
  for (const word of state.words) keys.append('word', word)
  if (!state.compare) keys.append('compare', 'off')
  if (state.panel !== null) keys.append('panel', state.panel)
  if (state.full !== null) keys.append('full', state.full)
  if (state.query !== null) keys.append('q', state.query)
  if (state.search !== '') keys.append('search', state.search)
  for (const note of state.notes) keys.append('note', `${instant(note.at)}~${note.text}`)
  return keys.toString()
}

export interface Range {
  from: number | null
  to: number | null
}

/** The query that asks the API about the posts of a state. */
export function askedOf(state: State, range: Range): string {
  const keys = new URLSearchParams()
  appendFilter(keys, state, range)
  keys.append('timezone', state.timezone)
  keys.append('by', state.by)
  for (const word of state.words) keys.append('word', word)
  return keys.toString()
}

function appendFilter(keys: URLSearchParams, state: State, range: Range): void {
  if (range.from !== null) keys.append('from', instant(range.from))
  if (range.to !== null) keys.append('to', instant(range.to))
  for (const key of NAME_KEYS) {
    for (const name of state.only[key]) keys.append(key, name)
    for (const name of state.without[key]) keys.append(`not-${key}`, name)
  }
  if (state.bot !== null) keys.append('bot', state.bot)
}

/** The range of a state, with a moving window placed at the newest post. */
export function rangeOf(state: State, newest: number | null): Range {
  const width = state.last === null ? undefined : WINDOWS[state.last]
  if (width === undefined) return { from: state.from, to: state.to }
  // Rounded up to the minute, so that the question stays the same for as long.
  const to = Math.ceil((newest ?? Date.now()) / 60e3) * 60e3
  return { from: to - width, to }
}

/** The range of the same width just before; `null` where the range is open. */
export function rangeBefore(range: Range): Range | null {
  if (range.from === null || range.to === null) return null
  return { from: range.from - (range.to - range.from), to: range.from }
}

/** Includes a name, or excludes it; a second time takes the choice back. */
export function toggled(state: State, key: NameKey | 'bot', name: string, exclude: boolean): State {
  if (key === 'bot') {
    const isBot = name === 'true' || name === 'bots'
    const chosen = isBot !== exclude ? 'bots' : 'people'
    return { ...state, bot: state.bot === chosen ? null : chosen }
  }
  const side = exclude ? 'without' : 'only'
  const other = exclude ? 'only' : 'without'
  const had = state[side][key].includes(name)
  return {
    ...state,
    [side]: { ...state[side], [key]: had ? remove(state[side][key], name) : [...state[side][key], name] },
    [other]: { ...state[other], [key]: remove(state[other][key], name) },
  }
}

/** The state without any filter of a key. */
export function withoutKey(state: State, key: FilterKey): State {
  if (key === 'time') return { ...state, from: null, to: null, last: null }
  if (key === 'bot') return { ...state, bot: null }
  return { ...state, only: { ...state.only, [key]: [] }, without: { ...state.without, [key]: [] } }
}

/** The state without its filter; the rest of the reader's choices stays. */
export function cleared(state: State): State {
  return { ...state, from: null, to: null, last: null, only: noNames(), without: noNames(), bot: null, panel: null, search: '' }
}

export function hasFilter(state: State): boolean {
  return state.from !== null || state.to !== null || state.last !== null || state.bot !== null || NAME_KEYS.some(key => isFiltered(state, key))
}

export function isFiltered(state: State, key: FilterKey): boolean {
  if (key === 'time') return state.from !== null || state.to !== null || state.last !== null
  if (key === 'bot') return state.bot !== null
  return state.only[key].length > 0 || state.without[key].length > 0
}

/** An instant as the API and the address write it: without seconds that are zero. */
export function instant(ms: number): string {
  return new Date(ms).toISOString().replace(/(:\d\d)?\.000Z$/, (whole, seconds: string | undefined) => (seconds === ':00' ? 'Z' : whole.replace('.000', '')))
}

/** Milliseconds since 1970 of an instant, or of the beginning of a day in a time zone. */
function moment(text: string | null, zone: string): number | null {
  if (text === null) return null
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text)
  const ms = Date.parse(isDay ? `${text}T00:00:00Z` : text)
  if (Number.isNaN(ms)) return null
  return isDay ? instantOf(ms, zone) : ms
}

export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function remove(names: string[], name: string): string[] {
  return names.filter(other => other !== name)
}

function distinct(names: string[]): string[] {
  return [...new Set(names.filter(name => name !== ''))]
}
