// What the page says of runs that Dagster keeps no more.

import { expect, test } from '@playwright/test'
import { done, Stack, tiles, upload } from './page'

let stack: Stack
test.beforeAll(async () => {
  test.setTimeout(180_000)
  stack = await Stack.start({ dagster_url: 'http://dagster.example', linger_seconds: 1 })
})
test.afterAll(() => stack?.stop())

test('an attempt whose run has expired says so, and that of a run that is kept links to it', async ({ page, request }) => {
  test.setTimeout(180_000)
  const ask = async (path: string) => (await request.get(`${stack.url}/api${path}`)).json()
  await page.goto(stack.url)
  await upload(page, [stack.file('city.png')])
  await done(page, 1)
  await expect.poll(async () => (await ask('/stats')).workers, { timeout: 60_000 }).toBe(0) // so that the next attempt is of a run of its own

  const [image] = await ask('/images')
  await tiles(page).first().click()
  await page.getByRole('button', { name: 'Details' }).click()
  const details = page.getByRole('complementary', { name: 'Details' })
  const first = details.getByRole('listitem').filter({ hasText: 'Attempt 1' })
  const second = details.getByRole('listitem').filter({ hasText: 'Attempt 2' })
  await expect(first.getByRole('link', { name: 'Dagster run' })).toHaveAttribute('href', /^http:\/\/dagster\.example\/runs\//)
  expect((await request.post(`${stack.url}/api/images/retry`, { data: { ids: [image.id] } })).ok()).toBe(true)
  await expect(second).toContainText('done', { timeout: 60_000 })
  await expect(first.getByRole('link', { name: 'Dagster run' })).toBeVisible()

  const expired = async () => {
    await stack.tell('expire')
    return (await ask(`/images/${image.id}/info`)).attempts.map((attempt: { run_expired: boolean }) => attempt.run_expired)
  }
  await expect.poll(expired, { timeout: 90_000 }).toEqual([true, false])
  await page.reload()
  await expect(first).toContainText('Dagster run expired')
  await expect(first.getByText('Dagster run expired')).toHaveAttribute('title', /this one is gone/)
  await expect(first.getByRole('link', { name: 'Dagster run' })).toHaveCount(0)
  await expect(second.getByRole('link', { name: 'Dagster run' })).toBeVisible()
})
