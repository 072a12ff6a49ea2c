/** Horizontal bars from zero, with their names before and their numbers behind them. */
import * as Plot from '@observablehq/plot'

import type { Mark, Report, Rows } from '../api'
import { short } from '../numbers'
import { colourOf } from '../palette'
import { fitted, marginFor } from './measure'
import { number, place, plot, text, type Drawing, type Sheet } from './drawing'

interface Bar {
  name: string
  value: number
  series: string
  row: number
  from: number
}

export function drawBars(mark: Mark & { kind: 'bars' }, rows: Rows, sheet: Sheet, report: Report): Drawing {
  const ghosts = sheet.ghost ? barsOf(mark, sheet.ghost) : []
  const bars = barsOf(mark, rows)
  if (mark.series !== undefined && report.unit.startsWith('percent') && !areWhole(bars)) return drawGroups(mark, rows, bars, sheet)
  const inks = sheet.isChosen
  const chosen = ({ row }: Bar) => inks === null || inks(rows.rows[row]!)
  const names = [...new Set([...(ghosts.length > 0 ? ghosts : []), ...bars].map(bar => bar.name))]
  const total = new Map<string, number>()
  for (const bar of bars) total.set(bar.name, (total.get(bar.name) ?? 0) + bar.value)
  const most = Math.max(...bars.map(bar => bar.from + bar.value), ...ghosts.map(bar => bar.from + bar.value), 0) || 1
  const left = marginFor(names, sheet.width)
  // Few bars do not grow thick: the step has a greatest height, and what is left stays empty below.
  const series = mark.series === undefined ? [] : [...new Set(bars.map(bar => bar.series))]
  const legend = series.length > 0 ? 18 : 0
  const height = Math.min(sheet.height - legend, names.length * 26 + 4)
  const { svg, scale } = plot({
    width: sheet.width, height, marginLeft: left, marginRight: 48, marginTop: 2, marginBottom: 2,
    x: { domain: [0, most], axis: null },
    y: { type: 'band', domain: names, padding: 0.25, axis: null },
    color: { type: 'identity' },
    marks: [
      Plot.axisY({ tickSize: 0, label: null, fill: 'var(--ink)', tickFormat: (name: string) => fitted(name === '' ? '(none)' : name, left - 10) }),
      Plot.barX(ghosts, { y: 'name', x1: 'from', x2: (bar: Bar) => bar.from + bar.value, fill: 'var(--ghost)' }),
      Plot.barX(bars, {
        y: 'name', x1: 'from', x2: (bar: Bar) => bar.from + bar.value,
        fill: (bar: Bar) => (!chosen(bar) ? 'var(--ghost)' : mark.series ? colourOf(mark.series, bar.series) : 'var(--accent)'),
        rx: 1,
      }),
      Plot.text(names, { y: (name: string) => name, x: (name: string) => total.get(name) ?? ghosts.find(bar => bar.name === name)?.value ?? 0, text: (name: string) => (total.has(name) ? short(total.get(name)!) : ''), dx: 5, textAnchor: 'start', fill: 'var(--soft)' }),
      Plot.ruleX([0], { stroke: 'var(--line)' }),
    ],
  })
  const [x, y] = [scale('x'), scale('y')]
  if (series.length > 0) addLegend(svg, series, name => colourOf(mark.series!, name), height)
  return {
    svg,
    spots: bars.map(bar => {
      const start = x.apply(bar.from) as number
      const wide = mark.series === undefined
      // The whole line of a name can be hit, however short its bar is.
      return { row: bar.row, left: wide ? 0 : start, top: (y.apply(bar.name) as number) - 2, width: wide ? sheet.width : Math.max(2, (x.apply(bar.from + bar.value) as number) - start), height: (y.bandwidth ?? 16) + 4 }
    }),
  }
}

