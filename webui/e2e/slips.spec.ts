// Slips of a hand, and keys that are meant for something else: nothing of a person's work is lost by them.

import type { Request } from '@playwright/test'
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { done, drag, expect, hold, type Page, type Stack, test, tiles, tray, upload } from './page'

const NAMES = ['sunset.jpg', 'mountains.jpg', 'dunes.jpg', 'city.png', 'night-sky.jpg', 'aurora.jpg', 'planet.jpg', 'marble.webp', 'sunflower.png', 'waves.png']

let stack: Stack
test.describe.configure({ mode: 'serial' })
test.beforeAll(async ({ stack: shared }) => {
  stack = shared
  await stack.clear()
})

test.beforeEach(async ({ page }) => {
  page.on('pageerror', (error) => {
    throw error
  })
  await page.goto(stack.url)
  await page.getByRole('button', { name: 'Menu' }).waitFor() // what is dropped before is lost
})

/** Opens a picture in the editor with nothing but the steps that are named. */
async function edit(page: Page, name: string, steps: string[]): Promise<void> {
  await page.getByRole('link', { name: `${name}, done` }).click()
  await page.getByRole('link', { name: 'Edit' }).click()
  await expect(page.getByRole('img', { name: 'Preview' })).toBeVisible()
  await page.getByRole('button', { name: 'Back to the original' }).click()
  for (const step of steps) {
    await page.getByRole('group', { name: 'Add a step' }).getByRole('button', { name: step, exact: true }).click()
  }
  await expect(steps.length ? rows(page) : page.getByText('No steps')).toHaveCount(steps.length || 1)
}

const rows = (page: Page) => page.getByRole('list', { name: 'Steps' }).getByRole('listitem')

test('files that are dropped while others are asked for are uploaded with them', async ({ page }) => {
  const files = NAMES.map((name) => stack.file(name))
  await drag(page, files.slice(0, 7))
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('7 pictures')
  await drag(page, files.slice(7))
  await expect(dialog).toContainText('10 pictures')
  await dialog.getByRole('button', { name: 'Upload', exact: true }).click()
  await done(page, 10)
})

test('the list of uploads stays hidden, and is filtered only while that can be seen', async ({ page, context }) => {
  const fresh = NAMES.filter((name) => name.endsWith('.png')).map((name) => {
    const path = join(stack.pictures, `again-${name}`)
    writeFileSync(path, Buffer.concat([readFileSync(stack.file(name)), Buffer.alloc(1)]))
    return path
  })
  let release = await hold(context, '**/upload/tus/**')
  const list = tray(page)
  await upload(page, fresh.slice(1))
  await list.getByRole('button', { name: 'Hide the list' }).click()
  await list.getByRole('button', { name: 'Pause' }).click()
  await expect(list.getByRole('button', { name: 'Resume' })).toBeVisible()
  await expect(list.getByRole('list')).toBeHidden()
  await list.getByRole('button', { name: 'Resume' }).click()
  release()
  await expect(list).toContainText('2 stored')

  const bad = ['notes.txt', 'cut-off.jpg', 'page.jpg'].map((name) => stack.file(name))
  await upload(page, [...bad, ...NAMES.slice(0, 6).map((name) => stack.file(name))])
  await expect(list).toContainText('3 refused')
  await list.getByRole('checkbox', { name: 'Only those that need attention' }).check()
  await list.getByRole('button', { name: 'Clear finished' }).click()
  release = await hold(context, '**/upload/tus/**')
  await upload(page, fresh.slice(0, 1))
  await expect(list.getByRole('listitem').filter({ hasText: 'again-city.png' })).toBeVisible()
  release()
  await expect(list).toContainText('1 stored')
  await list.getByRole('button', { name: 'Clear finished' }).click()
})

