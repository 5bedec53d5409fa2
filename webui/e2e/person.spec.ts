// What a person can do, as a person does it.

import type { APIRequestContext, Locator, Request } from '@playwright/test'
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { done, drag, expect, hold, IMPOSSIBLE, type Stack, test, tiles, tray, upload } from './page'

let stack: Stack
test.describe.configure({ mode: 'serial' })
test.beforeAll(async ({ stack: shared }) => {
  stack = shared
  await stack.clear()
})

const foreign: string[] = []
test.beforeEach(async ({ page }) => {
  foreign.length = 0
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
})

test.afterEach(() => expect(foreign).toEqual([]))

const images = async (request: APIRequestContext, filter: string): Promise<unknown[]> =>
  (await request.get(`${stack.url}/api/images?limit=1000&${filter}`)).json()

/** Waits until an element has come to rest. */
const steady = (element: Locator) =>
  element.evaluate(async (moving) => {
    for (let [last, now] = ['', ' ']; last !== now; ) {
      await new Promise(requestAnimationFrame)
      ;[last, now] = [now!, JSON.stringify(moving.getBoundingClientRect())]
    }
  })

const base64 = (name: string) => readFileSync(stack.file(name)).toString('base64')

test('the first visit says what to do, and draws samples in one click', async ({ page }) => {
  await expect(page.getByRole('heading', { name: 'Nothing here yet. Drop a picture.' })).toBeVisible()
  await page.getByRole('button', { name: 'Try it with samples' }).click()
  await done(page, 6)
})

test('dropped pictures appear, move and are done', async ({ page }) => {
  await drag(page, [stack.file('sunset.jpg')], 'over')
  await expect(page.getByText('Drop to upload')).toBeVisible()
  await drag(page, [stack.file('sunset.jpg')])
  await expect(page.getByText('Drop to upload')).toBeHidden()
  await expect(page.getByRole('dialog')).toContainText('1 picture')
  await page.getByRole('dialog').getByText('Framed').click()
  await page.getByRole('dialog').getByRole('button', { name: 'Upload', exact: true }).click()
  await done(page, 7)
  await expect(page.getByRole('link', { name: 'sunset.jpg, done' })).toBeVisible()
  await expect(tray(page)).toContainText('1 done')
  await expect(tray(page).getByRole('link', { name: 'Show' })).toHaveAttribute('href', '/')
})

test('a refused file says why beside its name, the others go on', async ({ page }) => {
  await upload(page, ['cut-off.jpg', 'page.jpg', 'notes.txt', 'city.png'].map((name) => stack.file(name)))
  const list = tray(page)
  await expect(list.getByRole('listitem').filter({ hasText: 'cut-off.jpg' })).toContainText('cut off')
  await expect(list.getByRole('listitem').filter({ hasText: 'page.jpg' })).toContainText('HTML')
  await expect(list.getByRole('listitem').filter({ hasText: 'notes.txt' })).toContainText('not a picture')
  await expect(list).toContainText('1 stored, 3 refused')
  await expect(page.getByRole('status').filter({ hasText: 'Uploads finished: 1 picture stored, 3 refused.' })).toBeAttached()
  await list.getByRole('button', { name: 'Try notes.txt again' }).click()
  await expect(list.getByRole('listitem').filter({ hasText: 'notes.txt' })).toContainText('This is text')
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

test('a pasted picture is offered', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: stack.url })
  await page.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': new Blob([bytes], { type: 'image/png' }) })])
  }, base64('city.png'))
  await page.keyboard.press('Control+v')
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('1 picture')
  // it is shown as each recipe would make it: without colours here
  const own = dialog.getByRole('img', { name: 'Your picture with Black and white' })
  const colours = () =>
    own.evaluate(async (image: HTMLImageElement) => {
      await image.decode()
      const pen = new OffscreenCanvas(16, 16).getContext('2d')!
      pen.drawImage(image, 0, 0, 16, 16)
      const { data } = pen.getImageData(0, 0, 16, 16)
      return data.filter((level, at) => at % 4 < 2 && Math.abs(level - data[at + 1]!) > 12).length
    })
  await expect(own).toBeVisible()
  expect(await colours()).toBe(0)
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await expect(page.getByRole('dialog')).toBeHidden()
})

test('uploads pause, resume, and are cancelled', async ({ page, context }) => {
  const release = await hold(context, '**/upload/tus/**')
  await upload(page, ['dunes.jpg', 'aurora.jpg', 'planet.jpg', 'night-sky.jpg', 'mountains.jpg'].map((name) => stack.file(name)))
  const list = tray(page)
  await list.getByRole('button', { name: 'Pause' }).click()
  await expect(list.getByRole('button', { name: 'Resume' })).toBeVisible()
  await list.getByRole('button', { name: /^Cancel mountains/ }).click()
  release()
  await list.getByRole('button', { name: 'Resume' }).click()
  await expect(list).toContainText('4 stored')
  await done(page, 13)
})

test('an uploader that dies in the middle loses nothing, and uploads go on by themselves', async ({ page }) => {
  await stack.tell('kill upload_service')
  await upload(page, [stack.file('marble.webp'), stack.file('waves.png')])
  await expect(tray(page)).toContainText('2 stored')
  await done(page, 15)
})

