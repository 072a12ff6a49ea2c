/** The first page stays small. Needs `npm run build`, as `make setup` runs it. */
import { existsSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'

const DIST = new URL('../dist', import.meta.url).pathname

it.skipIf(!existsSync(DIST))('what a browser loads before it draws is at most 300 KB compressed', () => {
  const index = readFileSync(`${DIST}/index.html`, 'utf8')
  const files = ['/index.html', ...[...index.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path!)]
  expect(files.some(file => file.endsWith('.js')) && files.some(file => file.endsWith('.css'))).toBe(true)
  const bytes = files.map(file => gzipSync(readFileSync(DIST + file)).length).reduce((sum, size) => sum + size)
  expect(bytes).toBeLessThanOrEqual(300 * 1024)
})

it.skipIf(!existsSync(DIST))('the editor and the grid of the SQL tab are loaded on that tab only', () => {
  const index = readFileSync(`${DIST}/index.html`, 'utf8')
  const scripts = [...index.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)].map(([, path]) => readFileSync(DIST + path!, 'utf8'))
  for (const script of scripts) for (const part of ['cm-content', 'regular-table']) expect(script.includes(part), part).toBe(false)
})
