// Care for a person's work and place: what is begun is not lost, and what is looked at stays where it is.

import { readFileSync } from 'node:fs'
import { done, expect, hold, IMPOSSIBLE, type Page, type Stack, test, tiles, tray, upload } from './page'

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

test('pictures are ordered by name, also after a reload, and a selection gets a star', async ({ page }) => {
  const names = () => tiles(page).evaluateAll((links) => links.map((link) => link.getAttribute('aria-label')!.split(',')[0]))
  await page.getByRole('button', { name: 'Filters' }).click()
  await page.getByLabel('Order').selectOption('Name, A to Z')
  await expect.poll(names).toEqual([...NAMES].sort())
  await page.reload()
  await expect.poll(names).toEqual([...NAMES].sort())
  await page.getByRole('button', { name: 'Filters' }).click()
  await page.getByLabel('Order').selectOption('Name, Z to A')
  await expect.poll(names).toEqual([...NAMES].sort().reverse())
  await page.getByRole('button', { name: 'Select sunset.jpg' }).click()
  await page.getByRole('button', { name: 'Select planet.jpg' }).click()
  const star = (name: string) => page.getByRole('button', { name: `Favourite: ${name}` })
  const act = page.getByRole('toolbar').getByRole('button', { name: 'Favourite' })
  await act.click()
  for (const name of ['sunset.jpg', 'planet.jpg']) await expect(star(name)).toHaveAttribute('aria-pressed', 'true')
  await expect(star('dunes.jpg')).toHaveAttribute('aria-pressed', 'false')
  await act.click()
  await expect(star('sunset.jpg')).toHaveAttribute('aria-pressed', 'false')
  await expect.poll(names).toEqual([...NAMES].sort().reverse())
})

test('an asset is uploaded in the editor and laid over the picture', async ({ page, request }) => {
  await edit(page, 'sunset.jpg')
  await add(page, 'Overlay')
  await expect(page.getByText('Choose a picture, or upload one.')).toBeVisible()
  await page.setInputFiles('[data-asset]', stack.file('city.png'))
  const chosen = page.getByRole('radio', { name: 'city' })
  await expect(chosen).toBeChecked()
  await expect(steps(page).last()).toContainText('Overlay: city')
  await expect(page.getByRole('alert')).toHaveCount(0)
  await apply(page).click()
  await expect(page.getByText('Recipe applied.')).toBeVisible()
  const [{ id }] = await (await request.get(`${stack.url}/api/images?name=sunset`)).json()
  const { recipe } = await (await request.get(`${stack.url}/api/images/${id}/info`)).json()
  expect(recipe.steps.at(-1)).toMatchObject({ transform: 'overlay', asset: expect.stringMatching(/^city@[0-9a-f]{64}$/) })
  await stack.rest()
})

test('a reload of a batch edit keeps its pictures', async ({ page }) => {
  await tiles(page).first().click({ modifiers: ['Control'] })
  await tiles(page).nth(2).click({ modifiers: ['Shift'] })
  await page.getByRole('toolbar').getByRole('button', { name: 'Edit' }).click()
  await expect(apply(page)).toHaveText('Apply to 3 pictures')
  await page.reload()
  await expect(apply(page)).toHaveText('Apply to 3 pictures')
  await add(page, 'Grayscale')
  const title = page.getByRole('heading', { name: 'Edit 3 pictures' })
  const [first] = await title.allTextContents()
  await page.getByRole('button', { name: 'Next picture of the selection' }).click()
  await expect(page.getByText('2 / 3')).toBeVisible()
  await expect(title).not.toHaveText(first!)
  await expect(page.getByRole('img', { name: 'Preview' })).toHaveAttribute('data-steps', /\d/)
  await apply(page).click()
  await expect(page.getByText('Recipe applied to 3 pictures.')).toBeVisible()
  await done(page, NAMES.length)
})

test('a recipe that fails cannot be applied, and the picture is seen meanwhile', async ({ page, request }) => {
  const data = { name: 'too-narrow.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('night-sky.jpg')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: IMPOSSIBLE } })
  await expect(tiles(page, 'failed')).toHaveCount(1)
  const draw = await hold(page, '**/preview')
  await tiles(page, 'failed').click()
  await page.getByRole('link', { name: 'Edit recipe' }).click() // another try would fail in the same way
  await expect(page.getByRole('img', { name: 'Preview' })).toHaveJSProperty('naturalWidth', 1200)
  draw()
  await expect(page.getByRole('alert')).toContainText('outside of the picture')
  await expect(apply(page)).toBeDisabled()
  await page.getByRole('button', { name: 'Remove Crop' }).click()
  await expect(apply(page)).toBeEnabled()
  await expect(page.getByRole('alert')).toBeHidden()
})

test('the place in the list survives Overview, a filter and Back', async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 360 })
  const top = () => page.locator('.scroller').evaluate((element) => Math.round(element.scrollTop))
  await page.locator('.scroller').evaluate((element) => element.scrollTo({ top: 120 }))
  await expect.poll(top).toBe(120)
  await page.getByRole('link', { name: 'Overview' }).click()
  await expect(page.getByRole('heading', { name: 'Overview', exact: true })).toBeVisible()
  await expect(tiles(page).first()).toBeHidden()
  await page.goBack()
  await expect(tiles(page).first()).toBeVisible()
  expect(await top()).toBe(120)

  await page.getByRole('button', { name: /^Failed/ }).click()
  await expect(tiles(page)).toHaveCount(1)
  await page.goBack()
  await expect(page).toHaveURL(`${stack.url}/`)
  await expect(tiles(page)).toHaveCount(NAMES.length + 1)
  await expect.poll(top).toBe(120)
  await page.goForward()
  await expect(tiles(page)).toHaveCount(1)
})

