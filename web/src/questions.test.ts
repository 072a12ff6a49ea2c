import { expect, it } from 'vitest'

import type { Report } from './api'
import { Lines } from './ndjson'
import { change, duration } from './numbers'
import { panelsOf, questionsOf } from './questions'
import { emptyState } from './state'

const report = (name: string, tab: string, kind: 'bars' | 'figures' | 'line', click: Report['click'] = {}): Report => ({
  name, title: `${name}?`, help: name, tab, order: 1, unit: 'posts', of: 'posts', caption: '', click, words: false,
  marks: [kind === 'figures' ? { kind, columns: ['posts'] } : kind === 'line' ? { kind, x: 'starts_at', y: 'posts' } : { kind, x: 'language', y: 'posts' }],
})
const catalogue = [report('statistics', 'overview', 'figures'), report('timeline', 'overview', 'line'), report('languages', 'overview', 'bars', { language: 'language' }), report('authors', 'people', 'bars')]
const open = { from: null, to: null }

it('a report that was added has a panel on its tab', () => {
  expect(panelsOf([...catalogue, report('new', 'people', 'bars')], 'people').map(({ name }) => name)).toEqual(['authors', 'new'])
  expect(panelsOf(catalogue, 'overview').map(({ name }) => name)).toEqual(['languages'])
})

it('all panels of a state are one question', () => {
  const questions = questionsOf(emptyState(), open, catalogue)
  expect(questions.find(({ names }) => names.includes('languages'))!.names).toContain('statistics')
})

it('the time line is asked without the range, the panels within it', () => {
  const state = { ...emptyState(), from: 86400e3, to: 2 * 86400e3 }
  const questions = questionsOf(state, state, catalogue)
  expect(questions.some(({ asked, names }) => names.includes('timeline') && !asked.includes('from='))).toBe(true)
  expect(questions.find(({ names }) => names.includes('languages'))!.asked).toContain('from=1970-01-02')
  expect(questions.some(({ asked, names }) => names.join() === 'statistics' && asked.includes('to=1970-01-02'))).toBe(true)
  expect(questionsOf({ ...state, compare: false }, state, catalogue).some(({ names }) => names.join() === 'statistics')).toBe(false)
})

it('the clicked panel alone is also asked without its own filter', () => {
  const state = { ...emptyState(), only: { ...emptyState().only, language: ['German'] } }
  const without = (panel: string | null) => questionsOf({ ...state, panel }, open, catalogue).filter(({ asked, names }) => names.includes('languages') && !asked.includes('language='))
  expect(without(null)).toHaveLength(0)
  expect(without('languages')).toHaveLength(1)
})

it('lines that come in pieces are whole', () => {
  const lines = new Lines()
  expect([...lines.push('{"a":'), ...lines.push('1}\n\n{"b":2}\n{"c"'), ...lines.push(':3}'), ...lines.end()]).toEqual(['{"a":1}', '{"b":2}', '{"c":3}'])
})

it('a change from nothing is no number', () => {
  expect([change(0, 5), change(null, 5), change(100, 104.2), change(100, 100)]).toEqual([null, null, '+4.2%', '0%'])
  expect([0.2, 3, 100, 7200, 200_000].map(duration)).toEqual(['< 1 s', '3 s', '2 min', '2 h', '2 d'])
})
