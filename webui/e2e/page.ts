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

/** Drags files or folders of this machine onto the page, as a file manager does. */
export async function drag(page: Page, paths: string[], event: 'over' | 'drop' = 'drop', place = { x: 640, y: 400 }): Promise<void> {
  const hand = await page.context().newCDPSession(page)
  const data = { items: [], files: paths, dragOperationsMask: 1 }
  const steps = event === 'over' ? (['dragEnter', 'dragOver'] as const) : (['dragEnter', 'dragOver', 'drop'] as const)
  for (const type of steps) await hand.send('Input.dispatchDragEvent', { type, ...place, data })
  await hand.detach()
}
