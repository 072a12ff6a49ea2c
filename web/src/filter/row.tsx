/** The filter as chips, the ways to add to it, and the calendar by which the page counts. */
import { useEffect, useRef, useState } from 'preact/hooks'

import { names as askNames } from '../api'
import { answerOf } from '../answers'
import { change, go, live, range, state } from '../page'
import { TIME_LINE, wholeAsked } from '../questions'
import { cleared, hasFilter, NAME_KEYS, rangeBefore, toggled, WINDOWS, type NameKey, type Step } from '../state'
import { wallOfText, ownZone, zones } from '../zone'
import { rangeText } from '../numbers'
import { WIDTH } from '../steps'
import { timeText } from './text'

export function FilterRow() {
  const now = state.value
  const time = timeText(now, range.value)
  return (
    <section class="filter" aria-label="Filter">
      <div class="chips">
        {!hasFilter(now) && <span class="soft">{allText()}</span>}
        {time !== null && <Chip label={time} text="time" remove={() => change({ from: null, to: null, last: null })} />}
        {now.last !== null && <button type="button" class="plain" title="Makes the range absolute, so that a link shows the same later" onClick={() => change({ ...range.value, last: null })}>Freeze</button>}
        {NAME_KEYS.flatMap(key => [
          ...now.only[key].map(name => <Chip key={`${key} ${name}`} text={key} label={name} flip={() => go(toggled(state.value, key, name, true))} remove={() => go(toggled(state.value, key, name, false))} />),
          ...now.without[key].map(name => <Chip key={`not ${key} ${name}`} text={key} label={name} excluded flip={() => go(toggled(state.value, key, name, false))} remove={() => go(toggled(state.value, key, name, true))} />),
        ])}
        {now.bot !== null && <Chip text="only" label={now.bot} flip={() => change({ bot: now.bot === 'bots' ? 'people' : 'bots' })} remove={() => change({ bot: null })} />}
        {hasFilter(now) && <button type="button" class="plain" onClick={() => go(cleared(now))}>Clear <kbd>Esc</kbd></button>}
      </div>
      <div class="choices">
        <AddFilter />
        <Words />
      </div>
    </section>
  )
}

/** The calendar by which the page counts: range, step and time zone, and whether figures are compared. */
export function Calendar() {
  const now = state.value
  return (
    <section class="calendar" aria-label="Calendar">
      <div class="choices">
        <label><span class="unseen">Range</span>
          <select value={now.last ?? (now.from !== null || now.to !== null ? 'range' : '')} onChange={event => { const last = event.currentTarget.value; if (last !== 'range') change({ last: last === '' ? null : last, from: null, to: null }) }}>
            <option value="">All time</option>
            {now.last === null && (now.from !== null || now.to !== null) && <option value="range">Chosen range</option>}
            {Object.keys(WINDOWS).map(name => <option value={name}>Last {name}</option>)}
          </select>
        </label>
        <label><span class="unseen">Step of the time line</span>
          <select value={now.by} onChange={event => change({ by: event.currentTarget.value as Step })}>
            {['hour', 'day', 'week'].map(by => <option value={by}>by {by}</option>)}
          </select>
        </label>
        <Zone />
        <AddNote />
      </div>
      {rangeBefore(range.value) !== null && <label class="compare"><input type="checkbox" checked={now.compare} onChange={event => change({ compare: event.currentTarget.checked })} /> against the period before</label>}
    </section>
  )
}

function allText(): string {
  const rows = answerOf(TIME_LINE, wholeAsked(state.value))?.rows
  const at = rows?.columns.findIndex(column => column.name === 'starts_at') ?? -1
  if (!rows || rows.rows.length === 0) return 'All posts'
  const wall = (index: number) => wallOfText(String(rows.rows.at(index)![at]), state.value.timezone)
  const day = (at: number) => Math.floor(at / WIDTH.day) * WIDTH.day
  return `All posts, ${rangeText(day(wall(0)), day(wall(-1)) + WIDTH.day)}`
}

function Chip(props: { text: string; label: string; excluded?: boolean; flip?: () => void; remove: () => void }) {
  const words = `${props.excluded ? 'not ' : ''}${props.text} ${props.label}`
  const inside = <><span class="kind">{props.excluded ? 'not ' : ''}{props.text}</span> {props.label}</>
  return (
    <span class={`chip${props.excluded ? ' excluded' : ''}`}>
      {props.flip ? <button type="button" class="name" title="Click turns include into exclude and back" onClick={props.flip}>{inside}</button> : <span class="name">{inside}</span>}
      <button type="button" class="remove" aria-label={`Remove ${words}`} onClick={props.remove}>×</button>
    </span>
  )
}

