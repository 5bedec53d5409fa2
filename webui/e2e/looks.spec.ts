// Every view of a system that is in use, and what browsers are told of the page.

import { readFileSync } from 'node:fs'
import { done, expect, IMPOSSIBLE, type Page, type Stack, test, tiles, upload } from './page'
import { look, still, type View } from './views'

let stack: Stack

test.beforeAll(async ({ browser, stack: shared }) => {
  stack = shared
  await stack.clear()
  const page = await browser.newPage()
  await page.goto(stack.url)
  await page.getByRole('button', { name: 'Menu' }).waitFor()
  const names = ['sunset.jpg', 'mountains.jpg', 'dunes.jpg', 'city.png', 'night-sky.jpg', 'aurora.jpg', 'planet.jpg', 'marble.webp', 'sunflower.png', 'waves.png']
  await upload(page, names.map((name) => stack.file(name)))
  await done(page, names.length)
  const data = { name: 'too-narrow.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('dunes.jpg')) }
  await page.request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: IMPOSSIBLE } })
  await expect(tiles(page, 'failed')).toHaveCount(1)
  await page.request.post(`${stack.url}/api/pause`)
  await page.request.post(`${stack.url}/upload`, { multipart: { file: { ...data, name: 'waiting.jpg', buffer: readFileSync(stack.file('aurora.jpg')) } } })
  await expect(tiles(page, 'queued')).toHaveCount(1)
  // figures come later than pictures
  await expect(page.getByText('Processing is paused.')).toBeVisible()
  for (const figure of [/^Waiting 1/, /^Done 10/, /^Failed 1/]) await expect(page.getByRole('button', { name: figure })).toBeVisible()
  await page.close()
})
// a picture that waits while processing is paused would wait for ever
test.afterAll(() => stack.clear())

const at = (path: string) => (page: Page) => page.goto(stack.url + path)
const opened = async (page: Page, name: string) => {
  await page.goto(`${stack.url}/?name=${name}`)
  await tiles(page).click()
}

const VIEWS: View[] = [
  ['gallery', (page) => at('/')(page).then(() => tiles(page, 'done').first().waitFor())],
  ['list', async (page) => {
    await at('/')(page)
    await page.getByRole('button', { name: 'Show as a list' }).click()
    await page.locator('.line img').first().waitFor()
  }],
  ['filters', (page) => at('/?state=done')(page).then(() => page.getByRole('button', { name: 'Filters' }).click())],
  ['selection', async (page) => {
    await page.goto(stack.url)
    await tiles(page).nth(2).click({ modifiers: ['Control'] })
    await tiles(page).nth(4).click({ modifiers: ['Shift'] })
  }],
  ['no-match', at('/?name=nothing-like-this')],
  ['menu', (page) => at('/')(page).then(() => page.getByRole('button', { name: 'Menu' }).click())],
  ['offer', async (page) => {
    await page.goto(stack.url)
    await page.getByRole('button', { name: 'Menu' }).waitFor()
    await page.setInputFiles('[data-files]', [stack.file('city.png')])
    const dialog = page.getByRole('dialog')
    await expect(dialog.getByRole('img', { name: 'Your picture with Circles' })).toBeVisible()
    await expect(dialog.locator('.blank')).toHaveCount(0)
  }],
  ['uploads', async (page) => {
    await page.goto(stack.url)
    await page.getByRole('button', { name: 'Menu' }).waitFor()
    await upload(page, ['cut-off.jpg', 'notes.txt', 'city.png'].map((name) => stack.file(name)))
    await expect(page.getByText('1 picture is here already.')).toBeVisible()
    await expect(page.getByText('0 stored, 2 refused')).toBeVisible()
  }],
  ['unfinished', async (page) => {
    await page.goto(stack.url)
    await page.getByRole('button', { name: 'Menu' }).waitFor()
    await page.evaluate(async () => {
      const asked = indexedDB.open('imagomortis.uploads', 1)
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore('notes', { keyPath: 'key' })
        asked.result.createObjectStore('files')
      }
      await new Promise((resolve) => (asked.onsuccess = resolve))
      const transaction = asked.result.transaction('notes', 'readwrite')
      for (let key = 1; key < 8; key++) {
        const name = `holiday/${'a-long-name-of-a-camera-'.repeat(key % 3)}IMG_${key}.jpg`
        const note = { key: String(key), owner: 'another', name, size: key * 3e6, modified: 0, recipe: 'circles', anyway: false, at: Date.now() }
        transaction.objectStore('notes').put(note)
      }
      await new Promise((resolve) => (transaction.oncomplete = resolve))
      asked.result.close()
      localStorage.setItem('imagomortis.unfinished', 'yes')
    })
    await page.reload()
    await page.getByText('and 3 more').waitFor()
  }],
  ['viewer', (page) => opened(page, 'sunset').then(() => page.getByRole('button', { name: 'Close the viewer' }).waitFor())],
  ['compare', async (page) => {
    await opened(page, 'dunes')
    await page.getByRole('button', { name: 'Compare with the original' }).click()
    await page.getByRole('button', { name: 'Details' }).click()
    await page.getByText('Attempt 1').waitFor()
  }],
  ['failed', async (page) => {
    await opened(page, 'too-narrow')
    await page.getByText('outside of the picture').first().waitFor()
  }],
  ['editor', async (page) => {
    await opened(page, 'city')
    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByRole('button', { name: 'Watermark' }).click()
    await expect(page.getByRole('img', { name: 'Preview' })).toHaveAttribute('data-steps', '2')
  }],
  ['crop', async (page) => {
    await opened(page, 'aurora')
    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByRole('button', { name: 'Crop', exact: true }).click()
    await page.locator('cropper-selection').waitFor()
  }],
  ['overview', async (page) => {
    await page.goto(`${stack.url}/overview`)
    await page.getByRole('heading', { name: 'The last hour' }).waitFor()
  }],
  ['overview-more', async (page) => {
    await page.goto(`${stack.url}/overview`)
    await page.getByRole('heading', { name: 'Elsewhere' }).scrollIntoViewIfNeeded()
  }],
  ['cancel', async (page) => {
    await page.goto(`${stack.url}/overview`)
    await page.getByRole('button', { name: 'Cancel what waits' }).click()
  }],
  ['save', async (page) => {
    await opened(page, 'city')
    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByRole('button', { name: 'Save as recipe…' }).click()
  }],
  ['keys', async (page) => {
    await page.goto(stack.url)
    await tiles(page).first().waitFor()
    await page.keyboard.press('?')
  }],
  ['commands', async (page) => {
    await page.goto(stack.url)
    await tiles(page).first().waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('option', { name: 'Overview' }).waitFor()
  }],
  ['nowhere', at('/no/such/view')],
]

