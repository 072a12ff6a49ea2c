/** The row of figures: each with its sparkline and its change against the period before. */
import { answerOf } from './answers'
import type { Rows } from './api'
import { change as changeText, columnLabel, exact, short } from './numbers'
import { catalogue, range, state } from './page'
import { figuresOf, sparklinesOf } from './questions'
import { askedOf, rangeBefore } from './state'
import { useRef } from 'preact/hooks'

export function Figures() {
  const report = catalogue.value && figuresOf(catalogue.value)
  const last = useRef<Rows | undefined>(undefined)
  if (!report) return <section class="figures" aria-hidden="true" />
  const now = state.value
  const answer = answerOf(report.name, askedOf(now, range.value))
  if (answer?.rows) last.current = answer.rows
  const rows = answer?.rows ?? last.current
  const before = rangeBefore(range.value)
  const earlier = now.compare && before ? answerOf(report.name, askedOf(now, before))?.rows : undefined
  const lines = sparklinesOf(catalogue.value!, now, range.value).map(line => answerOf(line.name, line.asked)?.rows)
  const lineOf = (name: string) => lines.find(rows => rows?.columns.some(column => column.name === name))
  const mark = report.marks[0]!
  const names = mark.kind === 'figures' ? mark.columns : []
  const value = (of: Rows | undefined, name: string) => {
    const found = of?.rows[0]?.[of.columns.findIndex(column => column.name === name)]
    return found === null || found === undefined ? null : Number(found)
  }
  return (
    <section class="figures" aria-label={report.title} aria-busy={answer === undefined} data-report={report.name}>
      {names.map(name => {
        const number = value(rows, name)
        const difference = changeText(value(earlier, name), number)
        return (
          <div class="figure" data-column={name}>
            <div class="name">{columnLabel(name)}</div>
            <div class="value" title={number === null ? '' : exact(number)}>{number === null ? '–' : short(number)}</div>
            {earlier && difference && <div class="change" title={`before: ${exact(value(earlier, name)!)}`}>{difference}<span class="unseen"> against the period before</span></div>}
            <Sparkline rows={lineOf(name)} name={name} />
          </div>
        )
      })}
    </section>
  )
}

function Sparkline({ rows, name }: { rows: Rows | undefined; name: string }) {
  const column = rows?.columns.findIndex(column => column.name === name) ?? -1
  const values = column < 0 ? [] : rows!.rows.map(row => Number(row[column] ?? NaN))
  if (values.filter(Number.isFinite).length < 3) return <svg class="spark" viewBox="0 0 80 20" aria-hidden="true" />
  const most = Math.max(...values.filter(Number.isFinite)) || 1
  const points = values.map((value, index) => `${((index / (values.length - 1)) * 78 + 1).toFixed(1)},${(19 - (value / most) * 18).toFixed(1)}`)
  return (
    <svg class="spark" viewBox="0 0 80 20" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.filter(point => !point.includes('NaN')).join(' ')} fill="none" stroke="var(--soft)" stroke-width="1.5" vector-effect="non-scaling-stroke" stroke-linejoin="round" />
    </svg>
  )
}
