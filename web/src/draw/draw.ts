/** Draws a mark of the catalogue. */
import type { Mark, Report, Rows } from '../api'
import { drawBars } from './bars'
import { drawBoxes } from './boxes'
import type { Drawing, Sheet } from './drawing'
import { drawHeat } from './heat'
import { drawLine } from './line'

/** Draws rows by a mark; `null` for marks that are no drawing (figures and tables). */
export function draw(mark: Mark, report: Report, rows: Rows, sheet: Sheet): Drawing | null {
  switch (mark.kind) {
    case 'line': return drawLine(mark, rows, sheet)
    case 'bars': return drawBars(mark, rows, sheet, report)
    case 'heat': return drawHeat(mark, rows, sheet)
    case 'boxes': return drawBoxes(mark, rows, sheet, report)
    default: return null
  }
}