test('a picture that is opened by its address has a previous and a next one', async ({ page }) => {
  const hrefs = await tiles(page).evaluateAll((links) => links.map((link) => link.getAttribute('href')!))
  await page.goto(stack.url + hrefs[2])
  await page.getByRole('button', { name: 'Next picture' }).click()
  await expect(page).toHaveURL(stack.url + hrefs[3])
  for (const at of [2, 1]) {
    await page.getByRole('button', { name: 'Previous picture' }).click()
    await expect(page).toHaveURL(stack.url + hrefs[at])
  }
})

test('the next picture is reached while the one before it is still asked for', async ({ page }) => {
  const hrefs = await tiles(page).evaluateAll((links) => links.map((link) => link.getAttribute('href')!))
  const answer = await hold(page, `**/api/images/${hrefs[2]!.split('/').pop()}/info`)
  await page.goto(stack.url + hrefs[2])
  await page.getByRole('button', { name: 'Next picture' }).click()
  await expect(page).toHaveURL(stack.url + hrefs[3])
  answer()
  await expect(page.getByText(`4 / ${hrefs.length}`)).toBeVisible()
})

test('pictures that a busy server refuses are asked for again', async ({ page }) => {
  const refused = new Set<string>()
  await page.route(/\/thumbnail/, async (route) => {
    const address = route.request().url()
    if (refused.has(address)) return route.continue()
    refused.add(address)
    return route.fulfill({ status: 503 })
  })
  await page.reload()
  await expect.poll(() => refused.size).toBeGreaterThan(2)
  await expect.poll(() => page.locator('.grid img').evaluateAll((images) => images.every((image) => (image as HTMLImageElement).naturalWidth))).toBe(true)
})

test('a picture that comes does not move those under the pointer', async ({ page, request }) => {
  const names = await tiles(page).evaluateAll((links) => links.map((link) => link.getAttribute('href')))
  await tiles(page).first().hover()
  const data = { name: 'from-elsewhere.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('marble.webp')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data } })
  const news = page.getByRole('button', { name: '1 new' })
  await expect(news).toBeVisible()
  expect(await tiles(page).evaluateAll((links) => links.map((link) => link.getAttribute('href')))).toEqual(names)
  await news.click()
  await expect(tiles(page).first()).toHaveAttribute('aria-label', /^from-elsewhere.jpg/)
  await expect(news).toBeHidden()
})

test('a picture that is deleted elsewhere says so, and the others are still there', async ({ page, request }) => {
  const href = await picture(page, 'from-elsewhere.jpg').getAttribute('href')
  const next = await tiles(page).nth(1).getAttribute('href')
  await tiles(page).first().click()
  await expect(page.getByRole('button', { name: 'Delete' })).toBeVisible()
  await request.delete(`${stack.url}/api/image/${href!.split('/').at(-1)}`)
  await expect(page.getByRole('alert')).toContainText('This picture was deleted elsewhere.')
  await expect(page.getByRole('button', { name: 'Delete' })).toBeHidden()
  await page.getByRole('button', { name: 'Next picture' }).click()
  await expect(page).toHaveURL(stack.url + next)
  await expect(page.getByRole('alert')).toBeHidden()
})

test('a file that is here already with another recipe gets the one that is chosen', async ({ page }) => {
  await upload(page, [stack.file('planet.jpg')], 'Framed')
  await expect(page.getByText('A picture that was here already gets the chosen recipe.')).toBeVisible()
  await expect(tray(page).getByRole('listitem')).toContainText('gets the chosen recipe')
  await picture(page, 'planet.jpg').click()
  await page.getByRole('button', { name: 'Details' }).click()
  await expect(page.getByRole('complementary', { name: 'Details' })).toContainText('Framed')
})

test('a tiny picture is shown in its own size, and what is transparent as such', async ({ page, request }) => {
  const dot = Buffer.from('R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICTAEAOw==', 'base64')
  await request.post(`${stack.url}/upload`, { multipart: { file: { name: 'dot.gif', mimeType: 'image/gif', buffer: dot } } })
  const image = page.getByRole('link', { name: 'dot.gif, done' }).locator('img')
  await expect(image).toHaveJSProperty('clientWidth', 1)
  await expect(image).toHaveCSS('background-image', /conic-gradient/)
  await expect(picture(page, 'dunes.jpg').locator('img')).toHaveCSS('background-image', 'none')
})

test('an edit keeps the outputs that a recipe has', async ({ page, request }) => {
  const data = { name: 'wide.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('waves.png')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: 'social' } })
  await page.getByRole('link', { name: 'wide.jpg, done' }).click()
  await page.getByRole('link', { name: 'Edit' }).click()
  await expect(page.getByText('The result is saved as')).toBeVisible()
  await add(page, 'Blur')
  const edited = page.waitForRequest((request) => request.method() === 'PATCH')
  await apply(page).click()
  const { recipe } = (await edited).postDataJSON() as { recipe: { steps: object[]; outputs: object } }
  expect(Object.keys(recipe.outputs).sort()).toEqual(['landscape', 'link', 'portrait', 'square'])
  expect(recipe.steps.at(-1)).toMatchObject({ transform: 'blur' })
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