test('a lost connection is told, and what happened meanwhile is there after it', async ({ page, request }) => {
  await done(page, 15)
  await page.evaluate(() => { // it may be there for a moment only
    const isTold = () => document.body.innerText.includes('The connection is lost.')
    const told = new Promise<void>((resolve) => new MutationObserver(() => isTold() && resolve()).observe(document.body, { childList: true, subtree: true }))
    Object.assign(window, { told })
  })
  await stack.tell('kill imagomortis_cli.machine.front_door.app')
  await page.evaluate(() => (window as unknown as { told: Promise<void> }).told)
  await expect(page.getByText('The connection is lost.')).toBeHidden()
  const data = { name: 'later.png', mimeType: 'image/png', buffer: readFileSync(stack.file('sunflower.png')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: 'framed' } })
  await done(page, 16)
})

test('pictures are found by name, state, date and recipe', async ({ page }) => {
  const opened = page.waitForRequest(/\/api\/events/)
  await page.reload()
  await opened
  const streams: string[] = []
  const note = (each: Request) => each.url().includes('/api/events') && streams.push(each.url())
  page.on('request', note)
  await expect(page.getByRole('searchbox')).toBeVisible()
  await page.keyboard.press('/')
  await expect(page.getByRole('searchbox')).toBeFocused()
  await page.getByRole('searchbox').fill('CITY')
  await expect(tiles(page)).toHaveCount(2)
  await expect(page.getByText('2 of 16', { exact: true })).toBeVisible()
  await page.getByRole('searchbox').fill('CITY.')
  await expect(page).toHaveURL(/name=CITY\.$/)
  expect(streams).toEqual([]) // the one that is open goes on
  page.off('request', note)
  await page.reload()
  await expect(tiles(page)).toHaveCount(2)
  await page.getByRole('searchbox').fill('')
  const states = page.getByRole('group', { name: 'State' })
  await states.getByRole('button', { name: /^Failed 0/ }).click()
  await expect(page.getByText('No pictures match.')).toBeVisible()
  await states.getByRole('button', { name: /^Done 16/ }).click()
  await expect(tiles(page)).toHaveCount(16)
  await states.getByRole('button', { name: /^All 16/ }).click()
  await page.getByRole('button', { name: 'Filters' }).click()
  await page.getByLabel('Recipe').selectOption({ label: 'Framed' })
  await expect(tiles(page)).toHaveCount(2)
  await page.getByLabel('To', { exact: true }).fill('2020-01-01')
  await expect(page.getByText('No pictures match.')).toBeVisible()
  await page.getByRole('button', { name: 'Take off the filter To Wednesday, January 1, 2020' }).click()
  await expect(tiles(page)).toHaveCount(2)
  await page.getByLabel('To', { exact: true }).fill('2020-01-01')
  await page.getByRole('link', { name: 'Clear filters' }).first().click()
  await expect(tiles(page)).toHaveCount(16)
  const first = await tiles(page).first().getAttribute('href')
  await page.getByLabel('Order').selectOption('oldest')
  await expect(tiles(page).last()).toHaveAttribute('href', first!)
})

test('every picture is seen whole, in rows that fill the width and are as high as wanted', async ({ page }) => {
  await expect(page.getByRole('heading', { name: 'Today' })).toBeVisible()
  const rows = () =>
    page.evaluate(async () => {
      const images = [...document.querySelectorAll<HTMLImageElement>('.grid img')]
      await Promise.all(images.map((image) => image.decode()))
      const width = document.querySelector('.grid')!.clientWidth
      const ends = [...document.querySelectorAll('.grid .row:has(.tile)')].map((row) => row.lastElementChild!.getBoundingClientRect().right - row.getBoundingClientRect().left)
      return {
        cut: images.map((image) => Math.abs(image.naturalWidth / image.naturalHeight / (image.clientWidth / image.clientHeight) - 1)),
        short: ends.slice(0, -1).map((end) => Math.abs(width - end)),
        height: images[0]!.clientHeight,
      }
    })
  const before = await rows()
  expect(Math.max(...before.cut)).toBeLessThan(0.02)
  expect(Math.max(...before.short)).toBeLessThan(2)
  await page.getByLabel('Size of the pictures').fill('400')
  expect((await rows()).height).toBeGreaterThan(before.height)
  await page.reload()
  await expect(page.getByLabel('Size of the pictures')).toHaveValue('400')
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
  const below = Number(await page.locator('.grid a:focus').getAttribute('data-index'))
  expect(below).toBeGreaterThan(2)
  await expect(page.getByRole('toolbar')).toContainText(`${below + 1} pictures selected`)
  await page.keyboard.press('Escape')
  await expect(page.getByRole('toolbar')).toBeHidden()
  await page.keyboard.press('Control+a')
  await expect(page.getByRole('toolbar')).toContainText('16 pictures selected')
  await page.keyboard.press('Escape')
})

test('one is downloaded as it is, many as a zip', async ({ page }) => {
  await tiles(page).first().hover()
  await page.getByRole('button', { name: /^Select / }).first().click()
  const one = page.waitForEvent('download')
  await page.getByRole('toolbar').getByRole('button', { name: 'Download' }).click()
  expect(statSync(await (await one).path()).size).toBeGreaterThan(1000)
  await page.getByRole('button', { name: 'Select all' }).click()
  await expect(page.getByRole('toolbar')).toContainText('16 pictures selected')
  const many = page.waitForEvent('download')
  await page.getByRole('toolbar').getByRole('button', { name: 'Originals' }).click()
  expect((await many).suggestedFilename()).toMatch(/\.zip$/)
})