test('a file that was deleted after it was chosen is refused, and holds nothing up', async ({ page }) => {
  const [gone, fresh] = ['gone.png', 'stays.png'].map((name, number) => {
    const path = join(stack.pictures, name)
    writeFileSync(path, Buffer.concat([readFileSync(stack.file('waves.png')), Buffer.alloc(3 + number)]))
    return path
  }) as [string, string]
  const answer = await hold(page, '**/api/digests')
  const asked = page.waitForRequest('**/api/digests')
  await upload(page, [gone, fresh])
  await asked
  unlinkSync(gone)
  answer()
  await expect(tray(page)).toContainText('1 stored, 1 refused')
  await expect(tray(page).getByRole('listitem').filter({ hasText: 'gone.png' })).toContainText('cannot be read any more')
  await expect(tray(page)).not.toContainText('does not answer')
  await tray(page).getByRole('button', { name: 'Clear finished' }).click()
  await expect(page.getByRole('link', { name: 'stays.png, done' })).toBeVisible()
})

test('keys of a view do nothing behind a dialog', async ({ page }) => {
  const first = await tiles(page).first().getAttribute('aria-label')
  await tiles(page).first().click()
  await expect(page.locator('.slide img').first()).toBeVisible()
  const address = page.url()
  const keys = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
  await page.keyboard.press('?')
  await expect(keys).toBeVisible()
  for (const key of ['Delete', 'c', 'e', 'ArrowRight']) await page.keyboard.press(key)
  await page.keyboard.press('Escape')
  await expect(keys).toBeHidden()
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeVisible()
  await expect(page.getByRole('slider', { name: /^Before and after/ })).toBeHidden()
  expect(page.url()).toBe(address)
  await page.keyboard.press('Escape')
  await expect(tiles(page).first()).toHaveAttribute('aria-label', first!)

  await edit(page, 'dunes.jpg', ['Flip', 'Grayscale'])
  await page.keyboard.press('Escape') // closes the step
  await page.keyboard.press('?')
  await expect(keys).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(keys).toBeHidden()
  await expect(rows(page)).toHaveCount(2)
})

test('a key that is held deletes one picture', async ({ page }) => {
  const before = await page.getByRole('grid').getAttribute('aria-label')
  await tiles(page).first().click()
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeFocused()
  const address = page.url()
  await page.keyboard.down('Delete')
  await expect.poll(() => page.url()).not.toBe(address)
  const next = page.url()
  for (let times = 0; times < 5; times++) await page.keyboard.down('Delete') // as a keyboard repeats it
  await page.keyboard.up('Delete')
  await expect(page.getByText('1 picture deleted.')).toHaveCount(1)
  expect(page.url()).toBe(next)
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('grid')).toHaveAttribute('aria-label', before!)
})

test('the Delete key takes the picture whose mark was touched last', async ({ page }) => {
  await tiles(page).first().focus()
  const third = tiles(page).nth(2)
  const name = (await third.getAttribute('aria-label'))!
  await third.hover()
  const mark = page.getByRole('gridcell').filter({ has: page.getByRole('link', { name }) }).getByRole('button', { name: /^Select/ })
  await mark.click()
  await mark.click()
  await page.keyboard.press('Delete')
  await expect(page.getByText('1 picture deleted.')).toBeVisible()
  await expect(page.getByRole('link', { name })).toHaveCount(0)
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(page.getByRole('link', { name })).toHaveCount(1)
})

test('steps are moved along by the keys, and the open one stays open', async ({ page }) => {
  await edit(page, 'planet.jpg', ['Flip', 'Blur', 'Contrast'])
  await rows(page).nth(1).getByRole('button', { expanded: false }).click() // Blur
  await page.getByRole('button', { name: 'Move Contrast up' }).focus()
  await page.keyboard.press('Enter')
  await expect(rows(page).nth(2)).toContainText('Radius') // Blur, still open
  await page.keyboard.press('Enter')
  await expect(rows(page).first()).toContainText('Contrast')
  await expect(page.getByRole('button', { name: 'Move Contrast down' })).toBeFocused()
})

test('a file that is dropped on a step is offered for upload', async ({ page }) => {
  await edit(page, 'planet.jpg', ['Flip', 'Blur', 'Contrast'])
  await rows(page).first().scrollIntoViewIfNeeded()
  const { x, y, width, height } = (await rows(page).first().boundingBox())!
  await drag(page, [stack.file('city.png')], 'drop', { x: x + width / 2, y: y + height / 2 })
  const dialog = page.getByRole('dialog', { name: 'How shall they be processed?' })
  await expect(dialog).toContainText('1 picture')
  await page.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
  await expect(rows(page)).toHaveCount(3)
})

