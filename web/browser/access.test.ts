/** Keyboard, screen readers, widths, themes, and text that wants to be markup. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { boxOf, hasBrowser, keys, openBrowser, panel, reader, settled } from './reader'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const TABS = ['overview', 'people', 'conversation', 'posts', 'sql', 'collector']

describe.skipIf(!hasBrowser)('for everybody', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await openBrowser()))
  afterAll(() => browser.close())

  const violations = async (page: Page) => {
    await page.evaluate(axe)
    const found = await page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run: (options: object) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }> } }
      return (await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })).violations
    })
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(node => `${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`).slice(0, 3).join(' | ')}`)
  }

  for (const tab of TABS) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`axe finds nothing: ${tab}, ${colorScheme}`, async () => {
        const { page, leave } = await reader(browser, `?tab=${tab}&language=German${tab === 'sql' ? '&q=select+1+as+one' : ''}`, { colorScheme })
        if (tab === 'sql') await page.locator('regular-table td').first().waitFor()
        expect(await violations(page)).toEqual([])
        await leave()
      })
    }
  }

  // 640 pixels of width are 1280 at 200% zoom.
  for (const width of [400, 640, 1280, 2560]) {
    it(`has no sideways scroll at ${width} pixels`, async () => {
      for (const tab of TABS) {
        const { page, leave } = await reader(browser, `?tab=${tab}`, { viewport: { width, height: 800 } })
        expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), tab).toBeLessThanOrEqual(0)
        await leave()
      }
    })
  }

  it('shows figures, time line and four panels on a laptop', async () => {
    const { page, leave } = await reader(browser)
    const tops = await page.locator('article.panel').evaluateAll(panels => panels.map(panel => panel.getBoundingClientRect()).filter(({ bottom }) => bottom <= 800).length)
    expect(tops).toBeGreaterThanOrEqual(4)
    await leave()
  })

  it('filters, reads a chart, opens a menu and changes the tab by keyboard alone', async () => {
    const { page, leave } = await reader(browser)
    const reach = async (what: string) => {
      for (let steps = 0; steps < 120; steps++) {
        await page.keyboard.press('Tab')
        if (await page.evaluate(selector => document.activeElement?.matches(selector), what)) return
      }
      throw new Error(`the keyboard does not reach ${what}`)
    }
    await reach('.handle.from')
    await page.keyboard.press('PageUp')
    await settled(page)
    expect(keys(page).get('from')).not.toBeNull()
    await reach('[data-report=languages] .chart')
    await page.keyboard.press('ArrowDown')
    expect(await page.locator('[aria-live]').textContent()).toMatch(/language .+, posts [\d,.]+/)
    await page.keyboard.press('Enter')
    await settled(page)
    expect(keys(page).getAll('language')).toHaveLength(1)
    await page.keyboard.press('Escape')
    await settled(page)
    expect(await page.locator('.chip').count()).toBe(0)
    await reach('[data-report=lengths] [aria-haspopup=menu]')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.activeElement?.matches('[role=menuitem]'))
    await page.keyboard.press('Enter')
    await panel(page, 'lengths').locator('table').waitFor()
    await page.keyboard.press('Shift+Tab')
    await leave()
  })

  for (const width of [400, 1280, 2560]) {
    it(`every panel reads its values at the pointer and by keyboard at ${width} pixels`, async () => {
      for (const tab of ['overview', 'people', 'conversation', 'collector']) {
        const { page, leave } = await reader(browser, `?tab=${tab}`, { viewport: { width, height: 900 }, colorScheme: width === 1280 ? 'dark' : 'light' })
        // A panel that has nothing to show says so instead.
        for (const chart of await page.locator('.panel .chart').all()) {
          const what = `${tab}: ${await chart.getAttribute('aria-label')}`
          await chart.scrollIntoViewIfNeeded()
          await chart.focus()
          await page.keyboard.press('End')
          expect(await chart.locator('.tip dd').count(), what).toBeGreaterThan(0)
          expect(await page.locator('[aria-live]').textContent(), what).toMatch(/\S/)
          await page.keyboard.press('Home')
          const spot = await boxOf(chart.locator('.spot'))
          await chart.blur()
          await page.mouse.move(spot.x + Math.min(spot.width, 20) / 2, spot.y + spot.height / 2)
          await chart.locator('.tip').waitFor()
        }
        await leave()
      }
    })
  }

  it('never makes markup of a post', async () => {
    const { page, leave } = await reader(browser)
    const attack = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'
    await page.route('**/api/v1/posts?*', route => route.fulfill({
      json: { posts: [{ uri: 'javascript:window.hit=1', url: 'javascript:window.hit=1', created_at: '2023-02-04T00:00:00Z', author: `${attack}@a.example`, author_bot: false, language: attack, text: attack, spoiler_text: null, app: attack, server: attack, tags: [attack], media: 0, edited_at: null }], next: null },
    }))
    await page.getByRole('link', { name: 'Posts' }).click()
    await page.locator('.posts li').waitFor()
    expect(await page.locator('.posts .text').textContent()).toBe(attack)
    expect(await page.locator('.posts li img, .posts li script, .posts li a[href^=javascript]').count()).toBe(0)
    expect(await page.evaluate(() => 'hit' in window)).toBe(false)
    await leave()
  })

  it('searches posts, and links to the original without telling where from', async () => {
    const { page, leave } = await reader(browser, '?tab=posts')
    await page.getByLabel('Search in texts').fill('the')
    await page.keyboard.press('Enter')
    await settled(page)
    expect(keys(page).get('search')).toBe('the')
    for (const text of await page.locator('.posts .text').allTextContents()) expect(text.toLowerCase()).toContain('the')
    const rels = await page.locator('.posts li a[target=_blank]').evaluateAll(links => links.map(link => link.getAttribute('rel')))
    expect(new Set(rels)).toEqual(new Set(['noopener noreferrer']))
    await leave()
  })
})
