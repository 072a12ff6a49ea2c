/** What is collected now: each server, and the log, table, lake and disk behind it. */
import { useEffect, useState } from 'preact/hooks'

import { collector, Refusal, type Collected, type Problem } from '../api'
import { bytes, columnLabel, duration, exact, rangeText } from '../numbers'
import { paused, state } from '../page'
import { unreadOf } from '../timeline/gaps'
import { wallOf } from '../zone'

const AGAIN_MS = 2000
const COLUMNS = ['state', 'via', 'filling', 'posts', 'posts_a_minute', 'last_post_at', 'lag_seconds', 'completeness', 'blind', 'retry_at', 'failures', 'gaps', 'skipped', 'rejected', 'last_error']
/** Columns that are shown where a server has something to say in them. */
const RARE = ['completeness', 'blind', 'filling', 'retry_at', 'skipped', 'rejected', 'last_error']

export function Collector() {
  const [found, setFound] = useState<Collected | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  useEffect(() => {
    const controller = new AbortController()
    let timer: ReturnType<typeof setTimeout>
    const ask = async () => {
      try {
        if (!paused.value && !document.hidden) setFound(withFilling(await collector(controller.signal)))
        setProblem(null)
      } catch (error) {
        if (controller.signal.aborted) return
        setProblem(error instanceof Refusal ? error.problem : { message: String(error) })
      }
      timer = setTimeout(ask, AGAIN_MS)
    }
    void ask()
    return () => {
      controller.abort()
      clearTimeout(timer)
    }
  }, [])
  if (problem && !found) return <div class="trouble" role="alert"><p>{problem.message}</p>{problem.hint && <p class="soft">{problem.hint}</p>}</div>
  if (!found) return <div class="skeleton high" role="status"><span class="unseen">Asking…</span></div>
  const columns = COLUMNS.filter(name => found.servers.some(server => (RARE.includes(name) ? field(name, server[name] ?? {}) !== 'none' : server[name] !== undefined)))
  return (
    <section class="collector" aria-label="Collector">
      {found.servers.length === 0
        ? <p class="empty">No server is read here. <code>fedilake run --server HOST</code> reads one.</p>
        : (
          <div class="table" tabIndex={0} role="region" aria-label="Servers">
            <table>
              <caption class="unseen">Servers that are read</caption>
              <thead><tr><th scope="col">server</th>{columns.map(name => <th scope="col" class={isNumber(name) ? 'number' : ''}>{columnLabel(name.replace(/_(seconds|at)$/, ''))}</th>)}</tr></thead>
              <tbody>{found.servers.map(server => <tr><th scope="row">{server.server}</th>{columns.map(name => <td class={`${isNumber(name) ? 'number' : ''}${name === 'last_error' && server[name] ? ' trouble' : ''}`}>{field(name, server[name])}</td>)}</tr>)}</tbody>
            </table>
          </div>
        )}
      <div class="stores">
        {(['log', 'table', 'lake', 'disk'] as const).map(part => found[part] && (
          <article class="store" key={part}>
            <h2>{part[0]!.toUpperCase() + part.slice(1)}</h2>
            <dl>{Object.entries(found[part]!).filter(([, value]) => typeof value !== 'object' || value === null).map(([name, value]) => <div><dt>{name === 'bytes' ? 'size' : columnLabel(name.replace(/_(bytes|seconds|at)$/, ''))}</dt><dd>{field(name, value)}</dd></div>)}</dl>
          </article>
        ))}
      </div>
    </section>
  )
}

/** The figures with columns that say which servers' gaps are being filled, and which are blind. */
function withFilling(found: Collected): Collected {
  const blind = (is: unknown) => (is === true ? 'shows less than half of its members’ posts' : null)
  const filling = (pages: unknown) => ((pages as { filling?: boolean } | undefined)?.filling ? 'a gap' : null)
  return { ...found, servers: found.servers.map(server => ({ ...server, filling: filling(server.pages), blind: blind(server.blind) })) }
}

/** States of a server that do not speak for themselves. */
const STATES: Record<string, string> = { backing_off: 'trying again' }

const isNumber = (name: string) => ['posts', 'posts_a_minute', 'lag_seconds', 'completeness'].includes(name)

function field(name: string, value: unknown): string {
  if (value === null || value === undefined) return '–'
  if (Array.isArray(value)) {
    const unread = unreadOf(value)
    const newest = unread.at(-1)
    const zone = state.value.timezone
    const filled = value.length - unread.length
    return [newest && `${exact(unread.length)} not filled, last ${rangeText(wallOf(newest.from, zone), wallOf(newest.to, zone))}`, filled > 0 && `${exact(filled)} filled`].filter(Boolean).join('; ') || 'none'
  }
  if (typeof value === 'object') {
    // Counts by kind.
    return Object.entries(value).filter(([, count]) => Number(count) !== 0).map(([kind, count]) => `${columnLabel(kind)} ${exact(Number(count))}`).join(', ') || 'none'
  }
  if (name === 'bytes' || name.endsWith('_bytes')) return bytes(Number(value))
  if (name === 'completeness') return `${(Number(value) * 100).toFixed(1)} %`
  if (name.endsWith('_seconds')) return duration(Number(value))
  if (name.endsWith('_at') && typeof value === 'string') {
    const seconds = (Date.now() - Date.parse(value)) / 1000
    return seconds < -1 ? `in ${duration(-seconds)}` : `${duration(Math.max(0, seconds))} ago`
  }
  if (typeof value === 'number') return exact(value)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (name === 'state') return STATES[String(value)] ?? columnLabel(String(value))
  return String(value)
}
