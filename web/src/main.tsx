/** The dashboard: what the reader chose is in `state`, what the lake answered in `answers`; this draws both. */
import { render } from 'preact'
import { lazy, Suspense } from 'preact/compat'
import { useEffect } from 'preact/hooks'

import { keepAnswering } from './answers'
import { applyTheme, Bar, TABS } from './bar'
import { Figures } from './figures'
import { Calendar, FilterRow } from './filter/row'
import { followLake, readCatalogue, said, state } from './page'
import { clearOnEscape } from './panel/chart'
import './style/page.css'
import { Collector } from './tabs/collector'
import { Panels } from './tabs/panels'
import { Posts } from './tabs/posts'
import { TimeLine } from './timeline/timeline'

const SqlTab = lazy(() => import('./sql/tab').then(module => module.SqlTab))

function Page() {
  const { tab, full } = state.value
  useEffect(() => {
    document.title = `${TABS.find(([name]) => name === tab)?.[1] ?? 'Overview'} – fedilake`
  }, [tab])
  return (
    <>
      <a class="unseen skip" href="#content">To the content</a>
      <Bar />
      {tab !== 'sql' && full === null && (
        <div class="head">
          <div class="top"><Figures /><Calendar /></div>
          <FilterRow />
          <TimeLine />
        </div>
      )}
      <main id="content" tabIndex={-1} class={full === null ? tab : 'one'}>
        {tab === 'sql' ? <Suspense fallback={<div class="skeleton high" />}><SqlTab /></Suspense>
          : tab === 'posts' ? <Posts />
          : <>{tab === 'collector' && full === null && <Collector />}<Panels tab={tab} /></>}
      </main>
      <div class="unseen" role="status" aria-live="polite">{said.value}</div>
    </>
  )
}

applyTheme()
render(<Page />, document.getElementById('page')!)
clearOnEscape()
keepAnswering()
followLake()
void readCatalogue()
