/** Cells of a grid, darker for greater values. */
import * as Plot from '@observablehq/plot'

import type { Mark, Rows, Value } from '../api'
import { dayText } from '../numbers'
import { shadeOf } from '../palette'
import { wallOfText } from '../zone'
import { fitted, marginFor, textWidth } from './measure'
import { skewOf } from './skew'
import { number, place, plot, text, type Drawing, type Sheet } from './drawing'

export function drawHeat(mark: Mark & { kind: 'heat' }, { columns, rows }: Rows, sheet: Sheet): Drawing {
  const [x, y, value] = [place(columns, mark.x), place(columns, mark.y), place(columns, mark.value)]
  const across = [...new Set(rows.map(row => text(row[x])))]
  const down = [...new Set(rows.map(row => text(row[y])))]
  const isDay = columns[y]?.type === 'date'
  const label = (name: string) => (isDay ? dayText(wallOfText(name, sheet.zone)) : fitted(name, 130))
  const values = rows.map(row => number(row[value])).filter(Number.isFinite)
  const most = Math.max(0, ...values)
  const usual = skewOf(values)
  // Shades by the logarithm where a few cells are many times the usual.
  const strength = (value: number) => (usual === null ? value : Math.log1p((10 * value) / usual))
  const left = marginFor(down.map(label), sheet.width)
  const every = Math.max(1, Math.ceil(across.length / ((sheet.width - left) / 34)))
  const nice = [1, 2, 3, 4, 6, 8, 12, 24].find(step => step >= every) ?? every
  // Names across are too long to stand beside each other: they lean, or are left to the tip where even that has no room.
  const cell = (sheet.width - left) / across.length
  const isLong = across.some(name => textWidth(name) > cell * nice - 4)
  const bottom = isLong ? Math.min(84, sheet.height * 0.34) : 22
  const everyDown = Math.ceil(down.length / Math.max(1, (sheet.height - bottom - 4) / 14))
  const chosen = sheet.isChosen
  const { svg, scale } = plot({
    width: sheet.width, height: Math.min(sheet.height, down.length * 34 + bottom + 4), marginLeft: left, marginRight: 4, marginTop: 2, marginBottom: bottom,
    x: { type: 'band', domain: across, padding: 0.06 },
    y: { type: 'band', domain: down, padding: 0.08 },
    color: { type: 'identity' },
    marks: [
      isLong
        ? Plot.axisX({ ticks: across.filter((_, index) => index % Math.max(1, Math.ceil(14 / cell)) === 0), tickSize: 0, label: null, fill: 'var(--soft)', tickRotate: -55, tickFormat: (name: string) => fitted(name, (bottom - 8) / 0.82) })
        : Plot.axisX({ ticks: across.filter((_, index) => index % nice === 0), tickSize: 0, label: null, fill: 'var(--soft)' }),
      Plot.axisY({ ticks: down.filter((_, index) => index % everyDown === 0), tickSize: 0, label: null, fill: 'var(--ink)', tickFormat: label }),
      Plot.cell(rows, {
        x: (row: Value[]) => text(row[x]), y: (row: Value[]) => text(row[y]), inset: 0,
        fill: (row: Value[]) => (Number.isNaN(number(row[value])) ? 'none' : shadeOf(strength(number(row[value])), strength(most))),
        fillOpacity: (row: Value[]) => (chosen === null || chosen(row) ? 1 : 0.3),
      }),
    ],
  })
  const [xs, ys] = [scale('x'), scale('y')]
  return {
    svg,
    ...(usual === null ? {} : { remark: 'shades are logarithmic' }),
    spots: rows.map((row, index) => ({ row: index, left: xs.apply(text(row[x])) as number, top: ys.apply(text(row[y])) as number, width: xs.bandwidth ?? 8, height: ys.bandwidth ?? 8 })),
  }
}
