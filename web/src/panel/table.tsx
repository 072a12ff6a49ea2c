/** The rows of a report as a table. */
import type { Report, Rows, Value } from '../api'
import { shown } from '../draw/drawing'
import { columnLabel } from '../numbers'
import { go, state } from '../page'
import { keyOf, picked } from '../pick'

const SHOWN_MAX = 500

export function Table({ report, rows }: { report: Report; rows: Rows }) {
  const by = keyOf(report, rows)
  const zone = state.value.timezone
  const isNumber = (index: number) => ['integer', 'number'].includes(rows.columns[index]!.type)
  const cell = (row: Value[], index: number) => {
    const text = shown(row[index], rows.columns[index]!, zone)
    if (by?.column !== index || row[index] === null) return text
    return <button type="button" class="plain" onClick={event => { const next = picked(state.value, report, rows, row, event.altKey || event.shiftKey); if (next) go(next) }}>{text}</button>
  }
  return (
    <div class="table" tabIndex={0} role="region" aria-label={`${report.title} as a table`}>
      <table>
        <caption class="unseen">{report.title} {report.unit} of {report.of}</caption>
        <thead><tr>{rows.columns.map((column, index) => <th scope="col" class={isNumber(index) ? 'number' : ''}>{columnLabel(column.name)}</th>)}</tr></thead>
        <tbody>{rows.rows.slice(0, SHOWN_MAX).map(row => <tr>{row.map((_, index) => <td class={isNumber(index) ? 'number' : ''}>{cell(row, index)}</td>)}</tr>)}</tbody>
      </table>
      {rows.rows.length > SHOWN_MAX && <p class="soft">The first {SHOWN_MAX} of {rows.rows.length} rows. The menu's CSV has them all.</p>}
    </div>
  )
}
