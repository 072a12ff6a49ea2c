import { expect, it, vi } from 'vitest'

// Widths of texts come from a canvas, which tests without a browser have not.
vi.mock('./measure', () => ({ textWidth: (text: string) => text.length * 6.5 }))

import { logTicks, skewOf } from './skew'
import { besideBreak, timeAxis, timeTicks } from './time'

const [HOUR, DAY] = [3600e3, 86400e3]
const START = Date.UTC(2023, 1, 3)
const hours = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index * HOUR)

it('an axis without an empty span is linear', () => {
  const axis = timeAxis(hours(START, 240), HOUR)!
  expect(axis.breaks).toEqual([])
  expect(axis.domain).toEqual([START, START + 240 * HOUR])
  for (const at of [START, START + 17.5 * HOUR, START - DAY, START + 900 * HOUR]) expect(axis.place(at)).toBe(at)
})

it('an axis is broken where nothing happened for longer than in all the rest, and leads back', () => {
  const later = Date.UTC(2026, 10, 29, 1)
  const axis = timeAxis([...hours(START, 240), later], HOUR)!
  expect(axis.breaks).toEqual([{ from: START + 240 * HOUR, to: later }])
  expect(axis.domain[1] - axis.domain[0]).toBeLessThan(260 * HOUR)
  let last = -Infinity
  for (let at = START - DAY; at < later + DAY; at += 5 * HOUR) {
    expect(axis.place(at)).toBeGreaterThan(last)
    last = axis.place(at)
    expect(axis.at(last)).toBeCloseTo(at, -2)
  }
  expect(besideBreak(axis, START + 300 * HOUR, true)).toBe(later)
  expect(besideBreak(axis, START + 300 * HOUR, false)).toBe(START + 240 * HOUR)
  expect(besideBreak(axis, START + HOUR, true)).toBe(START + HOUR)
})

it('an outage shorter than what was read stays on the axis', () => {
  expect(timeAxis([...hours(START, 240), ...hours(START + 300 * HOUR, 24)], HOUR)!.breaks).toEqual([])
})

it('labels of ticks never cover each other, and stay inside', () => {
  const spans = [5 * HOUR, 2 * DAY, 10 * DAY, 90 * DAY, 3 * 365 * DAY]
  for (const span of spans) {
    for (const width of [120, 250, 400, 1200, 2500]) {
      for (const later of [[], [START + 4 * 365 * DAY, START + 4 * 365 * DAY + HOUR]]) {
        const axis = timeAxis([...hours(START, span / HOUR), ...later], HOUR)!
        const ticks = timeTicks(axis, width, { left: 44, right: 12 }).sort((a, b) => a.middle - b.middle)
        const pixel = (place: number) => ((place - axis.domain[0]) / (axis.domain[1] - axis.domain[0])) * width
        const half = (label: string) => (label.length * 6.5) / 2
        expect(ticks.length, `${span / DAY} days on ${width} pixels`).toBeGreaterThan(0)
        ticks.forEach((tick, index) => {
          expect(pixel(tick.middle) + half(tick.label)).toBeLessThanOrEqual(width + 12.01)
          expect(pixel(tick.middle) - half(tick.label)).toBeGreaterThanOrEqual(-44.01)
          const before = ticks[index - 1]
          if (before) expect(pixel(tick.middle) - pixel(before.middle)).toBeGreaterThanOrEqual(half(tick.label) + half(before.label))
        })
      }
    }
  }
})

it('values are skewed where one is many times the usual', () => {
  expect(skewOf([...Array<number>(20).fill(900), 40_000])).toBe(900)
  expect(skewOf([...Array<number>(20).fill(900), 4000])).toBeNull()
  expect(skewOf([1, 100])).toBeNull()
  expect(logTicks(900, 180_000, 3)).toEqual([0, 1000, 100_000])
})
