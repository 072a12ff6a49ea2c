import { describe, expect, it } from 'vitest'

import { askedOf, cleared, emptyState, formatState, hasFilter, instant, parseState, rangeBefore, rangeOf, toggled, type State } from './state'

const busy: State = {
  ...emptyState(), tab: 'people', from: Date.UTC(2023, 1, 4), to: Date.UTC(2023, 1, 6, 12, 30), bot: 'people', timezone: 'Europe/Berlin', by: 'day',
  words: ['eclipse', 'a b&c'], compare: false, panel: 'languages', full: 'apps', query: 'select 1 -- ?&=#', search: 'x+y', notes: [{ at: Date.UTC(2023, 1, 5), text: 'server ~ away' }],
  only: { ...emptyState().only, language: ['German', 'unknown'], app: ['Mastodon for iOS & more'] },
  without: { ...emptyState().without, origin: ['a.example'], hashtag: ['ünïcode'] },
}

describe('the address', () => {
  it('holds the whole state', () => {
    for (const state of [emptyState(), busy, { ...emptyState(), last: '24h' }]) expect(parseState(`?${formatState(state)}`)).toEqual(state)
  })
  it('is empty at the start', () => expect(formatState(emptyState())).toBe(''))
  it('leaves out what means nothing', () => {
    expect(parseState('?from=yesterday&bot=maybe&timezone=Mars/Base&by=minute&last=1y&origin=&note=x~y')).toEqual(emptyState())
  })
  it('reads a day as its beginning', () => expect(parseState('?from=2023-02-04').from).toBe(Date.UTC(2023, 1, 4)))
  it('reads a day in the chosen time zone', () => {
    const state = parseState('?to=2023-03-27&from=2023-03-26&timezone=Europe/Berlin')
    expect([state.from, state.to]).toEqual([Date.UTC(2023, 2, 25, 23), Date.UTC(2023, 2, 26, 22)])
  })
})

describe('a question to the API', () => {
  it('has the keys of the contract only', () => {
    const keys = [...new URLSearchParams(askedOf(busy, rangeOf(busy, null))).keys()]
    expect(new Set(keys)).toEqual(new Set(['from', 'to', 'language', 'app', 'not-origin', 'not-hashtag', 'bot', 'timezone', 'by', 'word']))
  })
  it('has a moving window at the newest post, the same for a minute', () => {
    const state = { ...emptyState(), last: '1h' }
    const newest = Date.UTC(2023, 1, 4, 12, 0, 20)
    expect(rangeOf(state, newest)).toEqual({ from: Date.UTC(2023, 1, 4, 11, 1), to: Date.UTC(2023, 1, 4, 12, 1) })
    expect(rangeOf(state, newest + 30e3)).toEqual(rangeOf(state, newest))
  })
  it('compares with a range as wide', () => {
    expect(rangeBefore({ from: 100, to: 130 })).toEqual({ from: 70, to: 100 })
    expect(rangeBefore({ from: null, to: 130 })).toBeNull()
  })
})

describe('a click', () => {
  it('includes, and takes it back', () => {
    const once = toggled(emptyState(), 'language', 'German', false)
    expect(once.only.language).toEqual(['German'])
    expect(toggled(once, 'language', 'German', false)).toEqual(emptyState())
  })
  it('never includes and excludes the same name', () => {
    const both = toggled(toggled(emptyState(), 'app', 'Tusky', false), 'app', 'Tusky', true)
    expect([both.only.app, both.without.app]).toEqual([[], ['Tusky']])
  })
  it('on a bot chooses bots, and with a modifier people', () => {
    expect(toggled(emptyState(), 'bot', 'true', false).bot).toBe('bots')
    expect(toggled(emptyState(), 'bot', 'true', true).bot).toBe('people')
    expect(toggled(emptyState(), 'bot', 'false', false).bot).toBe('people')
  })
  it('is undone by clearing, and the rest of the choices stays', () => {
    const after = cleared(busy)
    expect(hasFilter(after)).toBe(false)
    expect([after.timezone, after.tab, after.words]).toEqual([busy.timezone, busy.tab, busy.words])
  })
})

it('an instant has no seconds that are zero', () => {
  expect([0, 1000, 1, 60e3].map(instant)).toEqual(['1970-01-01T00:00Z', '1970-01-01T00:00:01Z', '1970-01-01T00:00:00.001Z', '1970-01-01T00:01Z'])
})
