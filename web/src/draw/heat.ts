/** Cells of a grid, darker for greater values. */
import * as Plot from '@observablehq/plot'

import type { Mark, Rows, Value } from '../api'
import { dayText } from '../numbers'
import { shadeOf } from '../palette'
import { wallOfText } from '../zone'
import { fitted, marginFor } from './measure'
import { number, place, plot, text, type Drawing, type Sheet } from './drawing'

export function drawHeat(mark: Mark & { kind: 'heat' }, { columns, rows }: Rows, sheet: Sheet): Drawing {
  const [x, y, value] = [place(columns, mark.x), place(columns, mark.y), place(columns, mark.value)]
  const across = [...new Set(rows.map(row => text(row[x])))]
  const down = [...new Set(rows.map(row => text(row[y])))]
  const isDay = columns[y]?.type === 'date'
  const label = (name: string) => (isDay ? dayText(wallOfText(name, sheet.zone)) : fitted(name, 130))
  const most = Math.max(0, ...rows.map(row => number(row[value])).filter(Number.isFinite))
  const left = marginFor(down.map(label), sheet.width)
  const every = Math.max(1, Math.ceil(across.length / ((sheet.width - left) / 34)))
  const nice = [1, 2, 3, 4, 6, 8, 12, 24].find(step => step >= every) ?? every
  const everyDown = Math.ceil(down.length / Math.max(1, (sheet.height - 26) / 14))
  const chosen = sheet.isChosen
  const { svg, scale } = plot({
    width: sheet.width, height: Math.min(sheet.height, down.length * 34 + 26), marginLeft: left, marginRight: 4, marginTop: 2, marginBottom: 22,
    x: { type: 'band', domain: across, padding: 0.06 },
    y: { type: 'band', domain: down, padding: 0.08 },
    color: { type: 'identity' },
    marks: [
      Plot.axisX({ ticks: across.filter((_, index) => index % nice === 0), tickSize: 0, label: null, fill: 'var(--soft)' }),
      Plot.axisY({ ticks: down.filter((_, index) => index % everyDown === 0), tickSize: 0, label: null, fill: 'var(--ink)', tickFormat: label }),
      Plot.cell(rows, {
        x: (row: Value[]) => text(row[x]), y: (row: Value[]) => text(row[y]), inset: 0,
        fill: (row: Value[]) => (Number.isNaN(number(row[value])) ? 'none' : shadeOf(number(row[value]), most)),
        fillOpacity: (row: Value[]) => (chosen === null || chosen(row) ? 1 : 0.3),
      }),
    ],
  })
  const [xs, ys] = [scale('x'), scale('y')]
  return {
    svg,
    spots: rows.map((row, index) => ({ row: index, left: xs.apply(text(row[x])) as number, top: ys.apply(text(row[y])) as number, width: xs.bandwidth ?? 8, height: ys.bandwidth ?? 8 })),
  }
}
