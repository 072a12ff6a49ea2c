import { expect, it } from 'vitest'

import { unreadOf } from './gaps'

it('gaps that were filled are read; one without an end lasts until now', () => {
  const [six, seven, now] = ['2026-11-29T06:00:00Z', '2026-11-29T07:00:00Z', Date.parse('2026-11-29T09:00:00Z')]
  const gaps = [{ from: six, to: seven, filled: true }, { from: six, to: seven, filled: false }, { from: seven, to: null, filled: false }]
  expect(unreadOf(gaps, now)).toEqual([{ from: Date.parse(six), to: Date.parse(seven) }, { from: Date.parse(seven), to: now }])
})

it('a server that counts its gaps, or has none, hatches nothing', () => {
  for (const gaps of [undefined, null, 3, { found: 2, filled: 1 }, []]) expect(unreadOf(gaps)).toEqual([])
})
