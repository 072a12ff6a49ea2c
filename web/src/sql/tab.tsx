/** The SQL tab: a statement, its rows, their profiles and a drawing of them. */
import './sql.css'
import { useEffect, useRef, useState } from 'preact/hooks'

import { Refusal, schema, sql, sqlFile, type Column, type Report, type SqlProblem, type Value } from '../api'
import { exact } from '../numbers'
import { change, said, state } from '../page'
import { Chart } from '../panel/chart'
import { save } from '../panel/picture'
import { editor, type Editor } from './editor'
import { Grid } from './grid'
import { BARS_MAX, guessed } from './guess'
import { asked, remember } from './history'

interface Answer {
  query: string
  columns: Column[]
  rows: Value[][]
  /** Rows of the whole answer, and the time that it took, once it has ended. */
  end: { rows: number; truncated: boolean; millis: number } | null
}

export function SqlTab() {
  const host = useRef<HTMLDivElement>(null)
  const box = useRef<Editor | null>(null)
  const running = useRef<AbortController | null>(null)
  const [answer, setAnswer] = useState<Answer | null>(null)
  const [problem, setProblem] = useState<SqlProblem | null>(null)
  const [isRunning, setRunning] = useState(false)
  const [isDrawn, setDrawn] = useState(false)
  const [queries, setQueries] = useState(asked)

  const run = async () => {
    const query = box.current!.text().trim()
    if (query === '') return
    running.current?.abort()
    const controller = (running.current = new AbortController())
    change({ query: box.current!.text() }, 'replace')
    setRunning(true)
    setProblem(null)
    box.current!.showProblem(null)
    remember(query)
    setQueries(asked())
    const next: Answer = { query, columns: [], rows: [], end: null }
    try {
      for await (const line of sql(query, controller.signal)) {
        if (line.columns) next.columns = line.columns
        else if (line.rows) next.rows.push(...line.rows)
        else if (line.end) next.end = line.end
        else if (line.error) return refuse(line.error)
        // A copy, so that profiles are made of all rows and not again for each piece.
        if (line.columns || line.end) setAnswer({ ...next, rows: [...next.rows] })
      }
      said.value = `${exact(next.end?.rows ?? next.rows.length)} rows`
    } catch (error) {
      if (controller.signal.aborted) said.value = 'Cancelled.'
      else refuse(error instanceof Refusal ? error.problem : { message: String(error) })
    } finally {
      if (running.current === controller) setRunning(false)
    }
  }
  const refuse = (problem: SqlProblem) => {
    setProblem(problem)
    box.current!.showProblem(problem)
  }

  useEffect(() => {
    const own = editor(host.current!, state.value.query ?? '', () => void run(), () => {})
    box.current = own
    schema().then(found => own.setSchema(found), () => {})
    if (state.value.query) void run()
    else own.focus()
    return () => {
      running.current?.abort()
      own.end()
    }
  }, [])
  // A statement that another panel opened, or the browser went back to.
  useEffect(() => {
    const query = state.value.query
    if (query !== null && query !== box.current!.text()) {
      box.current!.setText(query)
      void run()
    }
  }, [state.value.query])

  const mark = answer ? guessed(answer.columns, answer.rows) : null
  const report: Report = { name: 'answer', title: 'The answer', help: '', tab: 'sql', order: 0, unit: '', of: '', caption: '', marks: mark ? [mark] : [], click: {}, words: false }
  return (
    <section class="sql" aria-label="SQL">
      <div class="editor" ref={host} />
      <div class="actions">
        {isRunning ? <button type="button" onClick={() => running.current?.abort()}>Cancel</button> : <button type="button" class="main" onClick={() => void run()}>Run <kbd>Ctrl ⏎</kbd></button>}
        <label><span class="unseen">History</span>
          <select value="" onChange={event => { const query = event.currentTarget.value; event.currentTarget.value = ''; if (query !== '') { box.current!.setText(query); box.current!.focus() } }}>
            <option value="">History</option>
            {queries.map(query => <option value={query}>{query.replace(/\s+/g, ' ').slice(0, 80)}</option>)}
          </select>
        </label>
        <button type="button" onClick={() => save(new Blob([box.current!.text()], { type: 'application/sql' }), 'question.sql')}>.sql</button>
        {answer?.end && ['csv', 'json', 'parquet'].map(format => <a class="file" href={sqlFile(answer.query, format)} download>{format}</a>)}
        {mark && <button type="button" aria-pressed={isDrawn} onClick={() => setDrawn(!isDrawn)}>Chart</button>}
        <span class="soft" role="status">{isRunning ? 'Running…' : answer?.end && !problem ? `${answer.end.truncated ? 'the first ' : ''}${exact(answer.end.rows)} rows in ${exact(answer.end.millis)} ms` : ''}</span>
      </div>
      {problem && (
        <div class="trouble" role="alert">
          <p>{problem.line ? `Line ${problem.line}${problem.column ? `, column ${problem.column}` : ''}: ` : ''}{problem.message}</p>
          {problem.excerpt && <pre>{problem.excerpt}</pre>}
          {problem.hint && <p class="soft">{problem.hint}</p>}
        </div>
      )}
      {answer && !problem && mark && isDrawn && <div class="quick-chart" key={mark.kind}><Chart report={report} mark={mark} rows={mark.kind === 'bars' ? { ...answer, rows: answer.rows.slice(0, BARS_MAX) } : answer} ghost={null} /></div>}
      {answer && !problem && <Grid columns={answer.columns} rows={answer.rows} />}
    </section>
  )
}
