// A server that asks for its token.

import { expect, test } from '@playwright/test'
import { Stack } from './page'

const TOKEN = 'a-token-of-enough-letters'
let stack: Stack
test.beforeAll(async () => {
  test.setTimeout(180_000)
  stack = await Stack.start({ token: TOKEN })
})
test.afterAll(() => stack?.stop())

test('asks for the token, says where it is, and lets a person out again', async ({ page }) => {
  await page.goto(stack.url)
  await expect(page.getByText('IMAGOMORTIS_TOKEN')).toBeVisible()
  await page.getByLabel('Access token').fill('a wrong one')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('alert')).toContainText('not the right one')
  await page.getByLabel('Access token').fill(TOKEN)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: /Nothing here yet/ })).toBeVisible()
  await page.reload()
  await expect(page.getByRole('heading', { name: /Nothing here yet/ })).toBeVisible()
  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await expect(page.getByLabel('Access token')).toBeVisible()
})
