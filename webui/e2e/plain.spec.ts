// A server on plain http, as in most homes and offices: browsers keep some of their means from its pages.

import { done, expect, test, tray, upload } from './page'

test.beforeAll(({ stack }) => stack.clear())

test('pictures are uploaded and those that are here already are pointed out, without what only https has', async ({ page, stack }) => {
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
})
