/** Box plots over the whole range: least, middle half with its median, most. */
import * as Plot from '@observablehq/plot'

import type { Mark, Report, Rows } from '../api'
import { short } from '../numbers'
import { fitted, marginFor } from './measure'
import { number, place, plot, text, type Drawing, type Sheet } from './drawing'

interface Box {
  name: string
  min: number
  lower: number
  median: number
  upper: number
  max: number
  row: number
}

/** Limits of a post's length that people know. */
const KNOWN_LENGTHS = [140, 280, 500]

export function drawBoxes(mark: Mark & { kind: 'boxes' }, rows: Rows, sheet: Sheet, report: Report): Drawing {
  const at = { name: place(rows.columns, mark.y), min: place(rows.columns, mark.min), lower: place(rows.columns, mark.lower), median: place(rows.columns, mark.median), upper: place(rows.columns, mark.upper), max: place(rows.columns, mark.max) }
  const boxes = rows.rows.map((row, index): Box => ({ name: text(row[at.name]), min: number(row[at.min]), lower: number(row[at.lower]), median: number(row[at.median]), upper: number(row[at.upper]), max: number(row[at.max]), row: index }))
  const names = boxes.map(box => box.name)
  const left = marginFor(names, sheet.width)
  const most = Math.max(1, ...boxes.map(box => box.max).filter(Number.isFinite))
  const typical = Math.max(...boxes.map(box => box.upper).filter(Number.isFinite), 0)
  // As in the terminal and in the report to send: a few rows' extremes would press the middle halves to one side.
  const constant = Math.max(typical / 10, Number.EPSILON)
  const ticks = roundTicks(most, constant, report.unit === 'characters', sheet.width - left)
  const chosen = ({ row }: Box) => sheet.isChosen === null || sheet.isChosen(rows.rows[row]!)
  const ink = (box: Box) => (chosen(box) ? 'var(--accent)' : 'var(--ghost)')
  const height = Math.min(sheet.height, names.length * 28 + 28)
  const { svg, scale } = plot({
    width: sheet.width, height, marginLeft: left, marginRight: 10, marginTop: 2, marginBottom: 22,
    x: { type: 'symlog', constant, domain: [0, most] },
    y: { type: 'band', domain: names, padding: 0.3, axis: null },
    color: { type: 'identity' },
    marks: [
      Plot.gridX(ticks, { stroke: 'var(--line)', strokeOpacity: 1 }),
      Plot.axisX({ ticks, tickSize: 0, label: null, fill: 'var(--soft)', tickFormat: short }),
      Plot.axisY({ tickSize: 0, label: null, fill: 'var(--ink)', tickFormat: (name: string) => fitted(name, left - 10) }),
      Plot.ruleY(boxes, { y: 'name', x1: 'min', x2: 'max', stroke: ink, strokeOpacity: 0.55 }),
      Plot.barX(boxes, { y: 'name', x1: 'lower', x2: 'upper', fill: ink, fillOpacity: 0.45, rx: 1 }),
      Plot.tickX(boxes, { y: 'name', x: 'median', stroke: 'var(--ink)', strokeWidth: 2 }),
    ],
  })
  const y = scale('y')
  const spots = boxes.map(box => ({ row: box.row, left: 0, top: (y.apply(box.name) as number) - 3, width: sheet.width, height: (y.bandwidth ?? 12) + 6 }))
  return { svg, spots, remark: 'logarithmic scale' }
}

/** Round numbers up to the greatest, as many as have room, and the limits that people know for lengths. */
function roundTicks(most: number, constant: number, isLength: boolean, width: number): number[] {
  const place = (value: number) => (Math.log1p(value / constant) / Math.log1p(most / constant)) * width
  const powers = Array.from({ length: 9 }, (_, power) => 10 ** (power - 1))
  const wanted = [0, ...(isLength ? KNOWN_LENGTHS : []), ...powers, ...powers.map(value => 5 * value), ...powers.map(value => 2 * value)]
  const kept: number[] = []
  for (const value of wanted) {
    if (value <= most && kept.every(other => Math.abs(place(other) - place(value)) >= 30)) kept.push(value)
  }
  return kept.sort((a, b) => a - b)
}
