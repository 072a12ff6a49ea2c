/** The filter of a state in words, for pictures, panels that are empty and the chips' row. */
import { rangeText, wallClockText } from '../numbers'
import { NAME_KEYS, type Range, type State } from '../state'
import { wallOf } from '../zone'

export function filterText(state: State, range: Range): string {
  const parts: string[] = []
  const time = timeText(state, range)
  if (time !== null) parts.push(time)
  for (const key of NAME_KEYS) {
    if (state.only[key].length > 0) parts.push(`${key} ${state.only[key].join(' or ')}`)
    if (state.without[key].length > 0) parts.push(`not ${key} ${state.without[key].join(' or ')}`)
  }
  if (state.bot !== null) parts.push(`${state.bot} only`)
  return parts.length === 0 ? 'all posts' : parts.join(' · ')
}

export function timeText(state: State, { from, to }: Range): string | null {
  if (state.last !== null) return `last ${state.last}`
  const wall = (at: number) => wallOf(at, state.timezone)
  if (from !== null && to !== null) return rangeText(wall(from), wall(to))
  if (from !== null) return `from ${wallClockText(wall(from), true)}`
  if (to !== null) return `before ${wallClockText(wall(to), true)}`
  return null
}
