// What a person can do, as a person does it.

import { expect, test } from '@playwright/test'
import { readFileSync, statSync } from 'node:fs'
import { done, drop, IMPOSSIBLE, Stack, tiles, tray, upload } from './page'

let stack: Stack
test.describe.configure({ mode: 'serial' })
test.beforeAll(async () => {
  test.setTimeout(90_000)
  stack = await Stack.start({ dagster_url: 'http://dagster.example', grafana_url: 'http://grafana.example' })
})
test.afterAll(() => stack?.stop())

test.beforeEach(async ({ page }) => {
  const foreign: string[] = []
  page.on('request', (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(stack.url)) foreign.push(request.url())
  })
  page.on('pageerror', (error) => {
    throw error
  })
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) throw new Error(message.text())
  })
  await page.goto(stack.url)
  await expect(page.getByRole('button', { name: 'Menu' })).toBeVisible()
  expect(foreign).toEqual([])
})

const base64 = (name: string) => readFileSync(stack.file(name)).toString('base64')

test('the first visit says what to do, and draws samples in one click', async ({ page }) => {
  await expect(page.getByRole('heading', { name: 'Nothing here yet. Drop a picture.' })).toBeVisible()
  await page.getByRole('button', { name: 'Try it with samples' }).click()
  await done(page, 6)
})

test('dropped pictures appear, move and are done', async ({ page }) => {
  await drop(page, [{ name: 'sunset.jpg', base64: base64('sunset.jpg'), type: 'image/jpeg' }])
  await page.getByRole('dialog').getByText('Framed').click()
  await page.getByRole('dialog').getByRole('button', { name: 'Upload', exact: true }).click()
  await done(page, 7)
  await expect(page.getByRole('link', { name: 'sunset.jpg, done' })).toBeVisible()
})

test('a refused file says why beside its name, the others go on', async ({ page }) => {
  await upload(page, ['cut-off.jpg', 'page.jpg', 'notes.txt', 'city.png'].map((name) => stack.file(name)))
  const list = tray(page)
  await expect(list.getByRole('listitem').filter({ hasText: 'cut-off.jpg' })).toContainText('cut off')
  await expect(list.getByRole('listitem').filter({ hasText: 'page.jpg' })).toContainText('HTML')
  await expect(list.getByRole('listitem').filter({ hasText: 'notes.txt' })).toContainText('not a picture')
  await expect(list).toContainText('1 stored, 3 refused')
  await done(page, 8)
})

test('a picture that is here already is pointed out, and sent all the same when wanted', async ({ page }) => {
  await upload(page, [stack.file('city.png')])
  const list = tray(page)
  await expect(list).toContainText('1 picture is here already.')
  await expect(list.getByRole('link', { name: 'View' })).toHaveAttribute('href', /\/pictures\//)
  await list.getByRole('button', { name: 'Upload all the same', exact: true }).click()
  await done(page, 9)
})

test('a pasted picture is offered', async ({ page }) => {
  await page.evaluate((data) => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], 'pasted.jpg', { type: 'image/jpeg' }))
    window.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer }))
  }, base64('dunes.jpg'))
  await expect(page.getByRole('dialog')).toContainText('1 picture')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toBeHidden()
})

test('uploads pause, resume, and are cancelled', async ({ page, context }) => {
  await context.route('**/upload/tus/**', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    await route.continue()
  })
  await upload(page, ['dunes.jpg', 'aurora.jpg', 'planet.jpg', 'night-sky.jpg', 'mountains.jpg'].map((name) => stack.file(name)))
  const list = tray(page)
  await list.getByRole('button', { name: 'Pause' }).click()
  await expect(list.getByRole('button', { name: 'Resume' })).toBeVisible()
  await list.getByRole('button', { name: /^Cancel mountains/ }).click()
  await list.getByRole('button', { name: 'Resume' }).click()
  await expect(list).toContainText('4 stored')
  await done(page, 13)
})

test('an uploader that dies in the middle loses nothing, and uploads go on by themselves', async ({ page }) => {
  await page.route('**/upload/healthz', (route) => route.continue())
  await stack.tell('kill upload_service')
  await upload(page, [stack.file('marble.webp'), stack.file('waves.png')])
  await expect(tray(page)).toContainText('2 stored', { timeout: 40_000 })
  await done(page, 15)
})

test('a lost connection is told, and what happened meanwhile is there after it', async ({ page, context, request }) => {
  await done(page, 15)
  await stack.tell('kill imagomortis_cli.front_door')
  await expect(page.getByText('The connection is lost.')).toBeVisible()
  await expect(page.getByText('The connection is lost.')).toBeHidden({ timeout: 30_000 })
  const data = { name: 'later.png', mimeType: 'image/png', buffer: readFileSync(stack.file('sunflower.png')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: 'framed' } })
  await done(page, 16)
  expect(context).toBeTruthy()
})