look(VIEWS, () => stack)

test('the page says what it is to browsers, and what they draw around it goes with the appearance', async ({ page, request }) => {
  await page.goto(stack.url)
  await page.getByRole('button', { name: 'Menu' }).waitFor()
  const content = (name: string) => page.locator(`meta[name="${name}"]`).first().getAttribute('content')
  expect(await content('description')).toBeTruthy()
  expect(await content('viewport')).not.toContain('maximum-scale')
  const manifest = await (await request.get(`${stack.url}/manifest.webmanifest`)).json()
  expect(manifest).toMatchObject({ name: 'ImagoMortis', start_url: '/', display: 'standalone' })
  for (const { src } of manifest.icons) expect((await request.get(stack.url + src)).headers()['content-type']).toMatch(/^image\//)
  const around = () =>
    page.evaluate(() => [...document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')].filter((meta) => matchMedia(meta.media).matches).map((meta) => meta.content))
  const light = await around()
  expect(light).toHaveLength(1)
  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByLabel('Dark').check()
  expect(await around()).toHaveLength(1)
  expect(await around()).not.toEqual(light)
  await page.getByLabel('As the system').check()
  expect(await around()).toEqual(light)
})

test('on a middling phone the first view comes soon, and nothing in it jumps', async ({ browser }) => {
  const context = await browser.newContext({ viewport: { width: 412, height: 823 }, deviceScaleFactor: 1.75, hasTouch: true, isMobile: true })
  const page = await context.newPage()
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 90_000 })
  await session.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  await page.addInitScript(() => {
    const seen = ((window as unknown as { seen: { shift: number; largest: number } }).seen = { shift: 0, largest: 0 })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.shift += (entry as unknown as { value: number }).value
    }).observe({ type: 'layout-shift', buffered: true })
    new PerformanceObserver((list) => (seen.largest = list.getEntries().at(-1)!.startTime)).observe({ type: 'largest-contentful-paint', buffered: true })
  })
  const bytes: number[] = []
  page.on('requestfinished', async (asked) => {
    const sizes = await asked.sizes().catch(() => null) // of a page that was closed meanwhile
    if (sizes) bytes.push(sizes.responseBodySize)
  })
  await page.goto(stack.url)
  await tiles(page, 'done').first().waitFor()
  await page.waitForFunction(() => [...document.querySelectorAll<HTMLImageElement>('.grid img')].every((image) => image.complete))
  await still(page)
  const seen = await page.evaluate(() => (window as unknown as { seen: { shift: number; largest: number } }).seen)
  console.log(`first view of a phone: largest paint ${seen.largest.toFixed(0)} ms, shift ${seen.shift.toFixed(4)}, ${(bytes.reduce((sum, each) => sum + each, 0) / 1024).toFixed(0)} KB`)
  expect(seen.shift).toBeLessThan(0.05)
  expect(seen.largest).toBeLessThan(60_000)
  await context.close()
})
