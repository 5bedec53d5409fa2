// Care for a person's work and place: what is begun is not lost, and what is looked at stays where it is.

import { readFileSync } from 'node:fs'
import { done, expect, hold, IMPOSSIBLE, type Page, type Stack, test, tiles, upload } from './page'

const NAMES = ['sunset.jpg', 'mountains.jpg', 'dunes.jpg', 'city.png', 'aurora.jpg', 'planet.jpg']

let stack: Stack
test.describe.configure({ mode: 'serial' })
test.beforeAll(async ({ browser, stack: shared }) => {
  stack = shared
  await stack.clear()
  const page = await browser.newPage()
  await page.goto(stack.url)
  await page.getByRole('button', { name: 'Menu' }).waitFor()
  await upload(page, NAMES.map((name) => stack.file(name)))
  await done(page, NAMES.length)
  await page.close()
})

test.beforeEach(async ({ page }) => {
  page.on('pageerror', (error) => {
    throw error
  })
  await page.goto(stack.url)
  await tiles(page).first().waitFor()
})

const picture = (page: Page, name: string) => page.getByRole('link', { name: new RegExp(`^${name}, `) })
const steps = (page: Page) => page.getByRole('list', { name: 'Steps' }).getByRole('listitem')
const add = (page: Page, step: string) => page.getByRole('group', { name: 'Add a step' }).getByRole('button', { name: step, exact: true }).click()
const apply = (page: Page) => page.getByRole('button', { name: /^Apply/ })

async function edit(page: Page, name: string): Promise<void> {
  await picture(page, name).click()
  await page.getByRole('link', { name: 'Edit' }).click()
  await expect(page.getByRole('img', { name: 'Preview' })).toHaveAttribute('data-steps', '1')
}

test('leaving the editor asks before steps are lost, by Escape and by Back', async ({ page }) => {
  await edit(page, 'sunset.jpg')
  const asked = page.getByRole('dialog', { name: 'Discard your changes?' })
  const address = page.url()
  await add(page, 'Flip')
  await page.keyboard.press('Escape') // closes the step
  for (const leave of [() => page.keyboard.press('Escape'), () => page.evaluate(() => history.back())]) {
    await leave()
    await expect(asked).toBeVisible()
    await asked.getByRole('button', { name: 'Keep editing' }).click()
    await expect(asked).toBeHidden()
    expect(page.url()).toBe(address)
    await expect(steps(page)).toHaveCount(2)
  }
  await page.evaluate(() => history.back())
  await asked.getByRole('button', { name: 'Discard' }).click()
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeVisible()
  expect(page.url()).toBe(address.replace('/edit', ''))

  await page.getByRole('link', { name: 'Edit' }).click()
  await add(page, 'Flip')
  await page.keyboard.press('Control+z')
  await page.keyboard.press('Escape') // nothing would be lost
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeVisible()
})

test('a reload of a batch edit keeps its pictures', async ({ page }) => {
  await tiles(page).first().click({ modifiers: ['Control'] })
  await tiles(page).nth(2).click({ modifiers: ['Shift'] })
  await page.getByRole('toolbar').getByRole('button', { name: 'Edit' }).click()
  await expect(apply(page)).toHaveText('Apply to 3 pictures')
  await page.reload()
  await expect(apply(page)).toHaveText('Apply to 3 pictures')
  await add(page, 'Grayscale')
  await apply(page).click()
  await expect(page.getByText('3 pictures are being processed.')).toBeVisible()
  await done(page, NAMES.length)
})

test('a recipe that fails cannot be applied, and the picture is seen meanwhile', async ({ page, request }) => {
  const data = { name: 'too-narrow.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('night-sky.jpg')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: IMPOSSIBLE } })
  await expect(tiles(page, 'failed')).toHaveCount(1)
  const draw = await hold(page, '**/preview')
  await tiles(page, 'failed').click()
  await page.getByRole('link', { name: /^Edit/ }).first().click()
  await expect(page.getByRole('img', { name: 'Preview' })).toHaveJSProperty('naturalWidth', 1200)
  draw()
  await expect(page.getByRole('alert')).toContainText('outside of the picture')
  await expect(apply(page)).toBeDisabled()
  await page.getByRole('button', { name: 'Remove Crop' }).click()
  await expect(apply(page)).toBeEnabled()
  await expect(page.getByRole('alert')).toBeHidden()
})

test.describe('on a sharp screen', () => {
  test.use({ deviceScaleFactor: 2 })

  test('previews are as large as the stage, and smaller while a hand moves', async ({ page }) => {
    const sides: number[] = []
    page.on('request', (each) => each.url().endsWith('/preview') && sides.push(each.postDataJSON().longest_side))
    await edit(page, 'dunes.jpg')
    const stage = await page.locator('.stage').evaluate((element) => element.clientWidth - 48) // without its padding
    expect(sides[0]).toBeGreaterThanOrEqual(stage * 2)
    await add(page, 'Brightness')
    await expect(page.getByRole('img', { name: 'Preview' })).toHaveAttribute('data-steps', '2')
    sides.length = 0
    const slider = page.getByRole('slider', { name: 'Strength' })
    await slider.evaluate((element: HTMLInputElement) => {
      element.stepUp()
      element.dispatchEvent(new Event('input', { bubbles: true }))
    })
    await expect.poll(() => sides).toEqual([1024])
    await slider.dispatchEvent('change')
    await expect.poll(() => sides.at(-1)).toBeGreaterThanOrEqual(stage * 2)
  })
})
