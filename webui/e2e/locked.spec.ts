// A server that asks for its token, and whose runs expire.

import { done, expect, signIn, test, tiles, TOKEN, upload } from './page'

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

test('an attempt whose run has expired says so, and that of a run that is kept links to it', async ({ page, locked }) => {
  const ask = async (path: string) => (await page.request.get(`${locked.url}/api${path}`)).json()
  await signIn(page, locked)
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
