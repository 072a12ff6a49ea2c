/** A drawing for an answer whose columns nobody described. */
import type { Column, Mark, Value } from '../api'

/** Bars that are drawn of an answer, its first rows. */
export const BARS_MAX = 20

/** The mark that fits the columns; `null` if none does. */
export function guessed(columns: Column[], rows: Value[][]): Mark | null {
  const number = columns.find(column => ['integer', 'number'].includes(column.type) && !/(^|_)(id|hour|day|year|month)$/.test(column.name)) ?? columns.find(column => ['integer', 'number'].includes(column.type))
  if (number === undefined || rows.length === 0) return null
  const time = columns.find(column => ['date', 'timestamp'].includes(column.type))
  const names = columns.filter(column => ['text', 'boolean'].includes(column.type))
  const distinct = (column: Column) => new Set(rows.map(row => row[columns.indexOf(column)])).size
  if (time !== undefined) {
    const series = names.find(column => distinct(column) > 1 && distinct(column) <= 12)
    return { kind: 'line', x: time.name, y: number.name, ...(series ? { series: series.name } : {}) }
  }
  const name = names.find(column => distinct(column) === rows.length)
  if (name !== undefined && rows.length <= 1000) return { kind: 'bars', x: name.name, y: number.name }
  const numbers = columns.filter(column => ['integer', 'number'].includes(column.type))
  const [first, second] = numbers
  if (first !== undefined && second !== undefined && distinct(first) === rows.length) return { kind: 'line', x: first.name, y: second.name }
  if (names.length === 2 && rows.length <= 2000) return { kind: 'heat', x: names[0]!.name, y: names[1]!.name, value: number.name }
  return null
}
