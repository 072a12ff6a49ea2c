/** Lines over time or numbers, labelled at their ends. */
import * as Plot from '@observablehq/plot'

import type { Mark, Rows } from '../api'
import { short } from '../numbers'
import { colourOf } from '../palette'
import { wallOfText } from '../zone'
import { fitted, textWidth } from './measure'
import { number, place, plot, text, type Drawing, type Sheet } from './drawing'
import { logTicks, skewOf } from './skew'
import { timeAxis, timeTicks, type TimeAxis } from './time'

interface Point {
  x: number
  y: number
  series: string
  row: number
}

export function drawLine(mark: Mark & { kind: 'line' }, rows: Rows, sheet: Sheet): Drawing {
  const type = rows.columns[place(rows.columns, mark.x)]?.type
  const isTime = type === 'date' || type === 'timestamp'
  const [read, readGhosts] = [pointsOf(mark, rows, sheet), sheet.ghost ? pointsOf(mark, sheet.ghost, sheet) : []]
  const both = [...read, ...readGhosts]
  // Steps that are filled with zeros are as empty as steps that are left out.
  const filled = both.filter(point => point.y !== 0)
  const axis = isTime ? timeAxis((filled.length > 0 ? filled : both).map(point => point.x)) : null
  const [points, ghosts] = axis === null ? [read, readGhosts] : [onAxis(read, axis), onAxis(readGhosts, axis)]
  const names = [...new Set([...ghosts, ...points].map(point => point.series))]
  const colour = (name: string) => (mark.series ? colourOf(mark.series, name) : 'var(--accent)')
  const longest = Math.max(0, ...names.map(textWidth))
  const labelled = mark.series !== undefined
  const [left, right] = [44, labelled ? Math.min(130, sheet.width * 0.4, 26 + longest) : 26]
  const all = [...points, ...ghosts].map(point => point.y).filter(Number.isFinite)
  const most = Math.max(1, ...all)
  const usual = skewOf(all)
  const options = { x: 'x', y: 'y', z: 'series', curve: 'linear' as const }
  const width = sheet.width - left - right
  const ticks = axis === null ? [] : timeTicks(axis, width, { left: 30, right: labelled ? 0 : right }, type === 'date' ? 86400e3 : 0)
  // Counts have no parts: a scale up to two has no tick at a half.
  const areCounts = all.every(Number.isInteger)
  const yTicks = usual !== null ? logTicks(usual, most, 5) : areCounts && most < 4 ? Array.from({ length: most + 1 }, (_, count) => count) : 4
  // A single moment stands in the middle.
  const isOne = axis !== null && axis.domain[1] - axis.domain[0] <= 1
  const { svg, scale } = plot({
    width: sheet.width, height: sheet.height, marginLeft: left, marginRight: right, marginTop: 10, marginBottom: 22,
    x: { type: 'linear', ...(axis ? { domain: isOne ? [axis.domain[0] - 1, axis.domain[0] + 1] : axis.domain } : {}) },
    y: usual === null ? { domain: [0, most], nice: true } : { type: 'symlog', constant: usual / 10, domain: [0, most] },
    marks: [
      Plot.gridY({ ticks: yTicks, stroke: 'var(--line)', strokeOpacity: 1 }),
      Plot.axisY({ ticks: yTicks, tickSize: 0, tickFormat: short, label: null, fill: 'var(--soft)' }),
      axis === null
        ? Plot.axisX({ ticks: Math.max(2, Math.floor(width / 78)), tickSize: 3, label: null, fill: 'var(--soft)', stroke: 'var(--line)' })
        : timeMarks(axis, isOne ? ticks.map(tick => ({ ...tick, middle: tick.place })) : ticks),
      labelled ? [] : Plot.areaY(points, { ...options, fill: 'var(--accent)', fillOpacity: 0.1 }),
      Plot.lineY(ghosts, { ...options, stroke: 'var(--ghost)', strokeWidth: 1.5 }),
      Plot.lineY(points, { ...options, stroke: (point: Point) => colour(point.series), strokeWidth: 1.75 }),
      points.length <= 200 ? Plot.dot(points, { x: 'x', y: 'y', r: 2, fill: (point: Point) => colour(point.series) }) : [],
    ],
    color: { type: 'identity' },
  })
  const [x, y] = [scale('x'), scale('y')]
  if (labelled) labelEnds(svg, names, [...ghosts, ...points], point => y.apply(point.y) as number, sheet.width - right + 6, right - 26, colour)
  return {
    svg,
    spots: points.filter(point => !Number.isNaN(point.y)).map(point => ({ row: point.row, left: (x.apply(point.x) as number) - 5, top: (y.apply(point.y) as number) - 5, width: 10, height: 10 })),
    ...(usual === null ? {} : { remark: 'logarithmic scale' }),
  }
}

/** Labels, ticks and breaks of a time axis at the bottom of a drawing. */
export function timeMarks(axis: TimeAxis, ticks: ReturnType<typeof timeTicks>): Plot.Markish[] {
  return [
    Plot.axisX({ ticks: ticks.map(({ place }) => place), tickSize: 3, tickFormat: () => '', label: null, stroke: 'var(--line)' }),
    Plot.text(ticks, { x: 'middle', text: 'label', frameAnchor: 'bottom', dy: 14, fill: 'var(--soft)' }),
    // A break is a pair of slanted strokes through the axis.
    Plot.text(axis.breaks, { x: ({ from, to }: { from: number; to: number }) => (axis.place(from) + axis.place(to)) / 2, text: () => '//', frameAnchor: 'bottom', dy: 1, fontWeight: 600, fill: 'var(--soft)', stroke: 'var(--panel)', strokeWidth: 4 }),
  ]
}

/** Points on the axis' places, in order, with nothing across a break. */
function onAxis(points: Point[], axis: TimeAxis): Point[] {
  const series = [...new Set(points.map(point => point.series))]
  const breaks = series.flatMap(series => axis.breaks.map(({ from, to }): Point => ({ x: (from + to) / 2, y: NaN, series, row: -1 })))
  const [begin, end] = axis.domain.map(place => axis.at(place)) as [number, number]
  return [...points.filter(({ x }) => x >= begin && x <= end), ...breaks].sort((a, b) => a.x - b.x).map(point => ({ ...point, x: axis.place(point.x) }))
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

/** Names at the ends of their lines, moved apart where they would cover each other. */
function labelEnds(svg: SVGSVGElement, names: string[], points: Point[], y: (point: Point) => number, left: number, room: number, colour: (name: string) => string): void {
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
    label.append(mark, fitted(end.name, room))
    svg.append(label)
  }
}