test('favourites are marked in the grid and in the viewer, and shown alone', async ({ page }) => {
  const star = page.getByRole('button', { name: 'Favourite: planet.jpg' })
  await star.click()
  await expect(star).toHaveAttribute('aria-pressed', 'true')
  await page.getByRole('link', { name: 'dunes.jpg, done' }).click()
  const marked = page.getByRole('dialog').getByRole('button', { name: 'Favourite', exact: true })
  await expect(marked).toHaveAttribute('aria-pressed', 'false')
  await page.keyboard.press('b')
  await expect(marked).toHaveAttribute('aria-pressed', 'true')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Favourites', exact: true }).click()
  await expect(tiles(page)).toHaveCount(2)
  await tiles(page).first().click()
  await expect(page.getByRole('dialog').locator('.slide img.after').first()).toHaveJSProperty('complete', true)
  const [address, name] = [page.url(), await page.getByRole('dialog').getAttribute('aria-label')]
  await page.keyboard.press('b')
  await expect(page.getByRole('dialog').getByRole('button', { name: 'Favourite', exact: true })).toHaveAttribute('aria-pressed', 'false')
  await page.keyboard.press('ArrowRight') // it is shown alone, as it left the list
  await expect(page.getByRole('dialog', { name: name! })).toBeVisible()
  expect(page.url()).toBe(address)
  await page.keyboard.press('Escape')
  await expect(tiles(page)).toHaveCount(1)
  await tiles(page).first().focus()
  await page.keyboard.press('*')
  await expect(page.getByText('No pictures match.')).toBeVisible()
})

test('a preview for which the server has no room yet is asked for again', async ({ page }) => {
  let refused = 0
  await page.route('**/preview', (route) =>
    refused++ < 2
      ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"detail": "All decoders are busy."}' })
      : route.continue(),
  )
  await page.getByRole('link', { name: 'planet.jpg, done' }).click()
  await page.getByRole('link', { name: 'Edit' }).click()
  await expect(page.getByRole('img', { name: 'Preview' })).toHaveAttribute('data-steps', '1')
  await expect(page.getByRole('alert')).toBeHidden()
  expect(refused).toBeGreaterThan(2)
})

test('the preview follows a slider that never rests', async ({ page }) => {
  await edit(page, 'planet.jpg', ['Watermark'])
  await expect(page.getByRole('img', { name: 'Preview' })).toHaveAttribute('data-steps', '1')
  const under = new Set<Request>()
  let most = 0
  page.on('request', (request) => {
    if (request.url().endsWith('/preview')) most = Math.max(most, under.add(request).size)
  })
  page.on('requestfinished', (request) => under.delete(request))
  page.on('requestfailed', (request) => under.delete(request))
  const seen = await page.getByRole('slider', { name: 'Size', exact: true }).evaluate(async (slider: HTMLInputElement) => {
    const preview = document.querySelector<HTMLImageElement>('img[alt="Preview"]')!
    const addresses = new Set([preview.src])
    const end = performance.now() + 60_000
    for (let move = 0; addresses.size < 4 && performance.now() < end; move++) {
      if (move % 2) slider.stepUp()
      else slider.stepDown()
      slider.dispatchEvent(new Event('input', { bubbles: true }))
      await new Promise((later) => setTimeout(later, 40))
      addresses.add(preview.src)
    }
    slider.dispatchEvent(new Event('change', { bubbles: true }))
    return addresses.size - 1
  })
  expect(seen).toBeGreaterThanOrEqual(3)
  expect(most).toBeLessThanOrEqual(2) // that one has ended may be told after the next began
})

test('a step that is added before the picture is known stays', async ({ page }) => {
  await page.getByRole('link', { name: 'planet.jpg, done' }).click()
  await page.getByRole('link', { name: 'Edit' }).waitFor()
  const answer = await hold(page, '**/info')
  await page.getByRole('link', { name: 'Edit' }).click()
  await page.getByRole('group', { name: 'Add a step' }).getByRole('button', { name: 'Brightness', exact: true }).click()
  await expect(rows(page)).toHaveCount(1)
  answer()
  await expect(rows(page)).toHaveCount(2)
  await expect(rows(page).last()).toContainText('Brightness')
  await expect(page.getByRole('slider', { name: 'Strength' })).toBeVisible()
})

