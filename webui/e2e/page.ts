// What a person does on the page, for tests.

import { expect, type Page } from '@playwright/test'
import { Stack } from './stack'

export { Stack }

/** Picks files and says with which recipe they go. */
export async function upload(page: Page, files: string[], recipe = 'Circles'): Promise<void> {
  await page.setInputFiles('[data-files]', files)
  const dialog = page.getByRole('dialog', { name: 'How shall they be processed?' })
  await dialog.getByText(recipe, { exact: true }).click()
  await dialog.getByRole('button', { name: 'Upload', exact: true }).click()
}

export const tiles = (page: Page, state?: string) => page.locator(state ? `.grid a[data-state="${state}"]` : '.grid a[data-state]')

/** Waits until so many pictures are done. */
export async function done(page: Page, count: number): Promise<void> {
  await expect(tiles(page, 'done')).toHaveCount(count, { timeout: 45_000 })
}

export const tray = (page: Page) => page.getByRole('region', { name: 'Uploads' })

/** A recipe that no picture survives: it cuts beyond the edge. */
export const IMPOSSIBLE = JSON.stringify({ steps: [{ transform: 'crop', width: '10%', x: '90000px' }] })

/** Drops files, made of these names and texts or bytes, onto the page. */
export async function drop(page: Page, files: { name: string; base64: string; type: string }[]): Promise<void> {
  const transfer = await page.evaluateHandle((given) => {
    const made = new DataTransfer()
    for (const { name, base64, type } of given) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
      made.items.add(new File([bytes], name, { type }))
    }
    return made
  }, files)
  for (const type of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('body', type, { dataTransfer: transfer })
}
