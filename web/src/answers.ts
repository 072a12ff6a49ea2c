/** The rows that the page shows: asked for when the state changes, and again when the lake did. */
import { effect, signal, untracked } from '@preact/signals'

import * as api from './api'
import { catalogue, live, paused, range, state } from './page'
import { questionsOf, type Question } from './questions'

export type Answer = { rows: api.Rows; problem?: undefined } | { rows?: undefined; problem: api.Problem }

/** Rows by report and question, those of the present state and of states before it. */
export const answers = signal<ReadonlyMap<string, Answer>>(new Map())

const KEPT_MAX = 200
/** Least time between two questions about the same posts while the lake changes. */
const LIVE_MS = 1000
const kept = new Map<string, Answer>()
let isShowing = false
const etags = new Map<string, string>()
const running = new Map<string, AbortController>()

export function answerOf(name: string, asked: string): Answer | undefined {
  return answers.value.get(key(name, asked))
}

/** Keeps the answers to the state's questions up to date from now on. */
export function keepAnswering(): void {
  effect(() => {
    if (catalogue.value === null) return
    const questions = questionsOf(state.value, range.value, catalogue.value)
    untracked(() => {
      const wanted = new Set(questions.map(id))
      for (const [other, controller] of running) {
        if (!wanted.has(other)) controller.abort()
      }
      for (const question of questions) if (!isAnswered(question)) void ask(question)
    })
  })
  let asking = false
  let again = false
  const askAgain = async () => {
    // A paused page keeps the rows of its moment.
    if (paused.value) return
    if (asking) return void (again = true)
    asking = true
    const began = performance.now()
    await Promise.all(questionsOf(state.value, range.value, catalogue.value ?? []).map(ask))
    // A slow server is asked less often.
    const took = performance.now() - began
    setTimeout(() => {
      asking = false
      if (again) {
        again = false
        void askAgain()
      }
    }, Math.max(LIVE_MS, 3 * took) - took)
  }
  let seen: string | null = null
  effect(() => {
    const { snapshot } = live.value
    if (snapshot === null || snapshot === seen) return
    const first = seen === null
    seen = snapshot
    if (!first && !document.hidden) untracked(() => void askAgain())
  })
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void askAgain()
  })
  let held = false
  effect(() => {
    if (held && !paused.value) untracked(() => void askAgain())
    held = paused.value
  })
  // Whatever failed while the server was away is asked again when it is back.
  let connected = true
  effect(() => {
    if (live.value.connected && !connected) untracked(() => void askAgain())
    connected = live.value.connected
  })
}

function isAnswered({ names, asked }: Question): boolean {
  return names.every(name => kept.get(key(name, asked))?.rows !== undefined)
}

async function ask(question: Question): Promise<void> {
  const { names, asked } = question
  const own = id(question)
  if (running.has(own)) return
  const controller = new AbortController()
  running.set(own, controller)
  try {
    const isAgain = isAnswered(question)
    const etag = isAgain ? (etags.get(own) ?? null) : null
    const found = await api.panels(names, asked, etag, controller.signal)
    if (found === null) return
    for await (const line of found.lines) {
      // The reader paused while newer rows were on their way.
      if (isAgain && paused.value) return
      put(line.name, asked, line.error ? { problem: line.error } : { rows: line as api.Rows })
    }
    if (found.etag !== null) etags.set(own, found.etag)
  } catch (error) {
    if (controller.signal.aborted) return
    const problem = error instanceof api.Refusal ? error.problem : { message: String(error) }
    // Rows that are there stay: the bar above says that the server is away.
    for (const name of names) if (kept.get(key(name, asked))?.rows === undefined) put(name, asked, { problem })
  } finally {
    running.delete(own)
  }
}

/** Keeps an answer. Those that come together are shown together, so that the page is drawn once for them. */
function put(name: string, asked: string, answer: Answer): void {
  kept.delete(key(name, asked))
  kept.set(key(name, asked), answer)
  for (const old of kept.keys()) {
    if (kept.size <= KEPT_MAX) break
    kept.delete(old)
  }
  if (isShowing) return
  isShowing = true
  setTimeout(() => {
    isShowing = false
    answers.value = new Map(kept)
  })
}

const key = (name: string, asked: string) => `${name}?${asked}`
const id = ({ names, asked }: Question) => `${names.join(',')}?${asked}`
