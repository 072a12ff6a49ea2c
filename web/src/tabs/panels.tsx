/** The panels of a tab, as the catalogue orders them. */
import { catalogue, catalogueProblem, state } from '../page'
import { Panel } from '../panel/panel'
import { panelsOf } from '../questions'

export function Panels({ tab }: { tab: string }) {
  if (catalogue.value === null) {
    const problem = catalogueProblem.value
    return problem ? <div class="trouble" role="alert"><p>{problem.message}</p><p class="soft">{problem.hint}</p></div> : <div class="grid" aria-busy="true" />
  }
  const panels = panelsOf(catalogue.value, tab)
  const full = panels.find(report => report.name === state.value.full)
  if (full) return <Panel key={`full ${full.name}`} report={full} full />
  return <div class="grid">{panels.map(report => <Panel key={report.name} report={report} />)}</div>
}
