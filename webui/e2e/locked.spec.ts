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
