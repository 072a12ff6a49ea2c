/** The thin bar above everything: tabs, freshness, live or paused, theme, link. */
import { useEffect, useState } from 'preact/hooks'

import { duration, wallClockText } from './numbers'
import { change, live, paused, range, said, state, tabAddress } from './page'
import { formatState } from './state'
import { wallOf } from './zone'

export const TABS = [
  ['overview', 'Overview'], ['people', 'People & servers'], ['conversation', 'Conversation'], ['posts', 'Posts'], ['sql', 'SQL'], ['collector', 'Collector'],
] as const

export function Bar() {
  const now = state.value
  return (
    <header class="bar">
      <h1>fedilake</h1>
      <nav aria-label="Tabs">
        {TABS.map(([name, label]) => (
          <a href={tabAddress(name)} aria-current={now.tab === name ? 'page' : undefined} onClick={event => {
            if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return
            event.preventDefault()
            change({ tab: name, full: null, query: name === 'sql' ? now.query : null })
          }}>{label}</a>
        ))}
      </nav>
      <div class="status">
        <Freshness />
        <button type="button" aria-pressed={paused.value} title={paused.value ? 'Follow the lake again' : 'Keep what is shown'} onClick={() => (paused.value = !paused.value)}>{paused.value ? 'Paused' : 'Live'}</button>
        <Theme />
        <Share />
      </div>
    </header>
  )
}

function Freshness() {
  const [, tick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => tick(count => count + 1), 1000)
    return () => clearInterval(timer)
  }, [])
  const { newest, connected, snapshot, behind } = live.value
  if (!connected) return <span class="fresh away" role="status">{snapshot === null ? 'Connecting' : 'fedilake does not answer; trying again'}</span>
  if (newest === null) return <span class="fresh">No posts yet</span>
  const exactly = `${wallClockText(wallOf(newest, state.value.timezone))} ${state.value.timezone}${behind === null ? '' : `; the lake is ${duration(behind)} behind`}`
  return <span class={`fresh${paused.value ? ' paused' : ''}`} title={exactly}>newest post {duration(Math.max(0, (Date.now() - newest) / 1000))} ago</span>
}

const THEMES = ['system', 'light', 'dark'] as const
type ThemeName = (typeof THEMES)[number]

export function applyTheme(): void {
  const theme = localStorage.getItem('theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  else delete document.documentElement.dataset.theme
}

function Theme() {
  const [theme, setTheme] = useState<ThemeName>((localStorage.getItem('theme') as ThemeName | null) ?? 'system')
  return (
    <label><span class="unseen">Theme</span>
      <select value={theme} onChange={event => {
        const next = event.currentTarget.value as ThemeName
        localStorage.setItem('theme', next)
        applyTheme()
        setTheme(next)
      }}>{THEMES.map(name => <option value={name}>{name}</option>)}</select>
    </label>
  )
}

/** Copies the address with absolute times, so that the link shows the same tomorrow. */
function Share() {
  const [done, setDone] = useState(false)
  return (
    <button type="button" title="Copies a link to exactly this, with absolute times" onClick={async () => {
      const query = formatState({ ...state.value, ...range.value, last: null })
      await navigator.clipboard.writeText(`${location.origin}${location.pathname}${query === '' ? '' : `?${query}`}`)
      said.value = 'The link is copied.'
      setDone(true)
      setTimeout(() => setDone(false), 1500)
    }}>{done ? 'Copied' : 'Share'}</button>
  )
}