test('what is written into a step is undone by letters, not by steps', async ({ page }) => {
  await edit(page, 'planet.jpg', ['Watermark'])
  const text = page.getByRole('textbox', { name: 'Text' })
  await text.press('End')
  await text.pressSequentially('!\n?')
  const written = await text.inputValue()
  expect(written).toMatch(/!\n\?$/)
  await text.press('Control+z')
  await expect(text).not.toHaveValue(written)
  await expect(rows(page)).toHaveCount(1)
})

test('what is applied twice goes back once', async ({ page }) => {
  await edit(page, 'planet.jpg', ['Grayscale'])
  await page.getByRole('button', { name: 'Apply', exact: true }).dblclick()
  await expect(page.getByText('Recipe applied.')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Close the viewer' })).toBeVisible()
  await page.keyboard.press('i') // it is the viewer still
  await expect(page.getByRole('complementary', { name: 'Details' })).toContainText('Grayscale')
})

test('a recipe replaces another only under its own title', async ({ page }) => {
  await edit(page, 'dunes.jpg', ['Flip'])
  const save = async (title: string) => {
    await page.getByRole('button', { name: 'Save as recipe…' }).click()
    const name = page.getByLabel('Name', { exact: true })
    await name.fill('') // an input keeps what was saved before
    await name.fill(title)
  }
  const go = async (title: string) => {
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await expect(page.getByText(`Saved as “${title}”.`).last()).toBeVisible()
  }
  for (const title of ['Портрет', 'Пейзаж']) {
    await save(title)
    await expect(page.getByText('It takes the place of your recipe')).toBeHidden()
    await go(title)
  }
  await save('Портрет')
  await expect(page.getByText('It takes the place of your recipe')).toBeVisible()
  await go('Портрет')
  const begin = page.getByLabel('Begin with a recipe')
  await expect(begin.getByRole('option', { name: 'Портрет' })).toHaveCount(1)
  await expect(begin.getByRole('option', { name: 'Пейзаж' })).toHaveCount(1)
})

test('a saved recipe that is deleted by mistake comes back where it was deleted', async ({ page }) => {
  await page.setInputFiles('[data-files]', [stack.file('sunset.jpg')])
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Delete the recipe Пейзаж' }).click()
  await expect(dialog.getByText('Пейзаж', { exact: true })).toBeHidden()
  await dialog.getByRole('button', { name: 'Undo' }).click()
  await expect(dialog.getByText('Пейзаж', { exact: true })).toBeVisible()
})

test('pictures are found by a recipe that was saved', async ({ page }) => {
  await edit(page, 'marble.webp', ['Flip', 'Grayscale'])
  await page.getByRole('button', { name: 'Save as recipe…' }).click()
  await page.getByLabel('Name', { exact: true }).fill('Мрамор')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(page.getByText('Saved as “Мрамор”.')).toBeVisible()
  await page.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(page.getByText('Recipe applied.')).toBeVisible()
  await page.getByRole('button', { name: 'Details' }).click()
  await expect(page.getByRole('complementary', { name: 'Details' })).toContainText('Мрамор')
  await page.goto(stack.url)
  await page.getByRole('button', { name: 'Filters' }).click()
  await page.getByLabel('Recipe').selectOption({ label: 'Мрамор' })
  await expect(tiles(page)).toHaveCount(1)
  await expect(page.getByRole('link', { name: /marble.webp/ })).toBeVisible()
  await page.reload()
  await expect(tiles(page)).toHaveCount(1)
  await page.getByRole('button', { name: 'Filters' }).click()
  await expect(page.getByLabel('Recipe').getByRole('option', { selected: true })).toHaveText('Мрамор')
  await page.goto(`${stack.url}/?recipe=circles`) // as older links have it
  await expect(tiles(page).nth(3)).toBeVisible()
  await page.getByRole('button', { name: 'Filters' }).click()
  await expect(page.getByLabel('Recipe').getByRole('option', { selected: true })).toHaveText('Circles')
})

test('a saved recipe is sent as what it is, however fast the upload begins', async ({ page, context }) => {
  await page.setInputFiles('[data-files]', [stack.file('sunset.jpg')])
  await page.getByRole('dialog').getByText('Пейзаж', { exact: true }).click()
  await page.keyboard.press('Escape')
  const answer = await hold(context, '**/api/recipes')
  await page.reload()
  const fresh = join(stack.pictures, 'at-once.png')
  writeFileSync(fresh, Buffer.concat([readFileSync(stack.file('city.png')), Buffer.alloc(2)]))
  await page.setInputFiles('[data-files]', [fresh])
  await page.getByRole('dialog').getByRole('button', { name: 'Upload', exact: true }).click()
  answer()
  await expect(tray(page)).toContainText('1 stored')
  await expect(page.getByRole('link', { name: 'at-once.png, done' })).toBeVisible()
})

test('another list is seen from its beginning', async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 360 })
  await tiles(page).first().waitFor()
  await page.getByRole('button', { name: 'Filters' }).click()
  const scroller = page.locator('.scroller')
  const top = () => scroller.evaluate((element) => element.scrollTop)
  await scroller.evaluate((element) => element.scrollTo({ top: 1e6 }))
  await expect.poll(top).toBeGreaterThan(0)
  await page.getByLabel('Order').selectOption({ label: 'Oldest first' })
  await expect.poll(top).toBe(0)
})

