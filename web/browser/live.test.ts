/** The page while the lake changes, and while its server is away. Needs a fedilake that collects. */
import { createServer, connect, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { BASE_URL, figure, hasBrowser, morePosts, openBrowser, reader } from './reader'

/** A way to fedilake that can be shut, as if the server were stopped, and opened again at the same port. */
class Door {
  #server: Server | null = null
  #sockets = new Set<Socket>()
  port = 0

  async open(): Promise<void> {
    const { hostname, port } = new URL(BASE_URL)
    this.#server = createServer(inner => {
      const outer = connect(Number(port), hostname)
      for (const socket of [inner, outer]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => {
          inner.destroy()
          outer.destroy()
          this.#sockets.delete(socket)
        })
      }
      inner.pipe(outer).pipe(inner)
    })
    await new Promise<void>(resolve => this.#server!.listen(this.port, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
  }

  async shut(): Promise<void> {
    const closed = new Promise(resolve => this.#server!.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

describe.skipIf(!hasBrowser)('live', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await openBrowser()))
  afterAll(() => browser.close())

  it('new posts move the figures, a pause keeps them, and filters stay', async () => {
    const { page, leave } = await reader(browser, '?bot=people')
    const changed = (from: string | null) => page.waitForFunction(from => document.querySelector('[data-column=posts] .value')?.getAttribute('title') !== from, from)
    await changed(await figure(page, 'posts'))
    await page.getByRole('button', { name: 'Live', exact: true }).click()
    const kept = await figure(page, 'posts')
    await morePosts(page, 100)
    expect(await figure(page, 'posts')).toBe(kept)
    await page.getByRole('button', { name: 'Paused', exact: true }).click()
    await changed(kept)
    expect(await page.locator('.chip').textContent()).toContain('people')
    await leave()
  })

  it('what the pointer is on stays in its place while new posts come, and its tip too', async () => {
    const { page, leave } = await reader(browser)
    const languages = page.locator('article[data-report=languages]')
    await languages.locator('.chart').hover({ position: { x: 40, y: 100 } })
    await languages.locator('.tip').waitFor()
    const names = () => languages.locator('.canvas [aria-label="y-axis tick label"] text').allTextContents()
    const before = await names()
    const drawn = await languages.locator('.canvas').innerHTML()
    await page.waitForFunction(drawn => document.querySelector('[data-report=languages] .canvas')!.innerHTML !== drawn, drawn)
    // The panel shows the 20 most frequent: the last of them may give way to another one meanwhile.
    const after = await names()
    const stayed = before.filter(name => after.includes(name))
    expect(after.filter(name => before.includes(name))).toEqual(stayed)
    expect(stayed.length).toBeGreaterThan(before.length - 3)
    expect(await languages.locator('.tip').count()).toBe(1)
    await leave()
  })

  it('a page in the background has no connection, and catches up when it is looked at', async () => {
    const { page, leave } = await reader(browser)
    const hide = (hidden: boolean) => page.evaluate(hidden => {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))
    }, hidden)
    const ended = page.waitForEvent('requestfailed', request => request.url().endsWith('/live'))
    await hide(true)
    await ended
    // What was asked before is still answered.
    await page.waitForLoadState('networkidle')
    const kept = await figure(page, 'posts')
    await morePosts(page, 50)
    expect(await figure(page, 'posts')).toBe(kept)
    const begun = page.waitForRequest(request => request.url().endsWith('/live'))
    await hide(false)
    await begun
    await page.waitForFunction(kept => document.querySelector('[data-column=posts] .value')?.getAttribute('title') !== kept, kept)
    await leave()
  })

  it('a new post comes to the top of the posts', async () => {
    const { page, leave } = await reader(browser, '?tab=posts')
    const top = await page.locator('.posts li').first().textContent()
    await page.waitForFunction(top => document.querySelector('.posts li')!.textContent !== top, top)
    await leave()
  })

  it('says that the server is away, keeps what it shows, and goes on when it is back', async () => {
    const door = new Door()
    await door.open()
    const { page, complaints } = await reader(browser, '', {}, `http://127.0.0.1:${door.port}`)
    const bars = await page.locator('.panel .canvas rect').count()
    await door.shut()
    await page.getByText('fedilake does not answer').first().waitFor()
    expect(await page.locator('.panel .canvas rect').count()).toBe(bars)
    expect(await page.locator('.panel .trouble').count()).toBe(0)
    await door.open()
    await page.getByText('newest post').waitFor()
    // The browser itself reports connections that failed.
    expect(complaints.filter(text => !/Failed to load resource|net::ERR/.test(text))).toEqual([])
    await page.context().close()
    await door.shut()
  })
})