/** A name is typed, chosen from what the lake has, and becomes a chip. */
function AddFilter() {
  const [key, setKey] = useState<NameKey>('hashtag')
  const [text, setText] = useState('')
  const [found, setFound] = useState<{ name: string; posts: number }[]>([])
  const asking = useRef<AbortController | null>(null)
  useEffect(() => {
    asking.current?.abort()
    if (text === '' || key === 'about') return setFound([])
    const controller = (asking.current = new AbortController())
    askNames(key, text, controller.signal).then(setFound, () => {})
  }, [text, key])
  return (
    <form class="add" onSubmit={event => {
      event.preventDefault()
      const name = text.trim().replace(/^#/, '')
      if (name === '') return
      const exclude = ((event as SubmitEvent).submitter as HTMLElement | null)?.dataset.exclude === 'yes'
      const now = state.value
      if (!now[exclude ? 'without' : 'only'][key].includes(name)) go(toggled(now, key, name, exclude))
      setText('')
    }}>
      <label><span class="unseen">Filter by</span>
        <select value={key} onChange={event => setKey(event.currentTarget.value as NameKey)}>
          {NAME_KEYS.map(name => <option value={name}>{name === 'about' ? 'text contains' : name}</option>)}
        </select>
      </label>
      <label><span class="unseen">Name to filter by</span>
        <input value={text} list="names" placeholder="add a filter" size={14} autocomplete="off" onInput={event => setText(event.currentTarget.value)} />
      </label>
      <datalist id="names">{found.map(({ name, posts }) => <option value={name}>{posts} posts</option>)}</datalist>
      <button type="submit" class="unseen">Include</button>
      {text !== '' && <button type="submit" data-exclude="yes" class="plain">exclude</button>}
      {(['bots', 'people'] as const).map(bot => <button type="button" class="plain toggle" aria-pressed={state.value.bot === bot} onClick={() => change({ bot: state.value.bot === bot ? null : bot })}>{bot}</button>)}
    </form>
  )
}

/** Words that the topics' report counts, where the reader wants others. */
function Words() {
  const [text, setText] = useState(state.value.words.join(' '))
  useEffect(() => setText(state.value.words.join(' ')), [state.value.words])
  return (
    <form class="words" onSubmit={event => { event.preventDefault(); change({ words: [...new Set(text.split(/[\s,]+/).filter(Boolean))].slice(0, 8) }) }}>
      <label><span class="unseen">Words to count</span>
        <input value={text} size={16} placeholder="words to count" title="Words that the panel of topics counts: press Enter" onInput={event => setText(event.currentTarget.value)} />
      </label>
    </form>
  )
}

function Zone() {
  const now = state.value.timezone
  const common = [...new Set(['UTC', ownZone(), now])]
  const [all, setAll] = useState(false)
  return (
    <label><span class="unseen">Time zone</span>
      <select value={now} onFocus={() => setAll(true)} onChange={event => change({ timezone: event.currentTarget.value })}>
        {(all ? [...new Set([...common, ...zones()])] : common).map(zone => <option value={zone}>{zone}</option>)}
      </select>
    </label>
  )
}

/** A note at the beginning of the chosen range, or at the newest post. */
function AddNote() {
  const [text, setText] = useState<string | null>(null)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => input.current?.focus(), [text === null])
  if (text === null) return <button type="button" class="plain" title="Puts a note on the time line, at the beginning of the chosen range. Notes are in the page's address." onClick={() => setText('')}>note</button>
  return (
    <form class="add" onSubmit={event => {
      event.preventDefault()
      const at = range.value.from ?? live.value.newest ?? Date.now()
      if (text.trim() !== '') change({ notes: [...state.value.notes, { at, text: text.trim() }] })
      setText(null)
    }}>
      <label><span class="unseen">Note</span><input ref={input} value={text} size={16} placeholder="note, Enter" onInput={event => setText(event.currentTarget.value)} onKeyDown={event => { if (event.key === 'Escape') setText(null) }} /></label>
    </form>
  )
}
