/** Statements that the reader asked, the newest first, kept in the browser. */

const KEPT = 50
const PLACE = 'sql-history'

export function asked(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(PLACE) ?? '[]')
    return Array.isArray(kept) ? kept.filter(query => typeof query === 'string') : []
  } catch {
    return []
  }
}

export function remember(query: string): void {
  localStorage.setItem(PLACE, JSON.stringify([query, ...asked().filter(other => other !== query)].slice(0, KEPT)))
}
