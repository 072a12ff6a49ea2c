/**
 * Measures the page as a reader sees it, and prints JSON: milliseconds until the first page, the panels after a brush and another tab are
 * painted, beside their budgets. The machine should have nothing else to do.
 *
 *   BASE_URL=http://127.0.0.1:7878 npm run bench --silent --prefix web
 *
 * BASE_URL      a fedilake that runs; budgets are for the full preset
 * CHROMIUM      the browser                                   default: /usr/bin/chromium
 * BENCH_ROUNDS  brushes, and switches of the tab              default: 40
 */
import { chromium } from 'playwright-core'

const BASE_URL = (process.env.BASE_URL ?? 'http://127.0.0.1:7878').replace(/\/$/, '')
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 40)
const BUDGETS = { first_page_ms: 1000, brush_ms: 150, tab_ms: 300 }
const STARTS = 7
const TABS = ['People & servers', 'Conversation', 'Posts', 'SQL', 'Collector']

const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
const viewport = { width: 1280, height: 800 }

/** Runs in the page: `painted()` resolves with the time at which everything asked for was painted, or a thousand frames later. */
function prepare() {
  const isWhole = () => document.querySelector('.panel .canvas svg, .panel table, .panel .empty, .posts li, .posts .empty, .sql .editor') !== null
    && document.querySelector('[aria-busy=true], .skeleton') === null && document.querySelectorAll('.panel').length === document.querySelectorAll('.panel:has(.canvas svg, table, .empty, .figure-list)').length
  const painted = (skip = 0) => new Promise((resolve, reject) => {
    let frames = 0
    const look = () => {
      if (frames++ >= skip && isWhole()) {
        // A message comes behind the painting of this frame.
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = () => resolve(performance.now())
        port2.postMessage(0)
      } else if (frames > 1000) reject(new Error('the page did not come to rest'))
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
  /** Begins to wait for an event of the reader's; its answer is the time from the event until all is painted. */
  const after = event => {
    window.measured = new Promise((resolve, reject) => {
      // The state's change is drawn with the frame behind the event's.
      addEventListener(event, ({ timeStamp }) => painted(1).then(end => resolve(end - timeStamp), reject), { once: true, capture: true })
    })
  }
  Object.assign(window, { painted, after })
}

async function firstPage() {
  const browser = await launch()
  const page = await browser.newPage({ viewport })
  await page.addInitScript(prepare)
  await page.goto(BASE_URL, { waitUntil: 'commit' })
  const whole = await page.evaluate(() => window.painted())
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0)
  await browser.close()
  return { whole, paint }
}

/** Brushes a range of the time line, another one each time. */
async function brush(page, random) {
  await page.keyboard.press('Escape')
  await page.evaluate(() => window.painted(2))
  const box = await page.locator('.time-line .overlay').boundingBox()
  const wide = 0.05 + random() * 0.6
  const left = box.x + box.width * random() * (1 - wide)
  await page.mouse.move(left, box.y + 20)
  await page.mouse.down()
  await page.mouse.move(left + (box.width * wide) / 2, box.y + 20)
  await page.mouse.move(left + box.width * wide, box.y + 20)
  // The brush keeps `mouseup` to itself.
  await page.evaluate(() => window.after('pointerup'))
  await page.mouse.up()
  return page.evaluate(() => window.measured)
}

function quantiles(samples) {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = share => Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] * 10) / 10
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), max: at(1) }
}

/** A sequence that is the same on each run. */
function sequence(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed / 2 ** 32
  }
}

const starts = []
for (let start = 0; start < STARTS; start++) starts.push(await firstPage())

const browser = await launch()
const page = await browser.newPage({ viewport })
await page.addInitScript(prepare)
await page.goto(BASE_URL)
await page.evaluate(() => window.painted())
const random = sequence(9)
const brushes = []
for (let round = 0; round < ROUNDS; round++) brushes.push(await brush(page, random))
const switches = TABS.map(tab => ({ tab, samples: [] }))
for (let round = 0; round < ROUNDS; round++) {
  // Another range each time, so that nothing was asked before.
  await brush(page, random)
  const { tab, samples } = switches[round % switches.length]
  await page.evaluate(() => window.after('click'))
  await page.getByRole('navigation').getByRole('link', { name: tab, exact: true }).click()
  samples.push(await page.evaluate(() => window.measured))
  await page.getByRole('navigation').getByRole('link', { name: 'Overview', exact: true }).click()
  await page.evaluate(() => window.painted(2))
}
const { posts } = await page.evaluate(async () => {
  const { columns, rows } = await (await fetch('/api/v1/panels?name=statistics')).json()
  return { posts: rows[0][columns.findIndex(({ name }) => name === 'posts')] }
})
await browser.close()

const measured = {
  first_page_ms: quantiles(starts.map(({ whole }) => whole)),
  first_contentful_paint_ms: quantiles(starts.map(({ paint }) => paint)),
  brush_ms: quantiles(brushes),
  tab_ms: { ...quantiles(switches.flatMap(({ samples }) => samples)), by_tab: Object.fromEntries(switches.map(({ tab, samples }) => [tab, quantiles(samples)])) },
}
const isKept = { first_page_ms: measured.first_page_ms.p50 <= BUDGETS.first_page_ms, brush_ms: measured.brush_ms.p95 <= BUDGETS.brush_ms, tab_ms: measured.tab_ms.p95 <= BUDGETS.tab_ms }
console.log(JSON.stringify({ posts, ...measured, budgets: BUDGETS, kept: isKept }, null, 2))