test('a failed picture shows its cause, and is retried', async ({ page, request }) => {
  const data = { name: 'bad.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('dunes.jpg')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: IMPOSSIBLE } })
  const bad = tiles(page, 'failed')
  await expect(bad).toContainText('outside of the picture')
  const [image] = await (await request.get(`${stack.url}/api/images?state=failed`)).json()
  await bad.click()
  await page.getByRole('button', { name: 'Details' }).click()
  const details = page.getByRole('complementary', { name: 'Details' })
  await expect(details).toContainText('Attempt 3')
  await expect(details.getByRole('listitem').filter({ hasText: 'Attempt 1' })).toContainText('outside of the picture')
  await expect(details).toContainText(/Original\s*1200 × 800 · [\d.]+ KB/)
  await expect(details).toContainText(/Uploaded\s*\w+ \d+, \d+/)
  await expect(details.getByRole('link', { name: 'Dagster run' }).first()).toHaveAttribute('href', /dagster\.example\/runs\//)
  await expect(details.getByRole('link', { name: 'Logs' }).first()).toHaveAttribute('href', new RegExp(`grafana\\.example/explore.*${image.id}`))
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('button', { name: 'Process again' }).click()
  const queued = page.getByText('1 picture queued again.')
  await expect(queued).toBeVisible()
  await expect(queued).toBeHidden()
  await expect(details).toContainText('Attempt 6')
  await page.keyboard.press('i')
  await page.keyboard.press('Escape')
  await expect(queued).toBeHidden()
  await page.getByRole('button', { name: 'Retry the failed picture' }).click()
  await expect(queued).toBeVisible()
})

test('the viewer goes through the pictures, compares, and deletes', async ({ page }) => {
  const place = Number(await page.getByRole('link', { name: /later\.png/ }).getAttribute('data-index'))
  await page.getByRole('link', { name: /later\.png/ }).click()
  const viewer = page.getByRole('dialog', { name: 'later.png' })
  await expect(viewer.locator('.slide img.after').first()).toHaveJSProperty('complete', true)
  await expect(viewer).toHaveCSS('background-color', 'rgb(17, 17, 18)') // dark, in the light theme too
  await expect(viewer).toContainText(new RegExp(`${place + 1} / \\d+`))
  const strip = page.getByRole('group', { name: 'Pictures before and after' })
  await expect(strip.locator('[aria-current="true"]')).toHaveAccessibleName('later.png')
  await strip.getByRole('button').nth(place ? 0 : 1).click()
  await expect(viewer).toBeHidden()
  await strip.getByRole('button', { name: 'later.png' }).click()
  await expect(viewer.locator('.slide img.after').first()).toHaveJSProperty('complete', true)
  await page.keyboard.press('z')
  await expect(viewer.getByRole('button', { name: '100 %' })).toBeVisible()
  await viewer.getByRole('button', { name: 'Zoom out' }).click()
  await expect(viewer.getByRole('button', { name: '80 %' })).toBeVisible()
  await page.keyboard.press('z')
  await expect(viewer.getByRole('button', { name: '100 %' })).toBeVisible()
  await page.keyboard.press('z')
  await expect(viewer.getByRole('button', { name: '100 %' })).toBeHidden()
  await viewer.getByRole('button', { name: 'More' }).click()
  await page.keyboard.press('Escape')
  await viewer.getByRole('button', { name: 'More' }).click()
  await viewer.getByRole('button', { name: 'Use in a program' }).click()
  const code = page.getByRole('dialog', { name: 'Use in a program' })
  await expect(code).toContainText(`curl -OJ '${new URL(page.url()).origin}/api/images/`)
  await code.getByRole('button', { name: 'JSON' }).click()
  await expect(code).toContainText('"filename": "later.png"')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Compare with the original' }).click()
  const slide = page.locator('.pswp__item[aria-hidden="false"] .slide')
  // it has the frame of the recipe, so that both lie on each other
  const framed = await slide.locator('img.after').evaluate((image: HTMLImageElement) => image.naturalWidth)
  expect(framed).toBeGreaterThan(900)
  await expect(slide.locator('img.before')).toHaveJSProperty('naturalWidth', framed)
  /** How many percent of the picture, from the left, are the original. */
  const cut = () => slide.evaluate((element) => parseFloat(element.style.getPropertyValue('--cut')))
  const slider = page.getByRole('slider', { name: /^Before and after/ })
  await slider.focus()
  await page.keyboard.press('End')
  await expect.poll(cut).toBe(100)
  await page.keyboard.press('Home')
  await expect(slider).toHaveAttribute('aria-valuenow', '0')
  await expect.poll(cut).toBe(0)
  await page.keyboard.press('ArrowRight')
  await expect(slider).toHaveAttribute('aria-valuenow', '2')
  const box = (await slider.boundingBox())!
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  await page.mouse.down()
  await page.mouse.move(640, box.y + 20, { steps: 4 })
  await page.mouse.up()
  await expect(slider).toHaveAttribute('aria-valuenow', '50')
  await expect.poll(cut).toBeCloseTo(50, 0)
  /** Pixels between the line and the place where the picture is cut. */
  const offset = () =>
    slide.evaluate((element) => {
      const { left, width } = element.getBoundingClientRect()
      const line = document.querySelector('.viewer .line')!.getBoundingClientRect()
      return Math.abs(line.left + line.width / 2 - left - (width * parseFloat(element.style.getPropertyValue('--cut'))) / 100)
    })
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.keyboard.press('i')
  await expect(page.getByRole('button', { name: 'Download the original' })).toBeVisible()
  await expect.poll(offset).toBeLessThan(2)
  const original = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download the original' }).click()
  expect((await original).suggestedFilename()).toBe('later.png')
  expect(readFileSync(await (await original).path()).equals(readFileSync(stack.file('sunflower.png')))).toBe(true)
  await page.keyboard.press('i')
  await expect(page.getByRole('button', { name: 'Download the original' })).toBeHidden()
  await expect.poll(offset).toBeLessThan(2)
  await page.emulateMedia({ reducedMotion: null })
  await page.getByRole('button', { name: 'Next picture' }).focus()
  await page.keyboard.press('ArrowRight')
  await expect(viewer).toBeHidden()
  const address = page.url()
  await page.reload()
  expect(page.url()).toBe(address)
  await page.getByRole('button', { name: 'Delete' }).click()
  await expect.poll(() => page.url()).not.toBe(address)
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(page.getByText('1 picture restored.')).toBeVisible()
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
  const draw = await hold(page, '**/preview')
  await strength.fill('1.6')
  await expect(preview).toHaveAttribute('style', /brightness\(/) // at once, nearly
  draw()
  await expect(preview).not.toHaveAttribute('style', /brightness\(/) // then the server's own
  await page.getByRole('spinbutton', { name: 'Strength as a number' }).fill('130')
  await page.keyboard.press('Enter')
  await expect(strength).toHaveValue('1.3')
  await strength.dblclick({ position: { x: 8, y: 8 } })
  await expect(strength).toHaveValue('1')
  await strength.fill('1.6')
  await expect(preview).toHaveAttribute('style', /brightness\(/)
  await expect(preview).not.toHaveAttribute('style', /brightness\(/)
  await expect(page.getByRole('img', { name: 'Histogram' })).toBeVisible()
  const large = page.waitForResponse('**/preview')
  await page.getByRole('button', { name: 'Zoom in' }).click()
  await large
  await page.getByRole('button', { name: 'Fit to screen' }).click()
  const asked: string[] = []
  page.on('request', (each) => each.url().endsWith('/preview') && asked.push(each.url()))
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Flip' }).click()
  const steps = page.getByRole('list', { name: 'Steps' }).getByRole('listitem')
  await expect(steps).toHaveCount(4)
  await expect(preview).toHaveAttribute('data-steps', '4')
  expect(asked).toHaveLength(1) // what is drawn is not asked for again
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
  await expect(page.getByText('Recipe applied.')).toBeVisible()
  await page.getByRole('button', { name: 'Details' }).click()
  await expect(page.getByRole('complementary')).toContainText('Flip')
  await page.keyboard.press('i')
})

test('a saved recipe is offered for uploads with its result, and applied to a selection', async ({ page }) => {
  await page.setInputFiles('[data-files]', [stack.file('sunset.jpg')])
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('img', { name: 'Your picture with My Own Look' })).toBeVisible()
  await dialog.getByRole('button', { name: 'Delete the recipe My Own Look' }).click()
  await expect(dialog.getByText('My Own Look', { exact: true })).toBeHidden()
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Undo' }).click()
  await tiles(page).first().hover()
  await page.getByRole('button', { name: /^Select / }).first().click()
  await tiles(page).nth(2).click({ modifiers: ['Shift'] })
  await expect(page.getByRole('toolbar')).toContainText('3 pictures selected')
  await page.getByRole('toolbar').getByRole('button', { name: 'Edit' }).click()
  await page.getByLabel('Begin with a recipe').selectOption({ label: 'My Own Look' })
  await page.getByRole('button', { name: 'Apply to 3 pictures' }).click()
  await expect(page.getByText('Recipe applied to 3 pictures.')).toBeVisible()
})

test('a frame is drawn by hand to crop, and the original comes back', async ({ page }) => {
  await page.getByRole('link', { name: /sunset\.jpg/ }).first().click()
  await page.getByRole('link', { name: 'Edit' }).click()
  await expect(page.getByRole('img', { name: 'Preview' })).toBeVisible()
  // the original comes late, when the frame is drawn already on what was shown before
  const draw = await hold(page, '**/preview')
  await page.getByRole('button', { name: 'Back to the original' }).click()
  await expect(page.getByText('No steps: the picture as it was uploaded.')).toBeVisible()
  await page.getByRole('button', { name: 'Crop', exact: true }).click()
  await expect(page.locator('cropper-selection')).toBeVisible()
  const handle = page.locator('cropper-handle[action="e-resize"]')
  const box = (await handle.boundingBox())!
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  await page.mouse.down()
  await page.mouse.move(box.x - 150, box.y + box.height / 2, { steps: 5 })
  await page.mouse.up()
  const step = page.getByRole('listitem').filter({ hasText: 'Crop to' })
  await expect(step).not.toContainText('80% × 80%')
  await page.getByLabel('Proportions').selectOption('1:1')
  draw()
  await expect(step).toContainText('66.7% × 100%')
  await page.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(page.getByText('Recipe applied.')).toBeVisible()
})

test('the overview draws the pipeline, and each part leads on', async ({ page }) => {
  await page.getByRole('link', { name: 'Overview' }).click()
  const flow = page.locator('.flow')
  for (const [part, leads] of [
    ['Uploader', /grafana\.example\/explore/],
    ['Spool', /grafana\.example\/explore/],
    ['Queue', /state=queued/],
    ['Workers', /dagster\.example\/runs/],
    ['Failed', /state=failed/],
  ] as const) {
    const link = flow.getByRole('link', { name: new RegExp(`^${part} \\d+`) })
    await expect(link).toHaveAttribute('href', leads)
  }
  await expect(page.getByRole('img', { name: /^The last hour: \d+ done/ })).toBeVisible()
  const states = page.getByRole('region', { name: 'Pictures by state' })
  for (const state of ['Waiting', 'Processing', 'Done', 'Failed']) {
    await expect(states.getByRole('link', { name: new RegExp(`^${state}\\s*\\d`) })).toBeVisible()
  }
  await expect(page.getByText('Renditions')).toBeVisible()
  await page.getByRole('button', { name: 'Menu' }).click()
  for (const place of [page.getByRole('region', { name: 'Elsewhere' }), page.getByRole('group', { name: 'Menu' })]) {
    await expect(place.getByRole('link', { name: 'Dagster webserver' })).toHaveAttribute('href', 'http://dagster.example')
    await expect(place.getByRole('link', { name: 'Grafana' })).toHaveAttribute('href', 'http://grafana.example')
  }
})

test('the drawing of the pipeline is live', async ({ page, request }) => {
  await stack.rest()
  const before = (await images(request, 'state=done')).length
  await page.getByRole('link', { name: 'Overview' }).click()
  const flow = page.locator('.flow')
  const link = flow.getByRole('link', { name: /^Done \d/ })
  const number = async () => Number((await link.locator('b').textContent())?.replace(/\D/g, ''))
  await expect.poll(number).toBe(before)
  const data = { name: 'counted.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('night-sky.jpg')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data } })
  await Promise.all([ // each of them is true for a while only
    expect(flow.getByRole('link', { name: /^Workers [1-9]/ })).toBeVisible(),
    expect.poll(number).toBe(before + 1),
    expect(flow.getByRole('link', { name: /^Uploader [1-9]/ })).toBeVisible(),
    expect(link.locator('.text')).toHaveText(/^[1-9]\d* in the last minute$/),
  ])
  await expect(page.getByRole('img', { name: /^The last hour: [1-9]\d* done/ })).toBeVisible()
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
  await stack.rest()
  for (const span of ['hour', 'day']) {
    await page.getByLabel('Span').selectOption(span)
    const begins = await page.getByLabel('Begins').inputValue()
    const since = new Date(span === 'day' ? `${begins}T00:00` : begins).toISOString()
    const { length } = await images(request, `state=done&state=failed&since=${since}`)
    await page.getByRole('button', { name: 'Process again' }).click()
    // an hour that has just begun may have one picture, or none
    const told = length ? `${length} picture${length === 1 ? '' : 's'} queued again.` : 'There are no finished pictures in that time.'
    await expect(page.getByText(told, { exact: true })).toBeVisible()
    await expect(page.getByText(told, { exact: true })).toBeHidden()
    await stack.rest()
    await expect(page.getByRole('region', { name: 'Pictures by state' })).toContainText(/Waiting\s*0\s*Processing\s*0/)
  }
  await page.locator('.flow').getByRole('link', { name: /^Done/ }).click()
  await expect(page).toHaveURL(/state=done/)
  await expect(tiles(page, 'done').first()).toBeVisible()
})

test('a whole folder is taken, without what systems leave in it', async ({ page }) => {
  const folder = join(stack.pictures, 'holiday')
  mkdirSync(join(folder, 'second day'), { recursive: true })
  copyFileSync(stack.file('aurora.jpg'), join(folder, 'evening.jpg'))
  copyFileSync(stack.file('dunes.jpg'), join(folder, 'second day', 'noon.jpg'))
  writeFileSync(join(folder, '.DS_Store'), 'none of the picture kind')
  const chooser = page.waitForEvent('filechooser')
  await page.getByRole('button', { name: 'Upload a folder' }).click()
  await (await chooser).setFiles(folder)
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('2 pictures')
  await dialog.getByText('Black and white').click()
  await dialog.getByRole('button', { name: 'Upload', exact: true }).click()
  await expect(tray(page)).toContainText('2 pictures are here already.')
  await tray(page).getByRole('button', { name: 'Upload all the same', exact: true }).click()
  await expect(tray(page)).toContainText('2 stored')
  await expect(page.getByRole('link', { name: 'noon.jpg, done' })).toBeVisible()
})

test('whole folders are dropped on the page', async ({ page }) => {
  const folder = join(stack.pictures, 'journey')
  mkdirSync(join(folder, 'last day'), { recursive: true })
  copyFileSync(stack.file('planet.jpg'), join(folder, 'start.jpg'))
  copyFileSync(stack.file('mountains.jpg'), join(folder, 'last day', 'end.jpg'))
  writeFileSync(join(folder, 'last day', 'Thumbs.db'), 'none of the picture kind')
  await drag(page, [folder, stack.file('notes.txt')])
  await page.getByRole('dialog').getByRole('button', { name: 'Upload', exact: true }).click()
  const list = tray(page)
  await expect(list).toContainText('1 stored, 1 refused')
  await expect(list).toContainText('1 picture is here already.')
  await list.getByRole('button', { name: 'Upload all the same', exact: true }).click()
  await expect(list).toContainText('2 stored, 1 refused')
  await expect(page.getByRole('link', { name: 'end.jpg, done' })).toBeVisible()
})

test('the ring of a picture moves while it is processed', async ({ page, request }) => {
  await tiles(page).first().waitFor()
  await page.evaluate(() => {
    const seen: string[] = ((window as unknown as { seen: string[] }).seen = [])
    new MutationObserver(() => {
      for (const part of document.querySelectorAll('.grid a[data-state="processing"] circle.part')) {
        const offset = part.getAttribute('stroke-dashoffset')!
        if (!seen.includes(offset)) seen.push(offset)
      }
    }).observe(document.querySelector('.grid')!, { subtree: true, childList: true, attributes: true })
  })
  const steps = [
    { transform: 'resize', width: '3000px', height: '3000px', fit: 'exact', enlarge: true },
    ...Array.from({ length: 8 }, () => ({ transform: 'blur', radius: '5%' })),
  ]
  const data = { name: 'slowly.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('aurora.jpg')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data, recipe: JSON.stringify({ steps }) } })
  await expect(page.getByRole('link', { name: 'slowly.jpg, done' })).toBeVisible()
  const seen = await page.evaluate(() => (window as unknown as { seen: string[] }).seen.map(Number))
  expect(seen.length).toBeGreaterThan(1)
})

test('on a slow line the progress is told: of each file, of all, the speed and the time left', async ({ page, context }) => {
  const line = await context.newCDPSession(page)
  const slow = { offline: false, latency: 20, downloadThroughput: 1e6, uploadThroughput: 60_000 }
  await line.send('Network.emulateNetworkConditions', slow)
  const big = join(stack.pictures, 'long-on-its-way.png')
  writeFileSync(big, Buffer.concat([readFileSync(stack.file('city.png')), Buffer.alloc(10_000_000)]))
  await upload(page, [big])
  await expect(tray(page).locator('.sum')).toContainText(/ of .*B\/s · .* left/)
  const one = tray(page).getByRole('progressbar', { name: 'long-on-its-way.png' })
  await expect.poll(async () => Number(await one.getAttribute('value'))).toBeGreaterThan(5)
  const all = tray(page).getByRole('progressbar', { name: 'All uploads' })
  expect(Number(await all.getAttribute('value'))).toBeGreaterThan(0)
  await expect(page.getByRole('status').filter({ hasText: /^\d0 percent uploaded\.$/ })).toBeAttached()
  await tray(page).getByRole('button', { name: 'Cancel long-on-its-way.png' }).click()
  await expect(tray(page)).toContainText('0 stored')
})

test('what others do appears by itself, and the page asks for nothing meanwhile', async ({ page, request }) => {
  await page.clock.install()
  await page.reload()
  await page.waitForFunction(() => document.querySelector('.grid img') && [...document.images].every((image) => image.complete))
  const asked: string[] = []
  page.on('request', (each) => asked.push(each.url()))
  await page.clock.runFor('05:00')
  const data = { name: 'from-elsewhere.jpg', mimeType: 'image/jpeg', buffer: readFileSync(stack.file('planet.jpg')) }
  await request.post(`${stack.url}/upload`, { multipart: { file: data } })
  await expect(tiles(page).first()).toHaveAttribute('aria-label', 'from-elsewhere.jpg, done')
  // it may look at the list once more when its stream begins
  const paths = asked.map((each) => new URL(each).pathname).filter((each) => !/thumbnail|events|session/.test(each))
  expect(paths.filter((each) => !['/api/images', '/api/images/marks'].includes(each))).toEqual([])
  expect(paths.length).toBeLessThanOrEqual(2)
})

test('everything is done by the keys alone', async ({ page }) => {
  await tiles(page).first().waitFor()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to the pictures' })).toBeFocused()
  await page.keyboard.press('Enter')
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible()
  await page.keyboard.press('Escape')
  for (let times = 0; times < 20 && !(await tiles(page).first().evaluate((tile) => tile === document.activeElement)); times++) {
    await page.keyboard.press('Tab')
  }
  await page.keyboard.press('ArrowRight')
  const second = tiles(page).nth(1)
  await expect(second).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeFocused()
  await page.keyboard.press('ArrowRight')
  await expect(page).toHaveURL(new RegExp((await tiles(page).nth(2).getAttribute('href'))!))
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('c')
  await expect(page.getByRole('slider', { name: /^Before and after/ })).toBeVisible()
  await page.keyboard.press('e')
  await expect(page.getByRole('dialog', { name: 'Edit' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toBeHidden()
  await expect(second).toBeFocused()
})

test('pictures are uploaded and edited by the keys alone', async ({ page }) => {
  const till = async (name: string, key = 'Tab') => {
    const there = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim())
    for (let times = 0; times < 60 && (await there()) !== name; times++) await page.keyboard.press(key)
    expect(await there()).toBe(name)
  }
  await tiles(page).first().waitFor()
  const chooser = page.waitForEvent('filechooser')
  await till('Upload')
  await page.keyboard.press('Enter')
  await (await chooser).setFiles(stack.file('waves.png'))
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('button', { name: 'Upload', exact: true })).toBeFocused()
  await dialog.getByRole('radio', { name: /Circles/ }).focus()
  await page.keyboard.press('ArrowDown')
  await expect(dialog.getByRole('radio', { name: /As it is/ })).toBeChecked()
  await page.keyboard.press('ArrowDown')
  await expect(dialog.getByRole('radio', { name: /Black and white/ })).toBeChecked()
  await page.keyboard.press('Enter')
  await tray(page).getByRole('button', { name: 'Upload all the same' }).first().waitFor()
  await till('Upload all the same')
  await page.keyboard.press('Enter')
  await expect(tray(page)).toContainText('1 stored')
  await expect(tiles(page).first()).toHaveAttribute('aria-label', 'waves.png, done')

  await tiles(page).first().focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeFocused()
  await page.keyboard.press('e')
  await expect(page.getByRole('button', { name: 'Leave without applying' })).toBeFocused()
  await till('Brightness')
  await page.keyboard.press('Enter')
  const strength = page.getByRole('slider', { name: 'Strength' })
  for (let times = 0; times < 60 && !(await strength.evaluate((slider) => slider === document.activeElement)); times++) {
    await page.keyboard.press('Shift+Tab')
  }
  await page.keyboard.press('ArrowRight')
  await expect(page.getByRole('listitem').filter({ hasText: 'Brightness: 112 %' })).toBeVisible()
  await till('Move Brightness up', 'Shift+Tab')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('list', { name: 'Steps' }).getByRole('listitem').nth(1)).toContainText('Brightness')
  await till('Apply', 'Shift+Tab')
  await page.keyboard.press('Enter')
  await expect(page.getByText('Recipe applied.')).toBeVisible()
})

test('every kind of step is previewed by the server, in any order', async ({ page }) => {
  await page.getByRole('link', { name: 'city.png, done' }).first().click()
  await page.getByRole('link', { name: 'Edit' }).click()
  const preview = page.getByRole('img', { name: 'Preview' })
  await page.getByRole('button', { name: 'Back to the original' }).click()
  await expect(preview).toHaveAttribute('data-steps', '0')
  const kinds = ['Rotate', 'Flip', 'Resize', 'Brightness', 'Contrast', 'Saturation', 'Blur', 'Sharpen', 'Grayscale', 'Circles', 'Watermark', 'Crop']
  /** What of the server's preview is seen, as a few rough colours. */
  const colours = () =>
    preview.evaluate(async (image: HTMLImageElement) => {
      await image.decode()
      const canvas = Object.assign(document.createElement('canvas'), { width: 24, height: 24 })
      const brush = canvas.getContext('2d')!
      brush.drawImage(image, 0, 0, 24, 24)
      return [image.naturalWidth, image.naturalHeight, ...brush.getImageData(0, 0, 24, 24).data].join()
    })
  let before = await colours()
  const steps = page.getByRole('list', { name: 'Steps' }).getByRole('listitem')
  for (const [number, kind] of kinds.entries()) {
    await page.getByRole('group', { name: 'Add a step' }).getByRole('button', { name: kind, exact: true }).click()
    await expect(steps).toHaveCount(number + 1)
    await steps.last().getByRole('button', { expanded: true }).click()
    await expect(preview).toHaveAttribute('data-steps', String(number + 1))
    const after = await colours()
    if (kind !== 'Resize') expect(after, kind).not.toBe(before) // the preview is small already
    before = after
  }
  await steps.last().dragTo(steps.nth(kinds.length - 2))
  await expect(steps.nth(kinds.length - 2)).toContainText('Crop to')
  await expect(steps.last()).toContainText('Watermark')
  // an address that is replaced while it is decoded is asked for again
  await expect.poll(() => colours().catch(() => before)).not.toBe(before)
  await expect(page.getByRole('alert')).toHaveCount(0)
  await page.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(page.getByText('Recipe applied.')).toBeVisible()
  await page.getByRole('button', { name: 'Details' }).click()
  await expect(page.getByRole('complementary')).toContainText('Crop to 80% × 80%')
  await expect(page.getByRole('status').filter({ hasText: /Waiting|Processing/ })).toBeHidden()
  await page.keyboard.press('i')
})

test('a picture opens by a click while the gallery comes to rest', async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 400 })
  const tile = tiles(page).nth(1)
  const { x, y, width, height } = (await tile.boundingBox())!
  await page.mouse.move(x + width / 2, y + height / 2)
  await page.evaluate(() => {
    const scrolled = new Promise<void>((resolve) => document.addEventListener('scroll', () => resolve(), { capture: true, once: true }))
    Object.assign(window, { scrolled })
  })
  await page.mouse.wheel(0, 40)
  await page.evaluate(() => (window as unknown as { scrolled: Promise<void> }).scrolled)
  await page.mouse.down()
  await page.mouse.up()
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeFocused()
})

test('a picture opens by a click while the list is looked at anew', async ({ page }) => {
  const gate = () => {
    let open = () => {}
    return { passed: new Promise<void>((resolve) => (open = resolve)), open: () => open() }
  }
  const [events, list] = [gate(), gate()]
  await page.route('**/api/events*', (route) => events.passed.then(() => route.continue()))
  await page.reload()
  await tiles(page).first().waitFor()
  await page.route('**/api/images?*', (route) => list.passed.then(() => route.continue()))
  const asked = page.waitForRequest('**/api/images?*')
  events.open()
  await asked
  await tiles(page).nth(1).click()
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeFocused()
  list.open()
})

test('a picture is zoomed and moved with the mouse', async ({ page }) => {
  await page.getByRole('link', { name: 'sunset.jpg, done' }).first().click()
  const slide = page.locator('.pswp__item[aria-hidden="false"] .slide')
  const width = async () => (await slide.boundingBox())?.width ?? 0
  await expect.poll(width).toBeGreaterThan(100)
  const before = await width()
  await page.mouse.move(640, 400)
  await page.mouse.wheel(0, -600)
  await expect.poll(width).toBeGreaterThan(before * 1.3)
  await steady(slide)
  const zoomed = (await slide.boundingBox())!
  await page.mouse.down()
  await page.mouse.move(540, 400, { steps: 5 })
  await page.mouse.up()
  await expect.poll(async () => (await slide.boundingBox())?.x).toBeLessThan(zoomed.x - 50)
})

test('the chosen appearance stays', async ({ page }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  const light = await ground()
  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByLabel('Dark').check()
  const dark = await ground()
  expect(dark).not.toBe(light)
  await page.reload()
  await expect(page.getByRole('button', { name: 'Menu' })).toBeVisible()
  expect(await ground()).toBe(dark)
})

test('pictures are shown as a list until the grid is wanted again', async ({ page }) => {
  const look = page.getByRole('button', { name: 'Show as a list' })
  const first = page.locator('.grid [role="row"]').filter({ has: page.locator('a[data-state="done"]') }).first()
  await expect(first).not.toContainText('×')
  await look.click()
  await expect(first).toContainText(/Done.*\d+ × \d+.*B/)
  await page.reload()
  await expect(first).toContainText(/Done.*\d+ × \d+.*B/)
  await expect(first.getByRole('link')).toHaveCount(1)
  await look.click()
  await expect(first).not.toContainText('×')
})

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })

  test('pictures are chosen, selected and swiped through, and nothing is wider than the screen', async ({ page, context }) => {
    const fits = async () => expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
    await tiles(page).first().waitFor()
    await fits()
    await page.getByRole('button', { name: /^Select / }).first().tap()
    await tiles(page).nth(1).tap()
    await expect(page.getByRole('toolbar')).toContainText('2 pictures selected')
    await fits()
    await page.getByRole('button', { name: 'Clear the selection' }).tap()
    await tiles(page).first().tap()
    await expect(page).toHaveURL(/\/pictures\//)
    const address = page.url()
    await expect(page.locator('.slide img.after').first()).toHaveJSProperty('complete', true)
    const finger = await context.newCDPSession(page)
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', x?: number) =>
      finger.send('Input.dispatchTouchEvent', { type, touchPoints: x === undefined ? [] : [{ x, y: 420 }] })
    await touch('touchStart', 340)
    for (let x = 320; x >= 60; x -= 40) await touch('touchMove', x)
    await touch('touchEnd')
    await expect.poll(() => page.url()).not.toBe(address)
    await page.getByRole('button', { name: 'Details' }).tap()
    await fits()
    await page.getByRole('link', { name: 'Edit' }).tap()
    await expect(page.getByRole('img', { name: 'Preview' })).toBeVisible()
    await fits()
    await page.goto(`${stack.url}/overview`)
    await expect(page.getByRole('heading', { name: 'The last hour' })).toBeVisible()
    await fits()
  })
})

test('commands are found by their names, in every view', async ({ page }) => {
  const palette = page.getByRole('dialog', { name: 'Commands' })
  const order = async (text: string) => {
    await page.keyboard.press('Control+k')
    await palette.getByRole('combobox').fill(text)
    await page.keyboard.press('Enter')
    await expect(palette).toBeHidden()
  }
  await order('overv')
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()
  await order('show done')
  await expect(page).toHaveURL(/\/\?name=show\+done$/) // no command of this view: a file name
  await page.goto(stack.url)
  await tiles(page, 'done').first().waitFor()
  await order('show done')
  await expect(page).toHaveURL(/\/\?state=done$/)
  await tiles(page, 'done').first().click()
  await page.getByRole('button', { name: 'Close the viewer' }).waitFor()
  await order('compare')
  await expect(page.getByRole('slider', { name: /^Before and after/ })).toBeVisible()
  await page.keyboard.press('Control+k')
  await palette.getByRole('combobox').press('ArrowUp')
  await expect(palette.getByRole('option').last()).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('Escape')
  await expect(palette).toBeHidden()
  await expect(page.getByRole('slider', { name: /^Before and after/ })).toBeVisible()
})
