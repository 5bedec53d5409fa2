// How good the page must be, measured: a hundred thousand pictures, ten thousand files, and what the first view costs.

import { expect, test } from '@playwright/test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Stack, tiles, tray } from './page'

let stack: Stack
test.describe.configure({ mode: 'serial' })
test.beforeAll(async () => {
  test.setTimeout(120_000)
  stack = await Stack.start()
})
test.afterAll(() => stack?.stop())

const told = (name: string, value: string) => {
  test.info().annotations.push({ type: name, description: value })
  console.log(`${name}: ${value}`)
}

test("the first view's scripts have less than 90 KB compressed", async ({ page }) => {
  const scripts: string[] = []
  page.on('response', (answer) => answer.url().endsWith('.js') && scripts.push(new URL(answer.url()).pathname))
  const answers: Record<string, string | undefined> = {}
  page.on('response', async (answer) => (answers[new URL(answer.url()).pathname] = (await answer.allHeaders())['cache-control']))
  await page.goto(stack.url)
  await page.getByRole('button', { name: 'Menu' }).waitFor()
  const dist = join(import.meta.dirname, '..', 'dist')
  const size = scripts.reduce((sum, path) => sum + gzipSync(readFileSync(join(dist, path))).length, 0)
  told('scripts of the first view', `${(size / 1024).toFixed(1)} KB compressed in ${scripts.length} files`)
  expect(size).toBeLessThan(90 * 1024)
  for (const path of scripts) expect(answers[path]).toContain('immutable')
})

test('ten thousand files: no task over 200 ms, memory flat', async ({ page }) => {
  test.setTimeout(120_000)
  await page.goto(stack.url)
  await page.getByRole('button', { name: 'Menu' }).waitFor()
  await page.evaluate(() => {
    const seen = ((window as unknown as { seen: number[] }).seen = [])
    new PerformanceObserver((list) => seen.push(...(list.getEntries().map((entry) => entry.duration) as never[]))).observe({ type: 'longtask' })
  })
  await page.evaluate(() => {
    const gif = Uint8Array.from(atob('R0lGODlhAQABAIAAAAAAAAAAACH5BAAAAAAALAAAAAABAAEAAAICTAEAOw=='), (letter) => letter.charCodeAt(0))
    const transfer = new DataTransfer()
    for (let number = 0; number < 10_000; number++) {
      const bytes = gif.slice()
      bytes[13] = number & 255
      bytes[14] = number >> 8
      transfer.items.add(new File([bytes], `dot-${number}.gif`, { type: 'image/gif' }))
    }
    ;(window as unknown as { transfer: DataTransfer }).transfer = transfer
  })
  await page.waitForTimeout(500)
  // making the files is the test's own work
  await page.evaluate(() => ((window as unknown as { seen: number[] }).seen.length = 0))
  await page.evaluate(() => {
    const input = document.querySelector<HTMLInputElement>('[data-files]')!
    input.files = (window as unknown as { transfer: DataTransfer }).transfer.files
    input.dispatchEvent(new Event('change', { bubbles: true }))
  })
  const heap = () => page.evaluate(() => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize / 2 ** 20)
  await page.getByRole('dialog').getByRole('button', { name: 'Upload', exact: true }).click()
  await expect(tray(page)).toContainText('of 10,000')
  await page.waitForTimeout(4000)
  const before = await heap()
  await page.waitForTimeout(20_000)
  const after = await heap()
  const longest = await page.evaluate(() => Math.max(0, ...(window as unknown as { seen: number[] }).seen))
  told('longest task', `${longest.toFixed(0)} ms`)
  told('memory after 4 s and 24 s', `${before.toFixed(1)} and ${after.toFixed(1)} MiB`)
  told('uploads then', (await tray(page).locator('.sum').textContent()) ?? '')
  await tray(page).getByRole('button', { name: 'Cancel all' }).click()
  expect(longest).toBeLessThan(200)
  expect(after - before).toBeLessThan(30)
})

test('a hundred thousand pictures scroll smoothly, and the first view is there within a second', async ({ page }) => {
  test.setTimeout(120_000)
  await stack.tell('fill 100000')
  await page.goto(stack.url)
  await tiles(page).first().waitFor()
  await page.reload()
  const began = Date.now()
  await page.reload({ waitUntil: 'commit' })
  await page.locator('.grid img').nth(8).waitFor()
  told('first view', `${Date.now() - began} ms`)
  expect(Date.now() - began).toBeLessThan(1000)
  const smooth = await page.evaluate(async () => {
    const scroller = document.querySelector('.scroller')!
    const frames: number[] = []
    let last = performance.now()
    for (let turn = 0; turn < 300; turn++) {
      const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve))
      frames.push(now - last)
      last = now
      scroller.scrollTop += 60
    }
    frames.sort((one, other) => one - other)
    return { rate: 1000 / (frames.reduce((sum, frame) => sum + frame, 0) / frames.length), worst: frames.at(-3)! }
  })
  told('frames a second', `${smooth.rate.toFixed(1)}, nearly worst frame ${smooth.worst.toFixed(0)} ms`)
  const height = await page.evaluate(() => document.querySelector('.scroller')!.scrollHeight)
  for (const share of [0.5, 0.99, 0.25]) {
    const before = (await tiles(page).first().getAttribute('href'))!
    const asked = Date.now()
    await page.evaluate((top) => document.querySelector('.scroller')!.scrollTo(0, top), height * share)
    await expect(tiles(page).first()).not.toHaveAttribute('href', before, { timeout: 5000 })
    told(`jump to ${share * 100} %`, `${Date.now() - asked} ms`)
  }
  await page.getByRole('grid').locator('a[data-state]').first().focus()
  await page.keyboard.press('End')
  await expect(page.getByRole('link', { name: 'picture-100000.jpg, done' })).toBeVisible()
  expect(smooth.rate).toBeGreaterThanOrEqual(55)
})
