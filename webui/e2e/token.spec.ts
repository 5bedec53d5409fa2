// A server that asks for its token.

import { expect, test, TOKEN } from './page'

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