test('pictures are found by name, state, date and recipe', async ({ page }) => {
  await page.getByRole('searchbox').fill('CITY')
  await expect(tiles(page)).toHaveCount(2)
  await page.reload()
  await expect(tiles(page)).toHaveCount(2)
  await page.getByRole('searchbox').fill('')
  await page.getByRole('button', { name: 'Filters' }).click()
  await page.getByLabel('Recipe').selectOption({ label: 'Framed' })
  await expect(tiles(page)).toHaveCount(2)
  await page.getByLabel('To', { exact: true }).fill('2020-01-01')
  await expect(page.getByText('No pictures match.')).toBeVisible()
  await page.getByRole('link', { name: 'Clear filters' }).first().click()
  await expect(tiles(page)).toHaveCount(16)
  const first = await tiles(page).first().getAttribute('href')
  await page.getByLabel('Order').selectOption('oldest')
  await expect(tiles(page).last()).toHaveAttribute('href', first!)
})

test('many are selected by shift and by keyboard, deleted, and brought back', async ({ page }) => {
  await tiles(page).first().hover()
  await page.getByRole('button', { name: /^Select / }).first().click()
  await tiles(page).nth(3).click({ modifiers: ['Shift'] })
  await expect(page.getByRole('toolbar')).toContainText('4 pictures selected')
  await page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).click()
  await expect(tiles(page)).toHaveCount(12)
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(tiles(page)).toHaveCount(16)

  await tiles(page).first().focus()
  await page.keyboard.press('Space')
  await page.keyboard.press('Shift+ArrowRight')
  await page.keyboard.press('Shift+ArrowDown')
  const columns = Number(await page.getByRole('grid').getAttribute('aria-colcount'))
  await expect(page.getByRole('toolbar')).toContainText(`${columns + 2} pictures selected`)
  await page.keyboard.press('Escape')
  await expect(page.getByRole('toolbar')).toBeHidden()
})

test('one is downloaded as it is, many as a zip', async ({ page }) => {
  await tiles(page).first().hover()
  await page.getByRole('button', { name: /^Select / }).first().click()
  const one = page.waitForEvent('download')
  await page.getByRole('toolbar').getByRole('button', { name: 'Download' }).click()
  expect(statSync(await (await one).path()).size).toBeGreaterThan(1000)
  await page.getByRole('button', { name: 'Select all' }).click()
  const many = page.waitForEvent('download')
  await page.getByRole('toolbar').getByRole('button', { name: 'Originals' }).click()
  expect((await many).suggestedFilename()).toMatch(/\.zip$/)
})