/** True if the parts of each bar make up a hundred percent. */
function areWhole(bars: Bar[]): boolean {
  const total = new Map<string, number>()
  for (const bar of bars) total.set(bar.name, (total.get(bar.name) ?? 0) + bar.value)
  return [...total.values()].every(sum => Math.abs(sum - 100) < 1)
}

/** Bars beside each other, for percents of different wholes, which must not be added. */
function drawGroups(mark: Mark & { kind: 'bars' }, rows: Rows, bars: Bar[], sheet: Sheet): Drawing {
  const names = [...new Set(bars.map(bar => bar.name))]
  const series = [...new Set(bars.map(bar => bar.series))]
  const left = marginFor(names, sheet.width)
  const height = Math.min(sheet.height - 18, names.length * series.length * 22 + 4)
  const id = (bar: Bar) => `${bar.name}\n${bar.series}`
  const domain = names.flatMap(name => series.map(part => `${name}\n${part}`))
  const { svg, scale } = plot({
    width: sheet.width, height, marginLeft: left, marginRight: 48, marginTop: 2, marginBottom: 2,
    x: { domain: [0, Math.max(1e-9, ...bars.map(bar => bar.value))], axis: null },
    y: { type: 'band', domain, padding: 0.15, axis: null },
    color: { type: 'identity' },
    marks: [
      // A name stands in the middle of its bars.
      Plot.axisY({ ticks: domain, dy: ((height - 4) / domain.length) * ((series.length - 1) / 2), tickSize: 0, label: null, fill: 'var(--ink)', tickFormat: (both: string) => (both.endsWith(`\n${series[0]}`) ? fitted(both.split('\n')[0]!, left - 10) : '') }),
      Plot.barX(bars, { y: id, x: 'value', fill: (bar: Bar) => (sheet.isChosen === null || sheet.isChosen(rows.rows[bar.row]!) ? colourOf(mark.series!, bar.series) : 'var(--ghost)'), rx: 1 }),
      Plot.text(bars, { y: id, x: 'value', text: (bar: Bar) => short(bar.value), dx: 5, textAnchor: 'start', fill: 'var(--soft)' }),
      Plot.ruleX([0], { stroke: 'var(--line)' }),
    ],
  })
  addLegend(svg, series, name => colourOf(mark.series!, name), height)
  const y = scale('y')
  return { svg, spots: bars.map(bar => ({ row: bar.row, left: 0, top: y.apply(id(bar)) as number, width: sheet.width, height: y.bandwidth ?? 12 })) }
}

function barsOf(mark: Mark & { kind: 'bars' }, { columns, rows }: Rows): Bar[] {
  const [name, value, series] = [place(columns, mark.x), place(columns, mark.y), mark.series === undefined ? -1 : place(columns, mark.series)]
  const ends = new Map<string, number>()
  return rows.map((row, index) => {
    const bar = { name: text(row[name]), value: number(row[value]) || 0, series: series < 0 ? '' : text(row[series]), row: index, from: 0 }
    if (series >= 0) {
      bar.from = ends.get(bar.name) ?? 0
      ends.set(bar.name, bar.from + bar.value)
    }
    return bar
  })
}

function addLegend(svg: SVGSVGElement, series: string[], colour: (name: string) => string, top: number): void {
  const height = top + 18
  svg.setAttribute('height', String(height))
  svg.setAttribute('viewBox', `0 0 ${svg.getAttribute('width')} ${height}`)
  const label = document.createElementNS('http://www.w3.org/2000/svg', 'text')
  label.setAttribute('text-anchor', 'start')
  label.setAttribute('x', '4')
  label.setAttribute('y', String(height - 4))
  label.setAttribute('fill', 'var(--ink)')
  for (const name of series) {
    const mark = document.createElementNS('http://www.w3.org/2000/svg', 'tspan')
    mark.setAttribute('fill', colour(name))
    mark.textContent = '■ '
    label.append(mark, `${fitted(name, 110)}   `)
  }
  svg.append(label)
}
