/** The SQL tab: rows, profiles, errors at their place, cancel, history and links. */
import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { hasBrowser, keys, openBrowser, parquetRows, reader } from './reader'

const ENDLESS = 'select count(*) from range(1000000000) a, range(1000000000) b where hash(a.range, b.range) = 7'

describe.skipIf(!hasBrowser)('the SQL tab', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await openBrowser()))
  afterAll(() => browser.close())

  const type = async (page: Page, text: string) => {
    await page.locator('.cm-content').click()
    await page.keyboard.press('Control+a')
    // Chromium styles text typed over marked text inline, which the policy refuses and the console reports.
    await page.keyboard.press('Delete')
    await page.keyboard.insertText(text)
  }

  it('shows rows with profiles and a chart, and the link asks the same', async () => {
    const { page, leave } = await reader(browser, '?tab=sql')
    await type(page, 'select language, count(*) as posts from posts group by all order by posts desc limit 7')
    await page.keyboard.press('Control+Enter')
    await page.locator('regular-table td').first().waitFor()
    expect(await page.locator('.actions').textContent()).toContain('7 rows')
    expect(await page.locator('.profiles li').count()).toBe(2)
    expect(await page.locator('.profiles').textContent()).toContain('7 distinct')
    await page.getByRole('button', { name: 'Chart' }).click()
    await page.locator('.quick-chart .canvas rect').first().waitFor()
    const other = await reader(browser, new URL(page.url()).search)
    await other.page.locator('regular-table td').first().waitFor()
    expect(await other.page.locator('.actions').textContent()).toContain('7 rows')
    await other.leave()
    expect(await page.getByLabel('History').locator('option').nth(1).textContent()).toContain('select language, count')
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: '.sql' }).click()])
    expect(download.suggestedFilename()).toBe('question.sql')
    const file = async (format: string) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.locator('.actions').getByRole('link', { name: format, exact: true }).click()])
      return readFile((await download.path())!)
    }
    const first = await page.locator('regular-table td').first().textContent()
    expect((await file('csv')).toString().trim().split(/\r?\n/)).toHaveLength(8)
    expect(JSON.parse((await file('json')).toString())).toHaveLength(7)
    const rows = await parquetRows(await file('parquet'))
    expect(rows.map(({ language }) => language)).toContain(first === '–' ? null : first)
    expect(rows).toHaveLength(7)
    await leave()
  })

  it('shows an error at its place', async () => {
    const { page, leave } = await reader(browser, '?tab=sql')
    await type(page, 'select\n  langage from posts')
    await page.getByRole('button', { name: /^Run/ }).click()
    await page.getByRole('alert').waitFor()
    expect(await page.getByRole('alert').textContent()).toContain('Line 2')
    expect(await page.locator('.cm-lintRange-error').textContent()).toBe('langage')
    await leave()
  })

  it('completes names of the lake', async () => {
    const { page, leave } = await reader(browser, '?tab=sql')
    await page.locator('.cm-content').click()
    const name = page.locator('.cm-tooltip-autocomplete').getByText('author_domain').first()
    // The names come after the editor: what is typed before them is completed by none.
    await expect.poll(async () => {
      await type(page, 'select ')
      await page.keyboard.type('author_d')
      return name.waitFor({ timeout: 2000 }).then(() => true, () => false)
    }, { timeout: 90_000 }).toBe(true)
    await leave()
  })

  it('cancels a statement, and asks the next', async () => {
    const { page, leave } = await reader(browser, '?tab=sql')
    await type(page, ENDLESS)
    await page.keyboard.press('Control+Enter')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: /^Run/ }).waitFor()
    await type(page, 'select 42 as answer')
    await page.keyboard.press('Control+Enter')
    await page.locator('regular-table td').first().waitFor()
    expect(await page.locator('regular-table td').first().textContent()).toBe('42')
    expect(keys(page).get('q')).toBe('select 42 as answer')
    await leave()
  })
})
