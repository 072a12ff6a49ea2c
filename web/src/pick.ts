/** A click on a mark: which filter the row of a report sets. */
import type { Report, Rows, Value } from './api'
import { place } from './draw/drawing'
import type { FilterKey, NameKey, State, Step } from './state'
import { toggled } from './state'
import { WIDTH } from './steps'
import { instantOf, wallOfText } from './zone'

/** The column and key by which a row of a report filters. */
export function keyOf(report: Report, rows: Rows): { column: number; key: FilterKey } | null {
  for (const [name, key] of Object.entries(report.click)) {
    const column = place(rows.columns, name)
    if (column >= 0) return { column, key }
  }
  return null
}

/** The state after a click on a row; `null` if the row sets no filter. */
export function picked(state: State, report: Report, rows: Rows, row: Value[], exclude: boolean): State | null {
  const by = keyOf(report, rows)
  const value = by === null ? null : row[by.column]
  if (by === null || value === null || value === undefined) return null
  if (by.key !== 'time') return { ...toggled(state, by.key, String(value), exclude), panel: report.name }
  if (exclude) return null
  const wall = wallOfText(String(value), state.timezone)
  const step: Step = rows.columns[by.column]!.type === 'date' ? 'day' : state.by
  const [from, to] = [instantOf(wall, state.timezone), instantOf(wall + WIDTH[step], state.timezone)]
  const again = state.from === from && state.to === to
  return { ...state, from: again ? null : from, to: again ? null : to, last: null, panel: report.name }
}

/** Tells rows that the state's filter names; `null` if it names none of the report's key. */
export function chosenBy(state: State, report: Report, rows: Rows): ((row: Value[]) => boolean) | null {
  const by = keyOf(report, rows)
  if (by === null || by.key === 'time' || by.key === 'bot') return null
  const key: NameKey = by.key
  const [only, without] = [state.only[key], state.without[key]]
  if (only.length === 0 && without.length === 0) return null
  const same = (names: string[], value: string) => names.some(name => name.toLowerCase() === value.toLowerCase())
  return row => {
    const value = String(row[by.column])
    return (only.length === 0 || same(only, value)) && !same(without, value)
  }
}
