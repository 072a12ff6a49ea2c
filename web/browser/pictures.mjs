/** Takes the README's pictures, light and dark: `pictures.mjs FOLDER`, with BASE_URL and CHROMIUM as for the tests. */
import { mkdirSync } from 'node:fs'
import { chromium } from 'playwright-core'

const folder = process.argv[2]
const BASE_URL = process.env.BASE_URL.replace(/\/$/, '')
const BYTES_MAX = 200 * 1024
const QUESTION = `select hour(created_at) as hour, count(*) as posts, count(distinct author) as authors
from posts
where created_at < timestamp '2023-02-13' and text ilike '%superbowl%'
group by all
order by hour`
const PICTURES = {
  overview: '?from=2023-02-08T00:00Z&to=2023-02-13T00:00Z&language=Japanese&panel=languages',
  people: '?tab=people&to=2023-02-13T00:00Z',
  sql: `?tab=sql&q=${encodeURIComponent(QUESTION)}`,
}

mkdirSync(folder, { recursive: true })
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
for (const colorScheme of ['light', 'dark']) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme, locale: 'en-GB' })
  for (const [name, address] of Object.entries(PICTURES)) {
    await page.goto(`${BASE_URL}/${address}`)
    if (name === 'overview') await page.locator('[data-column=posts] .change').waitFor()
    await page.waitForFunction(() => document.querySelector('[aria-busy=true]') === null && document.querySelector('.panel .canvas svg, regular-table td') !== null)
    if (name === 'sql') {
      await page.getByRole('button', { name: 'Chart' }).click()
      await page.locator('.quick-chart .canvas svg').waitFor()
      // The cursor of the editor would blink into one picture and not into the other.
      await page.getByRole('button', { name: 'Chart' }).focus()
    }
    await page.evaluate(() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn))))
    const path = `${folder}/${name}-${colorScheme}.png`
    const { length } = await page.screenshot({ path })
    if (length > BYTES_MAX) throw new Error(`${path} has ${length} bytes: at most ${BYTES_MAX} are wanted`)
    console.log(`${path}  ${Math.round(length / 1024)} KB`)
  }
  await page.close()
}
await browser.close()
