// A server that asks for its token, and whose runs expire. No other file has it: each start of a system costs 14 CPU-seconds.

import { done, expect, type Page, type Stack, test, tiles, TOKEN, upload } from './page'
import { look } from './views'

let system: Stack
test.beforeAll(({ locked }) => void (system = locked))

const signIn = async (page: Page) => expect(await page.request.post(`${system.url}/api/session`, { data: { token: TOKEN } })).toBeOK()

look(
  [
    ['sign-in', (page) => page.goto(system.url)],
    ['empty', async (page) => {
      await signIn(page)
      await page.goto(system.url)
      await page.getByRole('heading', { name: /Nothing here yet/ }).waitFor()
    }],
  ],
  () => system,
)

test('asks for the token, says where it is, and lets a person out again', async ({ page, locked }) => {
  await page.goto(locked.url)
  await expect(page.getByText('IMAGOMORTIS_TOKEN')).toBeVisible()
  await page.getByLabel('Access token').fill('a wrong one')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('alert')).toContainText('not the right one')
  await page.getByLabel('Access token').fill(TOKEN)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('button', { name: 'Menu' })).toBeVisible()
  await page.reload()
  await expect(page.getByRole('button', { name: 'Menu' })).toBeVisible()
  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await expect(page.getByLabel('Access token')).toBeVisible()
})

test('links to Dagster and Grafana are there where their addresses are set, and nowhere else', async ({ page, locked }) => {
  page.on('pageerror', (error) => {
    throw error
  })
  const elsewhere = page.getByRole('region', { name: 'Elsewhere' })
  const menu = page.getByRole('group', { name: 'Menu' })
  const flow = page.locator('.flow')
  const visit = async () => {
    await page.goto(`${locked.url}/overview`)
    await page.getByRole('button', { name: 'Menu' }).click()
    await expect(elsewhere).toBeVisible()
    await expect(flow.getByRole('link', { name: /^Uploader/ })).toHaveAttribute('href', '/')
  }
  await signIn(page)
  await visit() // one machine has a Dagster webserver of its own
  const links = [elsewhere, menu].map((place) => place.locator('a[target="_blank"]'))
  for (const found of links) await expect(found).toHaveText(['Dagster webserver'])
  await expect(flow.getByRole('link', { name: /^Workers/ })).toHaveAttribute('href', /:\d+\/runs$/)

  await page.route('**/api/events*', (route) => route.abort())
  await page.route('**/api/stats', async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, json: { ...(await response.json()), links: {} } })
  })
  await visit()
  for (const found of links) await expect(found).toHaveCount(0)
  await expect(elsewhere).toContainText('when IMAGOMORTIS_DAGSTER_URL and IMAGOMORTIS_GRAFANA_URL are set')
  await expect(flow.getByRole('link', { name: /^Workers/ })).toHaveAttribute('href', '/?state=processing')
  await page.unrouteAll({ behavior: 'ignoreErrors' }) // one may still be asked for
})

test('an attempt whose run has expired says so, and that of a run that is kept links to it', async ({ page, locked }) => {
  const ask = async (path: string) => (await page.request.get(`${locked.url}/api${path}`)).json()
  await signIn(page)
  await page.goto(locked.url)
  await upload(page, [locked.file('city.png')])
  await done(page, 1)
  const settled = async () => {
    const { images, workers } = await ask('/stats')
    return [images.done, workers]
  }
  await expect.poll(settled).toEqual([1, 0]) // so that the next attempt is of a run of its own

  const [image] = await ask('/images')
  await tiles(page).first().click()
  await page.getByRole('button', { name: 'Details' }).click()
  const details = page.getByRole('complementary', { name: 'Details' })
  const first = details.getByRole('listitem').filter({ hasText: 'Attempt 1' })
  const second = details.getByRole('listitem').filter({ hasText: 'Attempt 2' })
  await expect(first.getByRole('link', { name: 'Dagster run' })).toHaveAttribute('href', /:\d+\/runs\//)
  expect((await page.request.post(`${locked.url}/api/images/retry`, { data: { ids: [image.id] } })).ok()).toBe(true)
  await expect(second).toContainText('done')
  await expect(first.getByRole('link', { name: 'Dagster run' })).toBeVisible()

  const expired = async () => {
    await locked.tell('expire')
    return (await ask(`/images/${image.id}/info`)).attempts.map((attempt: { run_expired: boolean }) => attempt.run_expired)
  }
  await expect.poll(expired).toEqual([true, false])
  await page.reload()
  await expect(first).toContainText('Dagster run expired')
  await expect(first.getByText('Dagster run expired')).toHaveAttribute('title', /this one is gone/)
  await expect(first.getByRole('link', { name: 'Dagster run' })).toHaveCount(0)
  await expect(second.getByRole('link', { name: 'Dagster run' })).toBeVisible()
  await expect(await page.request.delete(`${locked.url}/api/all`)).toBeOK()
})

/** The lower edge of a box; none is below everything. */
const bottom = (box: { y: number; height: number } | null): number => (box ? box.y + box.height : Infinity)

test('deleted pictures go into the trash, from which they come back or go for good', async ({ page, locked }) => {
  const [kept, lost] = ['sunset.jpg', 'dunes.jpg']
  await signIn(page)
  for (const what of ['all', 'trash']) await expect(await page.request.delete(`${locked.url}/api/${what}`)).toBeOK()
  await page.goto(locked.url)
  await upload(page, [locked.file(kept), locked.file(lost)])
  await done(page, 2)
  await tiles(page).first().focus()
  await page.keyboard.press('Control+a')
  const [tray, bar] = [page.getByRole('region', { name: 'Uploads' }), page.getByRole('toolbar')]
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 800 })
    await expect.poll(async () => bottom(await tray.boundingBox()) <= ((await bar.boundingBox())?.y ?? -1), { message: 'the tray stands above the bar' }).toBe(true)
  }

  await page.goto(locked.url) // without the tray, which covers tiles
  await tiles(page).first().focus()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('Delete')
  await expect(page.getByText('2 pictures moved to the trash.')).toBeVisible()
  await expect(tiles(page)).toHaveCount(0)

  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('link', { name: 'Trash' }).click()
  await expect(page.getByText('Deleted pictures stay here for 30 days.')).toBeVisible()
  const trashed = (name: string) => page.getByRole('link', { name: new RegExp(`^${name}, `) })
  await expect(trashed(kept).locator('img')).toHaveJSProperty('complete', true)
  await expect.poll(() => trashed(kept).locator('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0)
  await trashed(kept).click()
  await page.getByRole('toolbar').getByRole('button', { name: 'Restore' }).click()
  await expect(page.getByText('1 picture restored.')).toBeVisible()
  await expect(trashed(kept)).toBeHidden()
  await page.getByRole('button', { name: 'Empty trash' }).click()
  const asked = page.getByRole('dialog', { name: 'Empty the trash?' })
  await expect(asked).toContainText('1 picture will be deleted permanently.')
  await asked.getByRole('button', { name: 'Empty trash' }).click()
  await expect(page.getByRole('heading', { name: 'The trash is empty.' })).toBeVisible()
  await page.getByRole('link', { name: 'Pictures', exact: true }).first().click()
  await expect(tiles(page)).toHaveCount(1)
  await expect(page.getByRole('link', { name: `${kept}, done` })).toBeVisible()
  await expect(await page.request.delete(`${locked.url}/api/all?permanently=true`)).toBeOK()
})
