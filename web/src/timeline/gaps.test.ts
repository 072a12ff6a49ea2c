import { expect, it } from 'vitest'

import type { Rows } from '../api'
import { unreadOf, unreadOfRows } from './gaps'

it('gaps that were filled are read; one without an end lasts until now', () => {
  const [six, seven, now] = ['2026-11-29T06:00:00Z', '2026-11-29T07:00:00Z', Date.parse('2026-11-29T09:00:00Z')]
  const gaps = [{ from: six, to: seven, filled: true }, { from: six, to: seven, filled: false }, { from: seven, to: null, filled: false }]
  expect(unreadOf(gaps, now)).toEqual([{ from: Date.parse(six), to: Date.parse(seven) }, { from: Date.parse(seven), to: now }])
})

it('the rows of the report are gaps too', () => {
  const columns = ['server', 'from_at', 'to_at', 'gap', 'minutes'].map(name => ({ name, type: 'text' as const }))
  const now = Date.parse('2026-11-29T09:00:00Z')
  const rows = [['a.example', '2026-11-29T06:00:00Z', null, 'planned', null], ['b.example', '2026-11-29T06:00:00.5', '2026-11-29T07:00:00', 'filled', 60]]
  expect(unreadOfRows({ columns, rows } as unknown as Rows, now)).toEqual([{ server: 'a.example', from: Date.parse('2026-11-29T06:00:00Z'), to: now }])
})
