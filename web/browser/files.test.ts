/** What a reader takes away: SQL, files and pictures. */
import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { choose, hasBrowser, keys, openBrowser, parquetRows, reader, rowsOf, settled } from './reader'

describe.skipIf(!hasBrowser)('taken away', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await openBrowser()))
  afterAll(() => browser.close())

  const taken = async (page: Page, item: string): Promise<Buffer> => {
    const [download] = await Promise.all([page.waitForEvent('download'), choose(page, 'languages', item)])
    expect(download.suggestedFilename()).toContain(item.toLowerCase())
    return readFile((await download.path())!)
  }

  it('files have the rows that the panel shows', async () => {
    const { page, leave } = await reader(browser, '?bot=people&to=2024-01-01')
    const rows = await rowsOf(page, 'languages')
    const json = JSON.parse((await taken(page, 'JSON')).toString()) as unknown
    expect(JSON.stringify(json)).toContain(rows[0]![0])
    const csv = (await taken(page, 'CSV')).toString().trim().split(/\r?\n/)
    expect(csv).toHaveLength(rows.length + 1)
    expect(csv[1]).toContain(rows[0]![0])
    const parquet = await parquetRows(await taken(page, 'Parquet'))
    expect(parquet.map(({ language }) => language)).toEqual(rows.map(([language]) => language))
    await leave()
  })

  it('pictures have title, unit, filter and moment written on them', async () => {
    const { page, leave } = await reader(browser, '?bot=people')
    const svg = (await taken(page, 'SVG')).toString()
    for (const text of ['Which languages are used?', 'people only', 'fedilake, newest post', 'posts of posts']) expect(svg).toContain(text)
    expect(svg).not.toContain('var(--')
    const png = await taken(page, 'PNG')
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    expect(png.readUInt32BE(16)).toBeGreaterThan(400)
    await leave()
  })

  it('the SQL of a panel is shown, copied, and runs on the SQL tab with the same rows', async () => {
    const { page, leave } = await reader(browser, '?to=2024-01-01')
    const rows = await rowsOf(page, 'languages')
    await choose(page, 'languages', 'Copy SQL')
    await page.waitForFunction(() => document.querySelector('[aria-live]')?.textContent?.includes('copied'))
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('select')
    await choose(page, 'languages', 'Show SQL')
    expect(await page.locator('dialog pre').textContent()).toContain('select')
    await page.keyboard.press('Escape')
    await choose(page, 'languages', 'Open on the SQL tab')
    await page.locator('regular-table td').first().waitFor()
    expect(keys(page).get('tab')).toBe('sql')
    expect(await page.locator('.actions').textContent()).toContain(`${rows.length} rows`)
    expect(await page.locator('regular-table td').first().textContent()).toBe(rows[0]![0])
    await page.goBack()
    await settled(page)
    await leave()
  })

  it('a panel fills the page, is a table, and says how it is computed', async () => {
    const { page, leave } = await reader(browser)
    await choose(page, 'languages', 'How it is computed')
    expect(await page.getByRole('note').textContent()).toContain('language')
    await page.getByRole('note').getByRole('button', { name: 'Close' }).click()
    await choose(page, 'languages', 'Full screen')
    await settled(page)
    expect(await page.locator('article.panel').count()).toBe(1)
    expect(keys(page).get('full')).toBe('languages')
    await page.keyboard.press('Escape')
    await settled(page)
    expect(await page.locator('article.panel').count()).toBeGreaterThan(1)
    await leave()
  })
})
