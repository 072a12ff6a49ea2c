/** The filter: brush, click, exclude, back, and the address that holds all of it. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { boxOf, clickBar, figure, hasBrowser, keys, openBrowser, panel, reader, rowsOf, settled } from './reader'

describe.skipIf(!hasBrowser)('the filter', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await openBrowser()))
  afterAll(() => browser.close())

  it('is empty at the start, where every panel of the catalogue is drawn', async () => {
    const { page, leave } = await reader(browser)
    const { reports } = (await (await page.request.get('/api/v1/reports'.replace(/^/, new URL(page.url()).origin))).json()) as { reports: { name: string; tab: string }[] }
    const names = await page.locator('article.panel').evaluateAll(panels => panels.map(panel => (panel as HTMLElement).dataset.report))
    const wanted = reports.filter(({ tab, name }) => tab === 'overview' && !['statistics', 'timeline'].includes(name)).map(({ name }) => name)
    expect(new Set(names)).toEqual(new Set(wanted))
    expect(await page.locator('.trouble').count()).toBe(0)
    expect(await page.locator('.time-line rect').count()).toBeGreaterThan(3)
    await leave()
  })

  it('is brushed on the time line, and Escape clears it', async () => {
    const { page, leave } = await reader(browser)
    const before = await figure(page, 'posts')
    const box = await boxOf(page.locator('.time-line .overlay'))
    await page.mouse.move(box.x + box.width * 0.3, box.y + 20)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.6, box.y + 20, { steps: 5 })
    await page.mouse.up()
    await settled(page)
    expect(keys(page).get('from')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:00Z$/)
    expect(await figure(page, 'posts')).not.toBe(before)
    await page.locator('[data-column=posts] .change').waitFor()
    await page.getByRole('checkbox').uncheck()
    expect(await page.locator('[data-column=posts] .change').count()).toBe(0)
    await page.keyboard.press('Escape')
    await settled(page)
    expect(keys(page).get('from')).toBeNull()
    expect(await page.locator('.chip').count()).toBe(0)
    await leave()
  })

  it('is brushed on while new posts come', async () => {
    const { page, leave } = await reader(browser)
    const box = await boxOf(page.locator('.time-line .overlay'))
    await page.mouse.move(box.x + box.width * 0.3, box.y + 20)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.5, box.y + 20)
    const seen = await figure(page, 'posts')
    await page.waitForFunction(seen => document.querySelector('[data-column=posts] .value')?.getAttribute('title') !== seen, seen)
    await page.mouse.move(box.x + box.width * 0.7, box.y + 20)
    expect((await boxOf(page.locator('.time-line .selection'))).width).toBeCloseTo(box.width * 0.4, -1)
    await page.mouse.up()
    await settled(page)
    expect(keys(page).get('from')).not.toBeNull()
    await leave()
  })

  it('is set by clicks across all panels, and the clicked one keeps a ghost of the rest', async () => {
    const { page, leave } = await reader(browser, '?to=2024-01-01')
    const [first, second] = (await rowsOf(page, 'languages')).map(([name]) => name!)
    const apps = await panel(page, 'apps').locator('.canvas').innerHTML()
    await clickBar(page, 'languages', 1)
    expect(keys(page).getAll('language')).toEqual([second])
    expect(await panel(page, 'apps').locator('.canvas').innerHTML()).not.toBe(apps)
    await panel(page, 'languages').locator('rect[fill="var(--ghost)"]').first().waitFor({ state: 'attached' })
    const inks = await panel(page, 'languages').locator('.canvas g[aria-label=bar]').last().locator('rect').evaluateAll(bars => bars.map(bar => bar.getAttribute('fill')))
    expect([inks[0], inks[1]]).toEqual(['var(--ghost)', 'var(--accent)'])
    expect(await page.locator('[data-column=languages] .value').textContent()).toBe('1')
    await clickBar(page, 'languages', 0, ['Shift'])
    expect(keys(page).getAll('not-language')).toEqual([first])
    await page.getByRole('button', { name: `Remove language ${second}` }).click()
    await settled(page)
    expect((await rowsOf(page, 'lengths')).map(([name]) => name)).not.toContain(first)
    await leave()
  })

  it('goes back and forward with the browser, and a link shows the same in a fresh browser', async () => {
    // Days that are over: their figures stay while new posts come.
    const one = await reader(browser, '?to=2024-01-01')
    await clickBar(one.page, 'languages', 1)
    const [language] = keys(one.page).getAll('language')
    await one.page.getByRole('link', { name: 'People & servers' }).click()
    await settled(one.page)
    await one.page.goBack()
    await one.page.goBack()
    await settled(one.page)
    expect(keys(one.page).getAll('language')).toEqual([])
    expect(await one.page.locator('.chip').count()).toBe(1)
    await one.page.goForward()
    await settled(one.page)
    expect(keys(one.page).getAll('language')).toEqual([language])
    const users = await figure(one.page, 'users')
    const two = await reader(browser, new URL(one.page.url()).search)
    expect(await two.page.locator('.chip').last().textContent()).toContain(language!)
    expect(await figure(two.page, 'users')).toBe(users)
    await one.leave()
    await two.leave()
  })

  it('counts the words that the reader types', async () => {
    const { page, leave } = await reader(browser)
    await page.getByLabel('Words to count').fill('coffee tea')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.querySelector('[data-report=topics]')?.textContent?.includes('coffee'))
    await settled(page)
    expect(keys(page).getAll('word')).toEqual(['coffee', 'tea'])
    await leave()
  })

  it('takes typed names, and a moving window can be frozen', async () => {
    const { page, leave } = await reader(browser, '?last=24h')
    await page.locator('form.add select').selectOption('language')
    await page.getByLabel('Name to filter by').fill('German')
    await page.keyboard.press('Enter')
    await settled(page)
    expect(keys(page).get('language')).toBe('German')
    await page.getByRole('button', { name: 'Freeze' }).click()
    await settled(page)
    expect(keys(page).get('last')).toBeNull()
    expect(Date.parse(keys(page).get('to')!) - Date.parse(keys(page).get('from')!)).toBe(24 * 3600e3)
    await leave()
  })

  it('moves days and hours with the time zone', async () => {
    const { page, leave } = await reader(browser, '?timezone=Asia/Tokyo&by=day')
    expect(await panel(page, 'hours').locator('.titles').textContent()).toContain('Asia/Tokyo')
    await leave()
  })
})
