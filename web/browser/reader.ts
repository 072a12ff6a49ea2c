/**
 * A reader with Chromium before a fedilake that runs.
 *
 * BASE_URL is the address of the fedilake; CHROMIUM the browser (default: /usr/bin/chromium). Without a browser the
 * tests are skipped, or fail if FEDILAKE_REQUIRE_BROWSER=1.
 */
import { existsSync } from 'node:fs'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core'
import { expect, vi } from 'vitest'

export const BASE_URL = (process.env.FEDILAKE_BASE_URL ?? '').replace(/\/$/, '')
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
export const hasBrowser = existsSync(CHROMIUM)

if (!hasBrowser && process.env.FEDILAKE_REQUIRE_BROWSER === '1') throw new Error(`no browser at ${CHROMIUM}: install Chromium, or name one in CHROMIUM`)
if (hasBrowser && BASE_URL === '') throw new Error('BASE_URL must be the address of a running fedilake, such as http://127.0.0.1:7878')

export function openBrowser(): Promise<Browser> {
  // Without these, Chromium asks Google's hosts by itself.
  const quiet = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  return chromium.launch({ executablePath: CHROMIUM, args: quiet })
}

export interface Reader {
  page: Page
  /** Errors of the console and of scripts, and addresses that were asked for beyond the machine. */
  complaints: string[]
  /** Closes the page; fails if anything complained. */
  leave: () => Promise<void>
}

/** A reader in a fresh browser profile who has opened an address of the dashboard. */
export async function reader(browser: Browser, query = '', options: BrowserContextOptions = {}, base = BASE_URL): Promise<Reader> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, locale: 'en-GB', ...options })
  context.setDefaultTimeout(90_000)
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(base).origin })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(error.message))
  page.on('request', request => {
    const { protocol, origin } = new URL(request.url())
    if (!['data:', 'blob:'].includes(protocol) && origin !== new URL(base).origin) complaints.push(`asked ${request.url()}`)
  })
  await page.goto(`${base}/${query}`)
  await settled(page)
  return {
    page,
    complaints,
    leave: async () => {
      await context.close()
      expect(complaints).toEqual([])
    },
  }
}

/** Waits until every panel has its rows. */
export async function settled(page: Page): Promise<void> {
  // A change of the state is drawn with the next frame.
  await page.evaluate(() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(drawn)))))
  await page.waitForFunction(() => document.querySelector('.panel, .sql, .posts li, .collector') !== null && document.querySelector('[aria-busy=true]') === null)
}

export const panel = (page: Page, report: string) => page.locator(`article[data-report=${report}]`)

/** Clicks a bar of a panel, counted from the top. */
export async function clickBar(page: Page, report: string, place: number, modifiers: ('Shift' | 'Alt')[] = []): Promise<void> {
  const bars = panel(page, report).locator('.canvas g[aria-label=bar]').last().locator('rect')
  const box = await boxOf(bars.nth(place))
  for (const key of modifiers) await page.keyboard.down(key)
  await page.mouse.click(box.x + Math.min(3, box.width / 2), box.y + box.height / 2)
  for (const key of modifiers) await page.keyboard.up(key)
  await settled(page)
}

/** Where a mark is on the screen. A drawing that is made anew has no marks for a moment. */
export function boxOf(mark: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  return vi.waitFor(async () => (await mark.boundingBox()) ?? Promise.reject(new Error('no mark')), 5_000)
}

/** The names of a panel's first column, as its table shows them. */
export async function rowsOf(page: Page, report: string): Promise<string[][]> {
  const own = panel(page, report)
  await choose(page, report, 'Show as a table')
  const rows = await own.locator('tbody tr').evaluateAll(rows => rows.map(row => [...row.children].map(cell => cell.textContent ?? '')))
  await choose(page, report, 'Show as a chart')
  return rows
}

/** Chooses from the menu of a panel. */
export async function choose(page: Page, report: string, item: string): Promise<void> {
  await panel(page, report).getByRole('button', { name: /^Menu of/ }).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
}

/** The rows of a Parquet file. */
export function parquetRows(file: Buffer): Promise<Record<string, unknown>[]> {
  return parquetReadObjects({ file: new Uint8Array(file).buffer, compressors })
}

/** A figure above, exactly as its title has it. */
export const figure = (page: Page, column: string) => page.locator(`[data-column=${column}] .value`).getAttribute('title')

/** Waits until fedilake itself counts so many posts more than now. */
export async function morePosts(page: Page, more: number): Promise<void> {
  const count = async () => Number(((await (await page.request.get(`${BASE_URL}/api/v1/panels?name=statistics`)).json()) as { columns: { name: string }[]; rows: number[][] }).rows[0]![0])
  const wanted = (await count()) + more
  await expect.poll(count, { timeout: 90_000, interval: 500 }).toBeGreaterThanOrEqual(wanted)
}

export function keys(page: Page): URLSearchParams {
  return new URL(page.url()).searchParams
}
