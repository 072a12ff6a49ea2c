/** The rows of an answer as a grid that draws only what is seen, under profiles of its columns. */
import 'regular-table'
import { useEffect, useMemo, useRef } from 'preact/hooks'

import type { Column, Value } from '../api'
import { shown } from '../draw/drawing'
import { exact, short, wallClockText } from '../numbers'
import { profileOf, type Profile } from './profile'

interface RegularTable extends HTMLElement {
  setDataListener: (listener: (x0: number, y0: number, x1: number, y1: number) => Promise<object>) => void
  /** Calls a listener after each drawing; the answer takes it away again. */
  addStyleListener: (listener: () => void) => () => void
  getMeta: (cell: HTMLElement) => { x?: number } | undefined
  draw: () => Promise<void>
}

export function Grid({ columns, rows }: { columns: Column[]; rows: Value[][] }) {
  const host = useRef<HTMLDivElement>(null)
  const table = useRef<RegularTable | null>(null)
  useEffect(() => {
    const grid = document.createElement('regular-table') as RegularTable
    grid.tabIndex = 0
    grid.setAttribute('aria-label', 'Rows of the answer')
    host.current!.replaceChildren(grid)
    table.current = grid
    return () => grid.remove()
  }, [])
  useEffect(() => {
    const grid = table.current!
    const texts = (from: number, to: number, column: number) => rows.slice(from, to).map(row => shown(row[column], columns[column]!, 'UTC'))
    grid.setDataListener(async (x0, y0, x1, y1) => ({
      num_rows: rows.length,
      num_columns: columns.length,
      column_headers: columns.slice(x0, x1).map(column => [column.name, column.type]),
      data: columns.slice(x0, x1).map((_, index) => texts(y0, y1, x0 + index)),
    }))
    // Numbers stand at the right, under each other.
    const align = () => {
      for (const cell of grid.querySelectorAll<HTMLElement>('td, thead tr:last-child th')) {
        const at = grid.getMeta(cell)?.x
        cell.classList.toggle('number', at !== undefined && ['integer', 'number'].includes(columns[at]?.type ?? ''))
      }
    }
    const forget = grid.addStyleListener(align)
    void grid.draw()
    return forget
  }, [columns, rows])
  const profiles = useMemo(() => columns.map((column, index) => profileOf(column, rows.map(row => row[index]!))), [columns, rows])
  return (
    <>
      <ul class="profiles" aria-label="Columns of the answer" tabIndex={0}>{columns.map((column, index) => <ProfileItem column={column} profile={profiles[index]!} rows={rows.length} />)}</ul>
      <div class="grid-host" ref={host} />
    </>
  )
}

function ProfileItem({ column, profile, rows }: { column: Column; profile: Profile; rows: number }) {
  const most = Math.max(1, ...(profile.histogram ?? []))
  const end = (value: number | string | null) => (typeof value === 'number' ? short(value) : value === null ? '' : wallClockText(Date.parse(value), true))
  return (
    <li>
      <p><b>{column.name}</b> <span class="soft">{column.type}</span></p>
      {profile.histogram && (
        <svg viewBox="0 0 96 24" class="histogram" aria-hidden="true">
          {profile.histogram.map((count, index) => <rect x={index * 6} y={24 - (count / most) * 24} width={5} height={(count / most) * 24} fill="var(--bar)" />)}
        </svg>
      )}
      {profile.histogram && <p class="soft">{end(profile.least)} to {end(profile.greatest)}</p>}
      {profile.most.map(({ value, count }) => <p class="frequent" title={value}><span>{value}</span> <span class="soft">{exact(count)}</span></p>)}
      <p class="soft">{exact(profile.distinct)} distinct{profile.nulls > 0 ? `, ${exact(profile.nulls)} of ${exact(rows)} null` : ''}</p>
    </li>
  )
}
