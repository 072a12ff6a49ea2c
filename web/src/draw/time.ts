/**
 * Axes of time. Where nothing happened for longer than in all the rest together, the axis is broken: the ten days of an
 * imported recording and the present hour are years apart, and both are to be seen.
 */
import { clockText, dayText, dayYearText, monthText } from '../numbers'
import { textWidth } from './measure'

export interface Tick {
  place: number
  /** Middle of the label: the tick's own place, or as far from the edge as the label needs. */
  middle: number
  label: string
}

export interface TimeAxis {
  /** Place of a wall clock on the axis, in milliseconds; breaks are short there. */
  place: (wall: number) => number
  /** Wall clock at a place. */
  at: (place: number) => number
  domain: [number, number]
  /** Spans that are left out, as wall clocks. */
  breaks: { from: number; to: number }[]
}

const [HOUR, DAY] = [3600e3, 86400e3]
const STEPS = [HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 4 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 182 * DAY, 365 * DAY, 3652 * DAY]
/** Width of a break, as a share of what is shown. */
const BREAK = 0.03

/** The axis of points in time, each of which lasts for `step`; `null` if there are none. */
export function timeAxis(points: number[], step = 0): TimeAxis | null {
  const sorted = [...new Set(points.filter(Number.isFinite))].sort((a, b) => a - b)
  if (sorted.length === 0) return null
  const [first, last] = [sorted[0]!, sorted.at(-1)! + (step || 1)]
  let shown = last - first
  const breaks: { from: number; to: number }[] = []
  const empty = sorted.slice(1).map((to, index) => ({ from: sorted[index]! + step, to })).sort((a, b) => b.to - b.from - a.to + a.from)
  for (const { from, to } of empty) {
    // The rest of two points is nothing, and a line from one to the other is no break.
    if (to - from <= shown - (to - from) || sorted.length < 4) break
    breaks.push({ from, to })
    shown -= to - from
  }
  breaks.sort((a, b) => a.from - b.from)
  // Between its knots the axis is linear.
  const walls = [first, ...breaks.flatMap(({ from, to }) => [from, to]), last]
  const places = [first]
  for (let index = 1; index < walls.length; index++) places.push(places[index - 1]! + (index % 2 === 1 ? walls[index]! - walls[index - 1]! : Math.max(step, BREAK * shown)))
  return { place: wall => between(wall, walls, places), at: place => between(place, places, walls), domain: [places[0]!, places.at(-1)!], breaks }
}

function between(value: number, from: number[], to: number[]): number {
  let index = 1
  while (index < from.length - 1 && value > from[index]!) index++
  const [a, b] = [from[index - 1]!, from[index]!]
  if (value < a || value > b) return value < a ? to[0]! + value - a : to.at(-1)! + value - b
  return to[index - 1]! + ((value - a) / (b - a)) * (to[index]! - to[index - 1]!)
}

/** The wall clock, or the end of the break that it lies in. */
export function besideBreak(axis: TimeAxis, wall: number, forward: boolean): number {
  const inside = axis.breaks.find(({ from, to }) => wall > from && wall < to)
  return inside === undefined ? wall : forward ? inside.to : inside.from
}

/** Ticks at round times, as many as have room for their labels on an axis of `width` pixels between margins. */
export function timeTicks(axis: TimeAxis, width: number, margin: { left: number; right: number }, least = 0): Tick[] {
  const perPixel = (axis.domain[1] - axis.domain[0]) / width
  const [begin, end] = axis.domain.map(place => axis.at(place)) as [number, number]
  const isOfYears = new Date(begin).getUTCFullYear() !== new Date(end - 1).getUTCFullYear()
  const step = STEPS.find(step => step >= least && step >= (textWidth(step >= 30 * DAY ? monthText(begin) : dayText(begin)) + 16) * perPixel) ?? STEPS.at(-1)!
  const label = (at: number) => (step >= 30 * DAY ? monthText(at) : at % DAY !== 0 ? clockText(at) : dayText(at))
  // Of years, the first day and the first behind a break tell theirs.
  const first = (at: number) => (step >= 30 * DAY ? monthText(at) : isOfYears ? dayYearText(at) : dayText(at))
  const ticks: Tick[] = []
  const add = (at: number, text: string) => {
    const place = axis.place(at)
    const half = (textWidth(text) / 2) * perPixel
    const middle = Math.max(axis.domain[0] - margin.left * perPixel + half, Math.min(axis.domain[1] + margin.right * perPixel - half, place))
    const isFree = ticks.every(other => Math.abs(other.middle - middle) >= half + (textWidth(other.label) / 2 + 10) * perPixel)
    // A label moved further than half of itself would stand for another time.
    if (isFree && Math.abs(middle - place) <= half) ticks.push({ place, middle, label: text })
  }
  // Behind each break the reader sees at once where the axis goes on.
  for (const { to } of axis.breaks) add(to, first(to))
  let at = firstTick(begin, step)
  for (let count = 0; at < end && count < 1000; count++) {
    const next = besideBreak(axis, at, true)
    if (next === at) add(at, count === 0 && isOfYears ? first(at) : label(at))
    at = next === at ? nextTick(at, step) : firstTick(next, step)
  }
  if (ticks.length === 0) add(begin, first(begin))
  return ticks
}

function firstTick(wall: number, step: number): number {
  if (step >= 30 * DAY) {
    const [year, month] = [new Date(wall).getUTCFullYear(), new Date(wall).getUTCMonth()]
    const start = Date.UTC(year, Math.floor(month / months(step)) * months(step))
    return start >= wall ? start : nextTick(start, step)
  }
  // 1 January 1970 was a Thursday: weeks begin on Monday.
  const shift = step >= 7 * DAY ? 3 * DAY : 0
  return Math.ceil((wall + shift) / step) * step - shift
}

function nextTick(wall: number, step: number): number {
  return step >= 30 * DAY ? Date.UTC(new Date(wall).getUTCFullYear(), new Date(wall).getUTCMonth() + months(step)) : wall + step
}

const months = (step: number) => Math.round(step / (30.4 * DAY))
