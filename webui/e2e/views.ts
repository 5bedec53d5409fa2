// Looks at views in both themes and two sizes: without a fault that axe finds, and on a picture to be looked at.

import type axe from 'axe-core'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type Page, type Stack, test } from './page'

export type View = [name: string, open: (page: Page) => Promise<unknown>]

/** As every view reads it, in the form that is read soonest. */
const AXE = readFileSync(join(import.meta.dirname, '..', 'node_modules', 'axe-core', 'axe.min.js'), 'utf8')

const SIZES = {
  desk: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
}

/** Makes a test of each view of a system in each size. */
export function look(views: View[], system: () => Stack): void {
  for (const [size, device] of Object.entries(SIZES)) {
    test.describe(size, () => {
      // one page for all views, as a browser takes a second for each new one
      let page: Page
      const faults: string[] = []
      test.beforeAll(async ({ browser }) => {
        page = await browser.newPage({ ...device, reducedMotion: 'reduce' })
        page.on('console', (message) => message.type() === 'error' && !/Failed to load resource|^\[Uppy\]/.test(message.text()) && faults.push(message.text()))
      })
      test.beforeEach(async () => {
        await forget(page, system().url)
        faults.length = 0
      })
      test.afterAll(() => page.close())

      for (const [name, open] of views) {
        test(name, async () => {
          await open(page)
          await expect(page).toHaveTitle(/.+ · ImagoMortis$/)
          expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
          await page.evaluate(AXE)
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme })
            await still(page)
            await page.screenshot({ path: `e2e/screenshots/${name}-${colorScheme}-${size}.jpg`, quality: 90 })
            expect.soft(await faultsOf(page, colorScheme), colorScheme).toEqual([])
          }
          expect(faults).toEqual([])
        })
      }
    })
  }
}

/** Leaves a page as a new one is: with nothing that its browser keeps, and without the mouse. */
async function forget(page: Page, origin: string): Promise<void> {
  await page.goto('about:blank')
  await page.mouse.move(-1, -1)
  await page.emulateMedia({ colorScheme: 'light' })
  await page.context().clearCookies()
  const session = await page.context().newCDPSession(page)
  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' })
  await session.detach()
}

/** Waits until nothing moves any more, but for what moves always, and all that is in sight is drawn. */
export const still = (page: Page) =>
  page.evaluate(async () => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))
    const moving = document.getAnimations().filter((each) => each.effect?.getComputedTiming().endTime !== Infinity)
    const seen = [...document.images].filter((image) => image.checkVisibility() && image.getBoundingClientRect().top < innerHeight)
    await Promise.allSettled([...moving.map((each) => each.finished), ...seen.map((image) => image.decode())])
  })

/** What axe finds; of another appearance only the colours are another. */
const faultsOf = (page: Page, colorScheme: 'light' | 'dark') =>
  page.evaluate(async (options) => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run({ ...options, resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')} ${node.any[0]?.message ?? ''}`))
  }, colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : { rules: { 'target-size': { enabled: true } } })
