/** The API under /api/v1, as the page uses it. */
import { linesOf } from './ndjson'
import type { FilterKey, NameKey } from './state'

const ROOT = '/api/v1'

export type Mark =
  | { kind: 'figures'; columns: string[] }
  | { kind: 'line'; x: string; y: string; series?: string }
  | { kind: 'bars'; x: string; y: string; series?: string }
  | { kind: 'heat'; x: string; y: string; value: string }
  | { kind: 'boxes'; y: string; min: string; lower: string; median: string; upper: string; max: string }
  | { kind: 'table' }

export interface Report {
  name: string
  title: string
  help: string
  tab: string
  order: number
  unit: string
  of: string
  caption: string
  marks: Mark[]
  click: Record<string, FilterKey>
  words: boolean
}

export type ColumnType = 'integer' | 'number' | 'text' | 'boolean' | 'date' | 'timestamp' | 'list'
export interface Column {
  name: string
  type: ColumnType
}
export type Value = string | number | boolean | null | Value[]

export interface Rows {
  columns: Column[]
  rows: Value[][]
  note?: string | null
}

export interface Problem {
  message: string
  hint?: string | null
}

/** An error that the API named, or a connection that failed. */
export class Refusal extends Error {
  constructor(readonly problem: Problem, readonly status: number) {
    super(problem.message)
  }
}

export interface Post {
  uri: string
  url: string | null
  created_at: string
  author: string
  author_bot: boolean
  language: string | null
  text: string
  spoiler_text: string | null
  app: string | null
  server: string
  tags: string[] | null
  media: number | null
  edited_at: string | null
}

export async function reports(): Promise<Report[]> {
  return (await json<{ reports: Report[] }>('/reports')).reports
}

export type PanelLine = { name: string } & (Rows & { error?: undefined } | { error: Problem })

/** Rows of reports, each as it is ready; `null` if they are still those of `etag`. */
export async function panels(names: string[], asked: string, etag: string | null, signal: AbortSignal): Promise<{ etag: string | null; lines: AsyncGenerator<PanelLine> } | null> {
  const query = names.map(name => `name=${encodeURIComponent(name)}`).join('&')
  const response = await request(`/panels?${query}&${asked}`, { signal, headers: etag === null ? {} : { 'If-None-Match': etag }, cache: 'no-store' })
  if (response.status === 304) return null
  return { etag: response.headers.get('etag'), lines: linesOf<PanelLine>(response) }
}

export function posts(asked: string, signal: AbortSignal): Promise<{ posts: Post[]; next: string | null }> {
  return json(`/posts?${asked}`, { signal })
}

export async function reportSql(name: string, asked: string): Promise<string> {
  return (await request(`/reports/${name}/sql?${asked}`)).text()
}

/** The address of a report's rows as a file. */
export function reportFile(name: string, asked: string, format: string): string {
  return `${ROOT}/reports/${name}?${asked}&format=${format}`
}

/** The permanent address of a statement's rows. */
export function sqlFile(query: string, format: string): string {
  return `${ROOT}/sql?query=${encodeURIComponent(query)}&format=${format}`
}

export async function names(of: NameKey, prefix: string, signal: AbortSignal): Promise<{ name: string; posts: number }[]> {
  const query = new URLSearchParams({ of, prefix, limit: '20' })
  return (await json<{ names: { name: string; posts: number }[] }>(`/names?${query}`, { signal })).names
}

export interface Schema {
  views: { name: string; columns: { name: string; type: string }[] }[]
  functions: (string | { name: string })[]
}

export function schema(): Promise<Schema> {
  return json('/schema')
}

export interface Gap {
  from: string
  to: string | null
  filled?: boolean
}

export interface Collected {
  servers: ({ server: string; state?: string; gaps?: Gap[]; [field: string]: unknown })[]
  log?: Record<string, unknown>
  table?: Record<string, unknown>
  lake?: Record<string, unknown>
  disk?: Record<string, unknown>
}

export function collector(signal?: AbortSignal): Promise<Collected> {
  return json('/collector', signal ? { signal } : {})
}

export interface SqlProblem extends Problem {
  kind?: string
  line?: number | null
  column?: number | null
  excerpt?: string | null
}

export interface SqlLine {
  columns?: Column[]
  rows?: Value[][]
  end?: { rows: number; truncated: boolean; millis: number }
  error?: SqlProblem
}

/** Asks a statement; the server stops it when `signal` is aborted. */
export async function* sql(query: string, signal: AbortSignal): AsyncGenerator<SqlLine> {
  const response = await request('/sql', { method: 'POST', signal, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, rows_max: 100_000 }) })
  yield* linesOf<SqlLine>(response)
}

export function liveEvents(): EventSource {
  return new EventSource(`${ROOT}/live`)
}

async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  return (await request(path, init)).json() as Promise<T>
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response
  try {
    response = await fetch(ROOT + path, init)
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw new Refusal({ message: 'fedilake does not answer', hint: 'Is it still running? The page asks again by itself.' }, 0)
  }
  if (response.ok || response.status === 304) return response
  let problem: Problem = { message: `fedilake answered ${response.status} ${response.statusText}` }
  try {
    problem = ((await response.json()) as { error: Problem }).error ?? problem
  } catch {
    // The status says enough.
  }
  throw new Refusal(problem, response.status)
}
