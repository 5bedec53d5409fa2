// A server on plain http, as in most homes and offices: browsers keep some of their means from its pages.

import { chromium, expect, test } from '@playwright/test'
import { done, Stack, tray, upload } from './page'

let stack: Stack
test.beforeAll(async () => {
  test.setTimeout(180_000)
  stack = await Stack.start({ allowed_hosts: 'pictures.test' })
})
test.afterAll(() => stack?.stop())

test('pictures are uploaded and those that are here already are pointed out, without what only https has', async ({ launchOptions }) => {
  const args = [...(launchOptions.args ?? []), '--host-resolver-rules=MAP pictures.test 127.0.0.1']
  const browser = await chromium.launch({ ...launchOptions, args })
  const page = await browser.newPage()
  await page.goto(stack.url.replace(/\/\/[^:/]+/, '//pictures.test'))
  await page.getByRole('button', { name: 'Menu' }).waitFor()
  expect(await page.evaluate(() => [isSecureContext, 'subtle' in crypto])).toEqual([false, false])
  await upload(page, [stack.file('sunset.jpg')])
  await done(page, 1)
  const sent: string[] = []
  page.on('request', (each) => each.url().includes('/upload/tus/') && sent.push(each.method()))
  await upload(page, [stack.file('sunset.jpg')])
  await expect(tray(page)).toContainText('1 picture is here already.')
  expect(sent).toEqual([])
  await browser.close()
})
