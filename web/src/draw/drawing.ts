/** A drawing: an SVG by Observable Plot, and the spots of it that a reader can point at. */
import * as Plot from '@observablehq/plot'

import type { Column, Rows, Value } from '../api'
import { dayText, exact, wallClockText } from '../numbers'
import { wallOfText } from '../zone'

/** Area of a drawing that stands for a row of the report. */
export interface Spot {
  row: number
  left: number
  top: number
  width: number
  height: number
}

export interface Drawing {
  svg: SVGSVGElement
  spots: Spot[]
  /** A remark on how it is drawn, such as a scale that is logarithmic. */
  remark?: string
}

export interface Sheet {
  width: number
  height: number
  zone: string
  /** Rows without the panel's own filter, drawn pale behind. */
  ghost: Rows | null
  /** Whether the state's filter names the value of a row, if it names any. */
  isChosen: ((row: Value[]) => boolean) | null
}

// Plot writes a style element into each drawing. In a document that is not shown no Content-Security-Policy refuses
// it, and it is taken out before the drawing is shown: the page's own stylesheet has these rules.
const backstage = document.implementation.createHTMLDocument('')

export function plot(options: Plot.PlotOptions): { svg: SVGSVGElement; scale: (name: 'x' | 'y') => Plot.Scale } {
  const svg = Plot.plot({ ...options, document: backstage, className: 'plot' }) as SVGSVGElement & Plot.Plot
  svg.querySelectorAll('style').forEach(style => style.remove())
  svg.setAttribute('aria-hidden', 'true')
  return { svg, scale: name => svg.scale(name)! }
}

export function place(columns: Column[], name: string): number {
  return columns.findIndex(column => column.name === name)
}

export function number(value: Value | undefined): number {
  return value === null || value === undefined ? NaN : Number(value)
}

export function text(value: Value | undefined): string {
  return value === null || value === undefined ? '' : String(value)
}

/** A value as people read it. */
export function shown(value: Value | undefined, column: Column, zone: string): string {
  if (value === null || value === undefined) return '–'
  if (column.type === 'date') return dayText(wallOfText(String(value), zone))
  if (column.type === 'timestamp') return wallClockText(wallOfText(String(value), zone), true)
  if (column.type === 'integer' || column.type === 'number') return exact(Number(value))
  if (column.type === 'boolean') return value ? 'yes' : 'no'
  return Array.isArray(value) ? value.join(', ') : String(value)
}
