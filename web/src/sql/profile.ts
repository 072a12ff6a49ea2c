/** Profiles of the columns of an answer: how its values are spread. */
import type { Column, Value } from '../api'

export interface Profile {
  nulls: number
  distinct: number
  /** Counts of values in equal steps from the least to the greatest, for numbers and times. */
  histogram: number[] | null
  least: number | string | null
  greatest: number | string | null
  /** The most frequent values, for texts. */
  most: { value: string; count: number }[]
}

const STEPS = 16

export function profileOf(column: Column, values: Value[]): Profile {
  const isTime = column.type === 'date' || column.type === 'timestamp'
  const isNumber = column.type === 'integer' || column.type === 'number'
  const present = values.filter(value => value !== null)
  const counts = new Map<string, number>()
  for (const value of present) {
    const text = Array.isArray(value) ? JSON.stringify(value) : String(value)
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  const profile: Profile = { nulls: values.length - present.length, distinct: counts.size, histogram: null, least: null, greatest: null, most: [] }
  if (isNumber || isTime) {
    let [least, greatest, first, last]: [number, number, Value, Value] = [Infinity, -Infinity, null, null]
    const numbers: number[] = []
    for (const value of present) {
      const number = isTime ? Date.parse(String(value)) : Number(value)
      if (!Number.isFinite(number)) continue
      numbers.push(number)
      if (number < least) [least, first] = [number, value]
      if (number > greatest) [greatest, last] = [number, value]
    }
    if (numbers.length > 0) {
      profile.histogram = new Array<number>(STEPS).fill(0)
      for (const number of numbers) profile.histogram[greatest === least ? 0 : Math.min(STEPS - 1, Math.floor(((number - least) / (greatest - least)) * STEPS))]!++
      profile.least = isTime ? String(first) : least
      profile.greatest = isTime ? String(last) : greatest
    }
  } else {
    profile.most = [...counts].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count).slice(0, 3)
  }
  return profile
}
