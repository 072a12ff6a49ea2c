/** A drawing that can be read: exact values at the pointer and at the keyboard's place, and a filter by click or Enter. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'

import type { Mark, Report, Rows } from '../api'
import { draw } from '../draw/draw'
import { shown, type Spot } from '../draw/drawing'
import { columnLabel } from '../numbers'
import { change, go, said, state } from '../page'
import { chosenBy, keyOf, picked } from '../pick'
import { useSize } from '../size'
import { cleared } from '../state'

export function Chart(props: { report: Report; mark: Mark; rows: Rows; ghost: Rows | null; onRemark?: (remark: string | null) => void }) {
  const { report, mark, rows, ghost } = props
  const frame = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLDivElement>(null)
  const { width, height } = useSize(frame)
  const [at, setAt] = useState<number | null>(null)
  const now = state.value
  // A panel that was clicked shows its rows without its own filter: those that the filter names keep their colour.
  const isLine = mark.kind === 'line'
  const basis = ghost !== null && !isLine ? ghost : rows
  // A brush changes the state at once and the rows a moment later: only what shows in the drawing has it drawn again.
  const filter = keyOf(report, basis)
  const chosen = filter === null || filter.key === 'time' || filter.key === 'bot' ? '' : JSON.stringify([now.only[filter.key], now.without[filter.key]])
  const drawing = useMemo(
    () => (width < 40 || height < 40 ? null : draw(mark, report, basis, { width, height, zone: now.timezone, ghost: isLine ? ghost : null, isChosen: chosenBy(now, report, basis) })),
    [basis, ghost, width, height, mark, now.timezone, chosen],
  )
  useLayoutEffect(() => canvas.current!.replaceChildren(...(drawing ? [document.adoptNode(drawing.svg)] : [])), [drawing])
  useEffect(() => props.onRemark?.(drawing?.remark ?? null), [drawing?.remark])
  const spots = drawing?.spots ?? []
  const spot = at === null ? undefined : spots[Math.min(at, spots.length - 1)]

  const reading = (spot: Spot) => {
    const row = basis.rows[spot.row]
    return row === undefined ? [] : basis.columns.map((column, index) => [columnLabel(column.name), shown(row[index], column, now.timezone)] as const).slice(0, 9)
  }
  const pick = (index: number | null, exclude: boolean) => {
    const row = index === null ? undefined : basis.rows[spots[index]?.row ?? -1]
    const next = row && picked(state.value, report, basis, row, exclude)
    if (next) go(next)
  }
  const move = (index: number) => {
    setAt(index)
    const spot = spots[index]
    if (spot) said.value = reading(spot).map(pair => pair.join(' ')).join(', ')
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (spots.length === 0) return
    const next = { ArrowRight: 'x', ArrowLeft: '-x', ArrowDown: 'y', ArrowUp: '-y' }[event.key]
    if (next !== undefined) move(at === null ? 0 : neighbour(spots, at, next))
    else if (event.key === 'Home') move(0)
    else if (event.key === 'End') move(spots.length - 1)
    else if (event.key === 'Enter' || event.key === ' ') pick(at, event.altKey || event.shiftKey)
    else return
    event.preventDefault()
  }
  const what = { line: 'lines', bars: 'bars', heat: 'heat map', boxes: 'box plots', figures: 'figures', table: 'table' }[mark.kind]
  return (
    <div
      class={`chart${filter ? ' picks' : ''}`} ref={frame} tabIndex={0} role="application" aria-roledescription="chart"
      aria-label={`${report.title} ${what} of ${basis.rows.length} values. Arrow keys read them${filter ? ', Enter filters, Shift and Enter excludes' : ''}.`}
      onKeyDown={onKeyDown}
      onFocus={event => { if ((event.target as Element).matches(':focus-visible') && at === null) move(0) }}
      onBlur={() => setAt(null)}
      onPointerMove={event => setAt(nearest(spots, pointIn(frame.current!, event)))}
      onPointerLeave={() => setAt(null)}
      onClick={event => {
        const index = nearest(spots, pointIn(frame.current!, event))
        pick(index, event.altKey || event.shiftKey)
      }}
    >
      <div class="canvas" ref={canvas} />
      {spot && (
        <>
          <div class={`spot ${mark.kind}`} style={{ left: `${spot.left}px`, top: `${spot.top}px`, width: `${spot.width}px`, height: `${spot.height}px` }} />
          <div class={`tip${spot.left + spot.width / 2 > width / 2 ? ' leftward' : ''}`} style={tipPlace(spot, width, height)}>
            <dl>{reading(spot).map(([name, value]) => <div><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
            {filter && <p>Click includes{filter.key === 'time' ? '' : ', Shift-click excludes'}</p>}
          </div>
        </>
      )}
    </div>
  )
}

/** Escape clears the filter wherever the keyboard is, except where it closes or clears something nearer. */
export function clearOnEscape(): void {
  addEventListener('keydown', event => {
    if (event.key !== 'Escape' || event.defaultPrevented) return
    if ((event.target as Element).closest?.('input:not([type=checkbox]), textarea, select, [contenteditable], dialog, .cm-editor, .menu')) return
    const now = state.value
    if (now.full !== null) change({ full: null })
    else go(cleared(state.value))
  })
}

function pointIn(frame: HTMLElement, event: MouseEvent): { x: number; y: number } {
  const box = frame.getBoundingClientRect()
  return { x: event.clientX - box.left, y: event.clientY - box.top }
}

function tipPlace(spot: Spot, width: number, height: number): Record<string, string> {
  const wide = spot.width > width / 2
  const x = wide ? width * 0.55 : spot.left + spot.width / 2
  const vertical: Record<string, string> = spot.top > height / 2 ? { bottom: `${height - spot.top + 6}px` } : { top: `${spot.top + spot.height + 6}px` }
  return x > width / 2 && !wide ? { right: `${width - x}px`, ...vertical } : { left: `${Math.min(x, width - 40)}px`, ...vertical }
}

/** The spot under a point, else the nearest within reach. */
function nearest(spots: Spot[], { x, y }: { x: number; y: number }): number | null {
  let [best, found]: [number, number | null] = [40, null]
  spots.forEach((spot, index) => {
    const dx = Math.max(spot.left - x, 0, x - spot.left - spot.width)
    const dy = Math.max(spot.top - y, 0, y - spot.top - spot.height)
    // Distance along the x axis counts more: on a line, the reader points at a moment.
    const distance = Math.hypot(dx * 2, dy)
    if (distance < best) [best, found] = [distance, index]
  })
  return found
}

/** The nearest spot in a direction; the same one at the edge. */
function neighbour(spots: Spot[], from: number, direction: string): number {
  const here = spots[from] ?? spots[0]!
  const sign = direction.startsWith('-') ? -1 : 1
  const alongX = direction.endsWith('x')
  const centre = (spot: Spot) => [spot.left + spot.width / 2, spot.top + spot.height / 2] as const
  const [x, y] = centre(here)
  let [best, found] = [Infinity, -1]
  spots.forEach((spot, index) => {
    const [sx, sy] = centre(spot)
    const [along, across] = alongX ? [(sx - x) * sign, Math.abs(sy - y)] : [(sy - y) * sign, Math.abs(sx - x)]
    if (along <= 0.5) return
    const distance = along + across * 3
    if (distance < best) [best, found] = [distance, index]
  })
  // Bars lie in one column: left and right go on as up and down do.
  return found >= 0 ? found : Math.max(0, Math.min(spots.length - 1, alongX && spots.every(spot => Math.abs(spot.left - here.left) < 1) ? from + sign : from))
}
