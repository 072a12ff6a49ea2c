/** The menu of a panel: its SQL, its rows as files, its picture. */
import type { RefObject } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'

import { reportFile, reportSql, type Report } from '../api'
import { range, change, said, state } from '../page'
import { pictureFile, svgFile } from './picture'

interface Props {
  report: Report
  asked: string
  panel: RefObject<HTMLElement | null>
  asTable: boolean
  setAsTable: (asTable: boolean) => void
  showComputed: () => void
}

export function Menu({ report, asked, panel, asTable, setAsTable, showComputed }: Props) {
  const [isOpen, setOpen] = useState(false)
  const [sql, setSql] = useState<string | null>(null)
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const close = () => {
    setOpen(false)
    button.current?.focus()
  }
  useEffect(() => {
    if (!isOpen) return
    list.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus()
    const outside = (event: Event) => {
      if (!list.current?.contains(event.target as Node) && !button.current?.contains(event.target as Node)) setOpen(false)
    }
    addEventListener('pointerdown', outside)
    return () => removeEventListener('pointerdown', outside)
  }, [isOpen])
  const onKeyDown = (event: KeyboardEvent) => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])]
    const at = items.indexOf(document.activeElement as HTMLElement)
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key]
    if (next !== undefined) items[(next + items.length) % items.length]?.focus()
    else if (event.key === 'Escape') close()
    else if (event.key === 'Tab') return setOpen(false)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  const act = (action: () => unknown) => () => {
    close()
    void action()
  }
  const picture = () => ({ report, state: state.value, range: range.value, svg: panel.current?.querySelector<SVGSVGElement>('.canvas svg') ?? null })
  const copy = async () => {
    const text = await reportSql(report.name, asked)
    await navigator.clipboard.writeText(text)
    said.value = 'The SQL is copied.'
  }
  const hasPicture = picture().svg !== null
  return (
    <div class="menu-place">
      <button type="button" class="plain icon" ref={button} aria-haspopup="menu" aria-expanded={isOpen} aria-controls={id} aria-label={`Menu of ${report.title}`} onClick={() => setOpen(!isOpen)}>⋯</button>
      {isOpen && (
        <div class="menu" role="menu" id={id} ref={list} onKeyDown={onKeyDown} aria-label={report.title}>
          <button role="menuitem" onClick={act(() => setAsTable(!asTable))}>{asTable ? 'Show as a chart' : 'Show as a table'}</button>
          <button role="menuitem" onClick={act(() => change({ full: state.value.full === report.name ? null : report.name }))}>Full screen</button>
          <button role="menuitem" onClick={act(showComputed)}>How it is computed</button>
          <hr />
          <button role="menuitem" onClick={act(async () => setSql(await reportSql(report.name, asked)))}>Show SQL</button>
          <button role="menuitem" onClick={act(copy)}>Copy SQL</button>
          <button role="menuitem" onClick={act(async () => change({ tab: 'sql', full: null, query: await reportSql(report.name, asked) }))}>Open on the SQL tab</button>
          <hr />
          {['csv', 'parquet', 'json'].map(format => <a role="menuitem" href={reportFile(report.name, asked, format)} download onClick={() => setOpen(false)}>{format === 'parquet' ? 'Parquet' : format.toUpperCase()}</a>)}
          {hasPicture && <button role="menuitem" onClick={act(() => svgFile(picture()))}>SVG</button>}
          {hasPicture && <button role="menuitem" onClick={act(() => pictureFile(picture()))}>PNG</button>}
        </div>
      )}
      {sql !== null && <SqlText title={report.title} text={sql} close={() => setSql(null)} />}
    </div>
  )
}

function SqlText({ title, text, close }: { title: string; text: string; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current!.showModal(), [])
  return (
    <dialog ref={dialog} onClose={close} aria-label={`SQL of ${title}`}>
      <header><h2>{title}</h2><button type="button" onClick={() => void navigator.clipboard.writeText(text)}>Copy</button><button type="button" onClick={() => dialog.current!.close()}>Close</button></header>
      <pre tabIndex={0}>{text}</pre>
    </dialog>
  )
}
