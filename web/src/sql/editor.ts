/** The SQL editor: completion from the lake's schema, errors shown at their place. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { PostgreSQL, sql } from '@codemirror/lang-sql'
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { setDiagnostics } from '@codemirror/lint'
import { EditorState, Compartment } from '@codemirror/state'
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers, placeholder } from '@codemirror/view'
import { tags } from '@lezer/highlight'

import type { Schema, SqlProblem } from '../api'

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--link)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--category-3)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--category-2)' },
  { tag: tags.comment, color: 'var(--soft)', fontStyle: 'italic' },
])

const look = EditorView.theme({
  '&': { fontSize: '13px', backgroundColor: 'var(--panel)', color: 'var(--ink)', border: '1px solid var(--edge)', borderRadius: '6px', height: '100%' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-1px' },
  '.cm-scroller': { fontFamily: "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace", lineHeight: '1.5' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--soft)', border: 'none' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { backgroundColor: 'var(--chosen)' },
  '.cm-placeholder': { color: 'var(--soft)' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--ink)', border: '1px solid var(--edge)', borderRadius: '4px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--chosen)', color: 'var(--ink)' },
  '.cm-completionDetail': { color: 'var(--soft)' },
})

export interface Editor {
  text: () => string
  setText: (text: string) => void
  setSchema: (schema: Schema) => void
  showProblem: (problem: SqlProblem | null) => void
  focus: () => void
  end: () => void
}

/**
 * Puts an editor into an element. It lives in a shadow tree, because there CodeMirror adopts its style sheets; in the
 * page itself it would write style elements, which the page's Content-Security-Policy refuses.
 */
export function editor(host: HTMLElement, text: string, run: () => void, changed: () => void): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' })
  const language = new Compartment()
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), highlightSpecialChars(), history(), drawSelection(), bracketMatching(), closeBrackets(), autocompletion(),
        syntaxHighlighting(colours), look, EditorView.lineWrapping,
        placeholder('select language, count(*) as posts from posts group by all order by posts desc'),
        EditorView.contentAttributes.of({ 'aria-label': 'SQL statement. Control and Enter runs it.' }),
        language.of(sql({ dialect: PostgreSQL })),
        EditorView.updateListener.of(update => {
          if (update.docChanged) changed()
        }),
        // Tab leaves the editor, as it leaves every other field.
        keymap.of([{ key: 'Mod-Enter', run: () => (run(), true) }, ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
      ],
    }),
  })
  return {
    text: () => view.state.doc.toString(),
    setText: next => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    setSchema: schema => view.dispatch({ effects: language.reconfigure(languageOf(schema)) }),
    showProblem: problem => view.dispatch(setDiagnostics(view.state, problem === null ? [] : diagnosticOf(view, problem))),
    focus: () => view.focus(),
    end: () => view.destroy(),
  }
}

function languageOf({ views, functions }: Schema) {
  const schema = Object.fromEntries(views.map(view => [view.name, view.columns.map(column => ({ label: column.name, detail: column.type, type: 'property' }))]))
  const columns = new Map(views.flatMap(view => view.columns.map(column => [column.name, { label: column.name, detail: `${column.type}, ${view.name}`, type: 'property', boost: 1 }])))
  const calls = functions.map(found => (typeof found === 'string' ? found : found.name)).map(name => ({ label: name, type: 'function', apply: `${name}(`, boost: -1 }))
  const options = [...columns.values(), ...calls]
  const language = sql({ dialect: PostgreSQL, schema })
  const complete = (context: CompletionContext) => {
    const word = context.matchBefore(/\w+/)
    return word === null && !context.explicit ? null : { from: word?.from ?? context.pos, options, validFor: /^\w*$/ }
  }
  return [language, PostgreSQL.language.data.of({ autocomplete: complete })]
}

function diagnosticOf(view: EditorView, problem: SqlProblem) {
  if (!problem.line || problem.line > view.state.doc.lines) return []
  const line = view.state.doc.line(problem.line)
  const from = Math.min(line.to, line.from + Math.max(0, (problem.column ?? 1) - 1))
  const word = /^[\w.]+/.exec(view.state.sliceDoc(from, line.to))
  return [{ from, to: Math.min(view.state.doc.length, from + (word?.[0].length ?? 1)), severity: 'error' as const, message: problem.message }]
}
