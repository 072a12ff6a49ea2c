/** A panel: a question, its unit, the drawing that answers it, and what can be done with it. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'

import type { Mark, Report, Rows } from '../api'
import { answerOf, type Answer } from '../answers'
import { exact, short, columnLabel, withSeparators } from '../numbers'
import { change, range, state } from '../page'
import { ghostAsked } from '../questions'
import { useLate } from '../size'
import { askedOf, cleared, hasFilter } from '../state'
import { Chart } from './chart'
import { Menu } from './menu'
import { inOrderOf } from './order'
import { Table } from './table'
import { filterText } from '../filter/text'

export function Panel({ report, full = false }: { report: Report; full?: boolean }) {
  const asked = askedOf(state.value, range.value)
  const answer = answerOf(report.name, asked)
  const last = useRef<Answer | undefined>(undefined)
  if (answer !== undefined) last.current = answer
  const ghost = ghostAsked(state.value, range.value, report)
  const ghostRows = ghost === null ? null : (answerOf(report.name, ghost)?.rows ?? null)
  const waiting = answer === undefined
  const late = useLate(waiting)
  const shown = answer ?? last.current
  const drawn = report.marks.find(mark => mark.kind !== 'table') ?? report.marks[0]!
  const [asTable, setAsTable] = useState(drawn.kind === 'table')
  const [remark, setRemark] = useState<string | null>(null)
  const [isComputedShown, setComputedShown] = useState(false)
  const box = useRef<HTMLElement>(null)
  const tall = useRef<boolean | null>(null)
  // A panel that has grown for its rows stays so: a filter does not move the panels behind it.
  if (tall.current !== true && shown?.rows) tall.current = needsHeight(drawn, shown.rows, ghostRows)
  useEffect(() => {
    if (full) box.current?.querySelector<HTMLElement>('.chart, .table')?.focus()
  }, [])
  // The order holds while the pointer or the keyboard is in the panel: nothing jumps from under them.
  const [isInside, setInside] = useState(false)
  const held = useRef<Rows | undefined>(undefined)
  const rows = useMemo(() => {
    const next = shown?.rows && isInside && held.current && last.current === shown ? inOrderOf(held.current, shown.rows, drawn) : shown?.rows
    return (held.current = next)
  }, [shown, isInside])
  return (
    <article class={`panel${tall.current ?? drawn.kind === 'boxes' ? ' tall' : ''}${full ? ' full' : ''}`} ref={box} aria-labelledby={`title-${report.name}`} aria-busy={waiting} data-report={report.name}
      onPointerEnter={() => setInside(true)} onPointerLeave={() => setInside(box.current?.contains(document.activeElement) ?? false)}
      onFocusIn={() => setInside(true)} onFocusOut={event => { if (!box.current?.contains(event.relatedTarget as Node | null)) setInside(box.current?.matches(":hover") ?? false) }}>
      <header>
        <div class="titles">
          <h2 id={`title-${report.name}`}>{report.title}</h2>
          <p class="soft" title={`${report.unit} of ${report.of}`}>{[report.unit, remark, report.of, state.value.timezone].filter(Boolean).join(' · ')}</p>
        </div>
        {full && <button type="button" class="plain" onClick={() => change({ full: null })}>Close</button>}
        <Menu report={report} asked={asked} panel={box} asTable={asTable} setAsTable={setAsTable} showComputed={() => setComputedShown(!isComputedShown)} />
      </header>
      {isComputedShown && <div class="computed" role="note"><p>{report.caption.replace(/\s*\n\s*/g, ' ')}</p><button type="button" onClick={() => setComputedShown(false)}>Close</button></div>}
      <div class={`content${waiting && late && rows ? ' stale' : ''}`}>
        {shown?.problem ? <Trouble problem={shown.problem} />
          : rows === undefined ? late && <div class="skeleton" role="status"><span class="unseen">Asking…</span></div>
          : rows.rows.length === 0 ? <Empty report={report} note={rows.note ?? null} />
          : asTable ? <Table report={report} rows={rows} />
          : drawn.kind === 'figures' ? <dl class="figure-list">{drawn.columns.map(name => { const at = rows.columns.findIndex(column => column.name === name); const value = rows.rows[0]?.[at]; return <div><dt>{columnLabel(name)}</dt><dd title={typeof value === 'number' ? exact(value) : ''}>{typeof value === 'number' ? short(value) : String(value ?? '–')}</dd></div> })}</dl>
          : <Chart report={report} mark={drawn} rows={rows} ghost={ghostRows} onRemark={setRemark} />}
      </div>
      {rows?.note && rows.rows.length > 0 && <p class="note soft" title={withSeparators(rows.note)}>{withSeparators(rows.note)}</p>}
    </article>
  )
}

function Trouble({ problem }: { problem: { message: string; hint?: string | null } }) {
  return <div class="trouble" role="alert"><p>{problem.message}</p>{problem.hint && <p class="soft">{problem.hint}</p>}</div>
}

function Empty({ report, note }: { report: Report; note: string | null }) {
  return (
    <div class="empty">
      <p>Nothing to show of {report.of}{hasFilter(state.value) ? ` (${filterText(state.value, range.value)})` : ''}{note ? `: ${withSeparators(note)}` : ''}.</p>
      {hasFilter(state.value)
        ? <p><button type="button" onClick={() => change(cleared(state.value))}>Clear the filter</button></p>
        : report.tab === 'collector' && report.unit !== 'posts' ? <p class="soft">Nothing was missed, as far as is known.</p>
        : <p class="soft">This panel needs more posts than were collected so far; “How it is computed” in its menu says which. <button type="button" class="plain" onClick={() => change({ tab: 'collector' })}>See the collector</button></p>}
    </div>
  )
}

/** True for rows that do not fit a panel of one row of the grid. */
function needsHeight(mark: Mark, rows: Rows, ghost: Rows | null): boolean {
  const count = Math.max(rows.rows.length, ghost?.rows.length ?? 0)
  if (mark.kind === 'boxes') return count > 8
  if (mark.kind === 'bars') return count > (mark.series === undefined ? 12 : 9)
  // Names across take height for themselves.
  return mark.kind === 'heat' && count > 60 && rows.columns.find(column => column.name === mark.x)?.type === 'text'
}
