/** The order of a panel's rows while a reader is at them. */
import type { Mark, Rows, Value } from '../api'

/** Rows in the order of those shown before, new ones behind them. Marks along a number or a time keep their own order. */
export function inOrderOf(before: Rows, now: Rows, mark: Mark): Rows {
  const names = mark.kind === 'bars' ? [mark.x, mark.series] : mark.kind === 'boxes' ? [mark.y] : mark.kind === 'table' ? [now.columns[0]?.name] : []
  const columns = names.filter(name => name !== undefined).map(name => now.columns.findIndex(column => column.name === name))
  if (columns.length === 0 || columns.some(column => column < 0)) return now
  const key = (row: Value[]) => JSON.stringify(columns.map(column => row[column]))
  const order = new Map(before.rows.map((row, index) => [key(row), index]))
  const at = (row: Value[]) => order.get(key(row)) ?? Infinity
  const rows = now.rows.map((row, index) => ({ row, index, at: at(row) })).sort((a, b) => (a.at === b.at ? a.index - b.index : a.at - b.at)).map(({ row }) => row)
  return rows.every((row, index) => row === now.rows[index]) ? now : { ...now, rows }
}
