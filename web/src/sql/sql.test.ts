import { expect, it } from 'vitest'

import type { Column, Value } from '../api'
import { guessed } from './guess'
import { profileOf } from './profile'

const column = (name: string, type: Column['type']): Column => ({ name, type })

it('a profile counts every value once', () => {
  const values: Value[] = [1, 2, 2, null, 100]
  const profile = profileOf(column('n', 'integer'), values)
  expect([profile.nulls, profile.distinct, profile.least, profile.greatest]).toEqual([1, 3, 1, 100])
  expect(profile.histogram!.reduce((sum, count) => sum + count)).toBe(4)
  expect([profile.histogram![0], profile.histogram!.at(-1)]).toEqual([3, 1])
})

it('a profile of equal values, of none and of numbers beyond 2^53 is whole', () => {
  expect(profileOf(column('n', 'number'), [7, 7]).histogram![0]).toBe(2)
  expect(profileOf(column('n', 'number'), [null]).histogram).toBeNull()
  expect(profileOf(column('n', 'integer'), ['9007199254740993', 1]).greatest).toBeGreaterThan(9e15)
})

it('a profile of texts has the most frequent first', () => {
  expect(profileOf(column('t', 'text'), ['b', 'a', 'a', null]).most).toEqual([{ value: 'a', count: 2 }, { value: 'b', count: 1 }])
})

it('answers are drawn by their columns', () => {
  expect(guessed([column('day', 'date'), column('posts', 'integer')], [['2023-02-04', 1]])).toEqual({ kind: 'line', x: 'day', y: 'posts' })
  expect(guessed([column('app', 'text'), column('posts', 'integer')], [['a', 1], ['b', 2]])).toEqual({ kind: 'bars', x: 'app', y: 'posts' })
  expect(guessed([column('hour', 'integer'), column('posts', 'integer')], [[1, 1], [2, 2]])).toEqual({ kind: 'line', x: 'hour', y: 'posts' })
  expect(guessed([column('text', 'text')], [['a']])).toBeNull()
  expect(guessed([column('posts', 'integer')], [])).toBeNull()
})
