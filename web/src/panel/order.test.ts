import { expect, it } from 'vitest'

import type { Mark, Rows, Value } from '../api'
import { inOrderOf } from './order'

const rows = (...rows: Value[][]): Rows => ({ columns: [{ name: 'app', type: 'text' }, { name: 'posts', type: 'integer' }], rows })
const bars: Mark = { kind: 'bars', x: 'app', y: 'posts' }

it('rows keep the places that they had, with their new values; new ones come last', () => {
  const before = rows(['web', 9], ['tusky', 8], ['ivory', 7])
  const now = rows(['tusky', 12], ['moa', 11], ['web', 10], ['ivory', 7])
  expect(inOrderOf(before, now, bars).rows).toEqual([['web', 10], ['tusky', 12], ['ivory', 7], ['moa', 11]])
})

it('rows that are gone leave no hole, and lines keep the order of time', () => {
  expect(inOrderOf(rows(['web', 9], ['tusky', 8]), rows(['tusky', 1]), bars).rows).toEqual([['tusky', 1]])
  const now = rows(['b', 2], ['a', 1])
  expect(inOrderOf(rows(['a', 1], ['b', 2]), now, { kind: 'line', x: 'app', y: 'posts' })).toBe(now)
})
