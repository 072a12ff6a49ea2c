/** Steps of the calendar, on wall clocks ({@link ./zone}). */
import type { Step } from './state'

export const WIDTH: Record<Step, number> = { hour: 3600e3, day: 86400e3, week: 7 * 86400e3 }

/** The beginning of the step that contains a wall clock. Weeks begin on Monday. */
export function stepAt(wall: number, by: Step): number {
  // 1 January 1970 was a Thursday, three days after a Monday.
  const shift = by === 'week' ? 3 * WIDTH.day : 0
  return Math.floor((wall + shift) / WIDTH[by]) * WIDTH[by] - shift
}

/** The nearest beginning of a step. */
export function nearestStep(wall: number, by: Step): number {
  const start = stepAt(wall, by)
  return wall - start < WIDTH[by] / 2 ? start : start + WIDTH[by]
}