test('the focus goes back to what opened a menu, a dialog or the editor', async ({ page }) => {
  const menu = page.getByRole('button', { name: 'Menu' })
  await menu.click()
  await page.getByRole('radio', { name: 'As the system' }).focus()
  await page.keyboard.press('Escape')
  await expect(menu).toBeFocused()
  await menu.click()
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click()
  await page.keyboard.press('Escape')
  await expect(menu).toBeFocused()
  await tiles(page).nth(1).focus()
  await page.keyboard.press('Space')
  await page.getByRole('toolbar').getByRole('button', { name: 'Edit' }).click()
  await expect(page.getByRole('button', { name: 'Leave without applying' })).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(tiles(page).nth(1)).toBeFocused()
})

test('a double click on Apply deletes nothing, and Apply can be undone', async ({ page }) => {
  await edit(page, 'dunes.jpg', ['Grayscale'])
  await page.getByRole('button', { name: 'Apply', exact: true }).dblclick({ delay: 40 })
  await expect(page.getByRole('dialog', { name: 'dunes.jpg' })).toBeVisible()
  await page.getByRole('log').getByRole('button', { name: 'Undo' }).click()
  await expect(page.getByRole('log')).toContainText('The picture has its former recipe again.')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('link', { name: /^dunes.jpg/ })).toBeVisible()
})

test('a double click goes two pictures on, and deletes one', async ({ page }) => {
  await expect(tiles(page).nth(4)).toBeVisible()
  const names = await tiles(page).evaluateAll((links) => links.map((link) => link.textContent!.trim()))
  const viewer = (at: number) => page.getByRole('dialog', { name: names[at]!, exact: true })
  await tiles(page).first().click()
  await viewer(0).getByRole('button', { name: 'Next picture' }).dblclick({ delay: 40 })
  await viewer(2).getByRole('button', { name: 'Delete' }).dblclick({ delay: 40 })
  await expect(viewer(3)).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('link', { name: names[3]! })).toBeVisible()
  await page.getByRole('log').getByRole('button', { name: 'Undo' }).click()
  await expect(page.getByRole('link', { name: names[2]! })).toBeVisible()
})

test('a view whose script does not load says so, and loads after a reload', async ({ page }) => {
  await page.route('**/assets/Overview*', (route) => route.abort())
  await page.getByRole('link', { name: 'Overview' }).click()
  await expect(page.getByRole('heading', { name: 'This view did not load' })).toBeVisible()
  await page.unroute('**/assets/Overview*')
  await page.getByRole('button', { name: 'Reload the page' }).click()
  await expect(page.getByRole('heading', { name: 'This view did not load' })).toBeHidden()
  await expect(page.getByRole('heading', { name: 'Overview', exact: true })).toBeVisible()
})

test('oldest first shows its pictures at once in a long list', async ({ page }) => {
  await stack.tell('fill 700')
  await page.reload()
  await expect(tiles(page).first()).toBeVisible()
  await page.getByRole('button', { name: 'Filters' }).click()
  await page.getByRole('combobox').filter({ hasText: 'Oldest first' }).selectOption('Oldest first')
  await expect(tiles(page).first()).toBeVisible()
})
