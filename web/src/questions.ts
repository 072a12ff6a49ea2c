/** Which reports a state needs, about which posts. Pure, so that tests can hold it. */
import type { Report } from './api'
import { askedOf, hasFilter, isFiltered, rangeBefore, withoutKey, type Range, type State } from './state'

/** Report of the time line, the one that the page knows by name. */
export const TIME_LINE = 'timeline'

/** Report of the times that the time line hatches: a server was not read, and nothing was fetched since. */
export const GAPS = 'gaps'

/** Rows of `names` about the posts of `asked`. */
export interface Question {
  asked: string
  names: string[]
}

/** The tab's reports that have a panel: the time line and the row of figures stand above the panels. */
export function panelsOf(catalogue: Report[], tab: string): Report[] {
  const figures = figuresOf(catalogue)
  return catalogue.filter(report => report.tab === tab && report.name !== TIME_LINE && report !== figures).sort((a, b) => a.order - b.order)
}

/** The report of the row of figures. */
export function figuresOf(catalogue: Report[]): Report | undefined {
  return catalogue.find(report => report.tab === 'overview' && report.marks[0]?.kind === 'figures')
}

/** What the panel shows beside its rows: the same without the filter that the panel itself set. */
export function ghostAsked(state: State, range: Range, report: Report): string | null {
  if (state.panel !== report.name) return null
  const keys = Object.values(report.click).filter(key => key !== 'time' && isFiltered(state, key))
  if (keys.length === 0) return null
  return askedOf(keys.reduce(withoutKey, state), range)
}

/** The whole time line, and the posts that the filter removed from it. */
export const wholeAsked = (state: State): string => askedOf(state, { from: null, to: null })
export function ghostLineAsked(state: State): string | null {
  const nothing = (['origin', 'server', 'language', 'app', 'hashtag', 'about', 'bot'] as const).reduce<State>(withoutKey, state)
  return hasFilter({ ...state, from: null, to: null, last: null }) ? askedOf(nothing, { from: null, to: null }) : null
}
/** The reports behind the sparklines, the first that has a figure's column gives it: lines over the days. */
export function sparklinesOf(catalogue: Report[], state: State, range: Range): { name: string; asked: string }[] {
  const isDaily = ({ tab, name, marks: [mark] }: Report) => tab === 'overview' && name !== TIME_LINE && mark?.kind === 'line' && mark.series === undefined
  const days = catalogue.filter(isDaily).map(({ name }) => ({ name, asked: askedOf(state, range) }))
  return [{ name: TIME_LINE, asked: askedOf({ ...state, by: 'day' }, range) }, ...days]
}

export function questionsOf(state: State, range: Range, catalogue: Report[]): Question[] {
  const questions = new Map<string, Set<string>>()
  const ask = (asked: string | null, name: string) => {
    if (asked === null) return
    const names = questions.get(asked) ?? new Set()
    questions.set(asked, names.add(name))
  }
  if (state.tab === 'sql') return []
  const now = askedOf(state, range)
  const figures = figuresOf(catalogue)
  if (figures) {
    ask(now, figures.name)
    const before = state.compare ? rangeBefore(range) : null
    if (before) ask(askedOf(state, before), figures.name)
  }
  if (catalogue.some(report => report.name === TIME_LINE)) {
    ask(wholeAsked(state), TIME_LINE)
    for (const { name, asked } of sparklinesOf(catalogue, state, range)) ask(asked, name)
    ask(ghostLineAsked(state), TIME_LINE)
  }
  if (catalogue.some(report => report.name === GAPS)) ask(wholeAsked(state), GAPS)
  for (const report of panelsOf(catalogue, state.tab)) {
    ask(now, report.name)
    ask(ghostAsked(state, range, report), report.name)
  }
  return [...questions].map(([asked, names]) => ({ asked, names: [...names] }))
}
