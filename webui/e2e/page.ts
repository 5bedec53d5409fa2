// The systems that all tests share, and what a person does on the page.

import { type BrowserContext, expect, type Page, test as base } from '@playwright/test'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Stack } from './stack'

export { expect, type Page, Stack }

export const TOKEN = 'a-token-of-enough-letters'

interface Systems {
  /** The port of a server with an empty page; every host name that ends in `.test` leads to it. */
  elsewhere: number
  /** One for everybody, which is set up as an operator does. */
  stack: Stack
  /** One that asks for its token, has a trash, and whose workers leave soon. */
  locked: Stack
}

const started: Stack[] = []

async function share(settings: Record<string, unknown>, use: (stack: Stack) => Promise<void>): Promise<void> {
  const stack = await Stack.start(settings)
  started.push(stack)
  await use(stack)
  await stack.stop()
}

const operated = (elsewhere: number) => ({
  linger_seconds: 900, // each start of a worker costs three CPU-seconds; those of the other system leave soon
  dagster_url: 'http://dagster.example',
  grafana_url: 'http://grafana.example',
  allowed_hosts: 'pictures.test',
  allowed_origins: `http://friend.test:${elsewhere}`,
})

/** A file begins with `stack.clear()`, as the systems and the browser go on from file to file. */
export const test = base.extend<{ logs: void }, Systems>({
  elsewhere: [
    async ({}, use) => {
      const server = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html><title>Elsewhere</title>'))
      await once(server.listen(0, '127.0.0.1'), 'listening')
      await use((server.address() as AddressInfo).port)
      server.closeAllConnections()
      server.close()
    },
    { scope: 'worker' },
  ],
  stack: [({ elsewhere }, use) => share(operated(elsewhere), use), { scope: 'worker', timeout: 400_000 }],
  locked: [({}, use) => share({ token: TOKEN, linger_seconds: 1, trash_days: 30 }, use), { scope: 'worker', timeout: 400_000 }],
  logs: [
    async ({}, use, info) => {
      await use()
      if (info.status === info.expectedStatus) return
      for (const [number, { log }] of started.entries()) await info.attach(`system-${number}.log`, { path: log })
    },
    { auto: true },
  ],
})

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
  await expect(tiles(page, 'done')).toHaveCount(count)
}

export const tray = (page: Page) => page.getByRole('region', { name: 'Uploads' })

/** A recipe that no picture survives: it cuts beyond the edge. */
export const IMPOSSIBLE = JSON.stringify({ steps: [{ transform: 'crop', width: '10%', x: '90000px' }] })

/** Holds requests back; returns what lets them go on. */
export async function hold(by: Page | BrowserContext, url: string): Promise<() => void> {
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  await by.route(url, (route) => released.then(() => route.continue()))
  return release
}

/** Drags files or folders of this machine onto the page, as a file manager does. */
export async function drag(page: Page, paths: string[], event: 'over' | 'drop' = 'drop', place = { x: 640, y: 400 }): Promise<void> {
  const hand = await page.context().newCDPSession(page)
  const data = { items: [], files: paths, dragOperationsMask: 1 }
  const steps = event === 'over' ? (['dragEnter', 'dragOver'] as const) : (['dragEnter', 'dragOver', 'drop'] as const)
  for (const type of steps) await hand.send('Input.dispatchDragEvent', { type, ...place, data })
  await hand.detach()
}
