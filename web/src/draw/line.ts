/** Lines over time or numbers, labelled at their ends. */
import * as Plot from '@observablehq/plot'

import type { Mark, Rows } from '../api'
import { clockText, dayText, short } from '../numbers'
import { colourOf } from '../palette'
import { wallOfText } from '../zone'
import { fitted, textWidth } from './measure'
import { number, place, plot, text, type Drawing, type Sheet } from './drawing'

interface Point {
  x: number
  y: number
  series: string
  row: number
}

export function drawLine(mark: Mark & { kind: 'line' }, rows: Rows, sheet: Sheet): Drawing {
  const [points, ghosts] = [pointsOf(mark, rows, sheet), sheet.ghost ? pointsOf(mark, sheet.ghost, sheet) : []]
  const isTime = ['date', 'timestamp'].includes(rows.columns[place(rows.columns, mark.x)]?.type ?? '')
  const names = [...new Set([...ghosts, ...points].map(point => point.series))]
  const colour = (name: string) => (mark.series ? colourOf(mark.series, name) : 'var(--accent)')
  const longest = Math.max(0, ...names.map(textWidth))
  const labelled = mark.series !== undefined
  const right = labelled ? Math.min(130, 26 + longest) : 26
  const most = Math.max(1, ...points.map(point => point.y), ...ghosts.map(point => point.y))
  const options = { x: 'x', y: 'y', z: 'series', curve: 'linear' as const }
  const ticks = Math.max(2, Math.floor((sheet.width - 44 - right) / 78))
  const { svg, scale } = plot({
    width: sheet.width, height: sheet.height, marginLeft: 44, marginRight: right, marginTop: 10, marginBottom: 22,
    x: isTime ? { type: 'utc' } : { type: 'linear' },
    y: { domain: [0, most], nice: true },
    marks: [
      Plot.gridY({ ticks: 4, stroke: 'var(--line)', strokeOpacity: 1 }),
      Plot.axisY({ ticks: 4, tickSize: 0, tickFormat: short, label: null, fill: 'var(--soft)' }),
      Plot.axisX({ ticks: isTime ? dayTicks(points, ticks) ?? ticks : ticks, tickSize: 3, label: null, fill: 'var(--soft)', stroke: 'var(--line)', ...(isTime ? { tickFormat: (x: Date) => timeTick(x.getTime()) } : {}) }),
      labelled ? [] : Plot.areaY(points, { ...options, fill: 'var(--accent)', fillOpacity: 0.1 }),
      Plot.lineY(ghosts, { ...options, stroke: 'var(--ghost)', strokeWidth: 1.5 }),
      Plot.lineY(points, { ...options, stroke: (point: Point) => colour(point.series), strokeWidth: 1.75 }),
      points.length <= 200 ? Plot.dot(points, { x: 'x', y: 'y', r: 2, fill: (point: Point) => colour(point.series) }) : [],
    ],
    color: { type: 'identity' },
  })
  const [x, y] = [scale('x'), scale('y')]
  if (labelled) labelEnds(svg, names, [...ghosts, ...points], point => y.apply(point.y) as number, sheet.width - right + 6, colour)
  return {
    svg,
    spots: points.filter(point => !Number.isNaN(point.y)).map(point => ({ row: point.row, left: (x.apply(point.x) as number) - 5, top: (y.apply(point.y) as number) - 5, width: 10, height: 10 })),
  }
}

function pointsOf(mark: Mark & { kind: 'line' }, { columns, rows }: Rows, { zone }: Sheet): Point[] {
  const [x, y, series] = [place(columns, mark.x), place(columns, mark.y), mark.series === undefined ? -1 : place(columns, mark.series)]
  const isTime = ['date', 'timestamp'].includes(columns[x]?.type ?? '')
  return rows.map((row, index) => ({
    x: isTime ? wallOfText(text(row[x]), zone) : number(row[x]),
    y: number(row[y]),
    series: series < 0 ? '' : text(row[series]),
    row: index,
  }))
}

/** Days that are apart by whole days, where days are what is shown. */
function dayTicks(points: Point[], most: number): Date[] | null {
  const days = [...new Set(points.map(point => point.x))].sort((a, b) => a - b)
  if (days.length < 2 || days.some(day => day % 86400e3 !== 0)) return null
  const every = Math.ceil(days.length / most)
  return days.filter((_, index) => index % every === 0).map(day => new Date(day))
}

export function timeTick(wall: number): string {
  return wall % 86400e3 === 0 ? dayText(wall) : clockText(wall)
}

/** Names at the ends of their lines, moved apart where they would cover each other. */
function labelEnds(svg: SVGSVGElement, names: string[], points: Point[], y: (point: Point) => number, left: number, colour: (name: string) => string): void {
  const ends = names.map(name => {
    const last = points.filter(point => point.series === name && !Number.isNaN(point.y)).at(-1)
    return { name, y: last ? y(last) : 0 }
  }).sort((a, b) => a.y - b.y)
  ends.forEach((end, index) => {
    const above = ends[index - 1]
    if (above && end.y < above.y + 13) end.y = above.y + 13
  })
  // Labels pushed below the axis move up again, all that touch them with them.
  const floor = svg.viewBox.baseVal.height - 16
  for (let index = ends.length - 1, limit = floor; index >= 0; index--, limit = ends[index + 1]!.y - 13) ends[index]!.y = Math.min(ends[index]!.y, limit)
  for (const end of ends) {
    const label = document.createElementNS('http://www.w3.org/2000/svg', 'text')
    label.setAttribute('text-anchor', 'start')
    label.setAttribute('x', String(left))
    label.setAttribute('y', String(end.y + 4))
    label.setAttribute('fill', 'var(--ink)')
    label.setAttribute('class', 'end-label')
    const mark = document.createElementNS('http://www.w3.org/2000/svg', 'tspan')
    mark.setAttribute('fill', colour(end.name))
    mark.textContent = '● '
    label.append(mark, fitted(end.name, 104))
    svg.append(label)
  }
}