test('a failed picture shows its cause within two seconds, and is retried', async ({ page, request }) => {
  const data = { name: 'bad.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('dunes.jpg')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: IMPOSSIBLE } })
  const bad = tiles(page, 'failed')
  await expect(bad).toContainText('outside of the picture', { timeout: 20_000 })
  await bad.click()
  await page.getByRole('button', { name: 'Details' }).click()
  const details = page.getByRole('complementary', { name: 'Details' })
  await expect(details).toContainText('Attempt 3')
  await expect(details.getByRole('link', { name: 'Dagster run' }).first()).toHaveAttribute('href', /dagster\.example\/runs\//)
  await page.getByRole('button', { name: 'Process again' }).click()
  await expect(details).toContainText('Attempt 6', { timeout: 20_000 })
  await page.keyboard.press('i')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Retry the failed picture' }).click()
  await expect(page.getByText('1 picture queued again.')).toBeVisible()
})

test('the viewer goes through the pictures, compares, and deletes', async ({ page }) => {
  await page.getByRole('link', { name: /later\.png/ }).click()
  const viewer = page.getByRole('dialog', { name: 'later.png' })
  await expect(viewer.locator('.slide img.after').first()).toHaveJSProperty('complete', true)
  await page.getByRole('button', { name: 'Compare with the original' }).click()
  const slider = page.getByRole('slider')
  await slider.focus()
  await page.keyboard.press('Home')
  await expect(slider).toHaveAttribute('aria-valuenow', '0')
  await page.keyboard.press('ArrowRight')
  await expect(slider).toHaveAttribute('aria-valuenow', '2')
  const box = (await slider.boundingBox())!
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  await page.mouse.down()
  await page.mouse.move(640, box.y + 20, { steps: 4 })
  await page.mouse.up()
  await expect(slider).toHaveAttribute('aria-valuenow', '50')
  await page.getByRole('button', { name: 'Next picture' }).focus()
  await page.keyboard.press('ArrowRight')
  await expect(viewer).toBeHidden()
  const address = page.url()
  await page.reload()
  expect(page.url()).toBe(address)
  await page.getByRole('button', { name: 'Delete' }).click()
  await expect.poll(() => page.url()).not.toBe(address)
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toBeHidden()
})

test('an edit is previewed, undone, redone, saved and applied', async ({ page }) => {
  await page.getByRole('link', { name: /later\.png/ }).click()
  await page.getByRole('link', { name: 'Edit' }).click()
  const preview = page.getByRole('img', { name: 'Preview' })
  await expect(preview).toBeVisible()
  const before = await preview.getAttribute('src')
  await page.getByRole('button', { name: 'Brightness' }).click()
  await expect(preview).not.toHaveAttribute('src', before!)
  const strength = page.getByRole('slider', { name: 'Strength' })
  await strength.fill('1.6')
  await expect(preview).toHaveAttribute('style', /brightness\(/) // at once, nearly
  await expect(preview).not.toHaveAttribute('style', /brightness\(/) // then the server's own
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Flip' }).click()
  const steps = page.getByRole('list', { name: 'Steps' }).getByRole('listitem')
  await expect(steps).toHaveCount(4)
  await page.getByRole('button', { name: 'Move Flip up' }).click()
  await expect(steps.nth(2)).toContainText('Flip')
  await page.keyboard.press('Control+z')
  await page.keyboard.press('Control+z')
  await expect(steps).toHaveCount(3)
  await page.keyboard.press('Control+Shift+z')
  await expect(steps).toHaveCount(4)
  await page.getByRole('button', { name: 'Save as recipe…' }).click()
  await page.getByLabel('Name', { exact: true }).fill('My Own Look')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(page.getByText('Saved as “My Own Look”.')).toBeVisible()
  await page.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(page.getByText('The picture is being processed.')).toBeVisible()
  await page.getByRole('button', { name: 'Details' }).click()
  await expect(page.getByRole('complementary')).toContainText('Flip')
  await page.keyboard.press('i')
})

test('a saved recipe is offered for uploads with its example, and applied to a selection', async ({ page }) => {
  await page.setInputFiles('[data-files]', [stack.file('sunset.jpg')])
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('img', { name: 'An example of My Own Look' })).toBeVisible()
  await page.keyboard.press('Escape')
  await tiles(page).first().hover()
  await page.getByRole('button', { name: /^Select / }).first().click()
  await tiles(page).nth(2).click({ modifiers: ['Shift'] })
  await page.getByRole('toolbar').getByRole('button', { name: 'Edit' }).click()
  await page.getByLabel('Begin with a recipe').selectOption({ label: 'My Own Look' })
  await page.getByRole('button', { name: 'Apply to 3 pictures' }).click()
  await expect(page.getByText('3 pictures are being processed.')).toBeVisible()
})

test('a frame is drawn by hand to crop, and the original comes back', async ({ page }) => {
  await page.getByRole('link', { name: /sunset\.jpg/ }).first().click()
  await page.getByRole('link', { name: 'Edit' }).click()
  await page.getByRole('button', { name: 'Back to the original' }).click()
  await page.getByRole('button', { name: 'Crop' }).click()
  await expect(page.locator('cropper-selection')).toBeVisible()
  const handle = page.locator('cropper-handle[action="e-resize"]')
  const box = (await handle.boundingBox())!
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  await page.mouse.down()
  await page.mouse.move(box.x - 150, box.y + box.height / 2, { steps: 5 })
  await page.mouse.up()
  await expect(page.getByRole('listitem').filter({ hasText: 'Crop to' })).not.toContainText('80% × 80%')
  await page.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(page.getByText('The picture is being processed.')).toBeVisible()
})

test('processing is paused, cancelled, resumed, and an hour is processed again', async ({ page, request }) => {
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('button', { name: 'Pause processing' }).click()
  await expect(page.getByText('Paused since')).toBeVisible()
  const data = { name: 'waits.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('aurora.jpg')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data } })
  await page.getByRole('button', { name: 'Cancel what waits' }).first().click()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel what waits' }).click()
  await expect(page.getByText('1 picture cancelled.')).toBeVisible()
  await page.getByRole('button', { name: 'Resume processing' }).click()
  await expect(page.getByRole('button', { name: 'Pause processing' })).toBeVisible()
  await page.getByLabel('Span').selectOption('day')
  await page.getByRole('button', { name: 'Process again' }).click()
  await expect(page.getByText(/\d+ pictures queued again/)).toBeVisible()
  await page.locator('.flow').getByRole('link', { name: /^Done/ }).click()
  await expect(page).toHaveURL(/state=done/)
  await expect(tiles(page, 'done').first()).toBeVisible({ timeout: 30_000 })
})
