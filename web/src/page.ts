/** The page's own state as signals: the address, the catalogue, and what the live connection told. */
import { computed, effect, signal } from '@preact/signals'

import * as api from './api'
import { emptyState, formatState, parseState, rangeOf, type State } from './state'

export const state = signal<State>(parseState(location.search))
export const catalogue = signal<api.Report[] | null>(null)
export const catalogueProblem = signal<api.Problem | null>(null)

export interface Live {
  snapshot: string | null
  posts: number | null
  newest: number | null
  behind: number | null
  /** When the last event came. */
  at: number | null
  connected: boolean
}
export const live = signal<Live>({ snapshot: null, posts: null, newest: null, behind: null, at: null, connected: false })
export const paused = signal(false)
/** Text that screen readers say. */
export const said = signal('')

/** The range of the state; a moving window moves with the newest post, unless the page is paused. */
export const range = computed(() => rangeOf(state.value, state.value.last === null ? null : live.value.newest))

/** Goes to a state: a new entry of the browser's history, or in the place of the present one. */
export function go(next: State, how: 'push' | 'replace' = 'push'): void {
  const query = formatState(next)
  if (query !== formatState(state.value)) history[how === 'push' ? 'pushState' : 'replaceState'](null, '', query === '' ? location.pathname : `?${query}`)
  state.value = next
}

export function change(part: Partial<State>, how: 'push' | 'replace' = 'push'): void {
  go({ ...state.value, ...part }, how)
}

/** The address of another tab in the present state. */
export function tabAddress(tab: string): string {
  return `?${formatState({ ...state.value, tab, full: null, query: null })}`
}

export async function readCatalogue(): Promise<void> {
  try {
    catalogue.value = await api.reports()
    catalogueProblem.value = null
  } catch (error) {
    catalogueProblem.value = error instanceof api.Refusal ? error.problem : { message: String(error) }
    setTimeout(readCatalogue, 2000)
  }
}

/**
 * Follows the lake over one connection. A paused page keeps the snapshot at which it was paused. A hidden page has no
 * connection: browsers open six to a server, and each tab would take one for good.
 */
export function followLake(): void {
  let waiting: Live | null = null
  let events: EventSource | null = null
  let later: ReturnType<typeof setTimeout> | undefined
  const take = (next: Live) => {
    if (paused.value) waiting = next
    else live.value = next
  }
  const open = () => {
    clearTimeout(later)
    const own = (events = api.liveEvents())
    own.addEventListener('snapshot', event => {
      const said = JSON.parse((event as MessageEvent<string>).data) as { snapshot: string; posts: number; newest: string | null; behind_seconds: number | null }
      take({ snapshot: String(said.snapshot), posts: said.posts, newest: said.newest === null ? null : Date.parse(said.newest), behind: said.behind_seconds, at: Date.now(), connected: true })
    })
    own.addEventListener('open', () => (live.value = { ...live.value, connected: true }))
    own.addEventListener('error', () => {
      live.value = { ...live.value, connected: false }
      // The browser reconnects by itself, except after an answer that was no stream.
      if (own.readyState === EventSource.CLOSED && own === events) later = setTimeout(open, 2000)
    })
  }
  const close = () => {
    clearTimeout(later)
    events?.close()
    events = null
  }
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) close()
    else if (events === null) open()
  })
  // A page that the browser keeps for going back must not hold its connection either.
  addEventListener('pagehide', close)
  addEventListener('pageshow', () => {
    if (events === null && !document.hidden) open()
  })
  effect(() => {
    if (!paused.value && waiting !== null) {
      live.value = waiting
      waiting = null
    }
  })
  if (!document.hidden) open()
}

addEventListener('popstate', () => (state.value = parseState(location.search)))

export { emptyState }
