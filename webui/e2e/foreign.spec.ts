// Pages of other origins: those of strangers reach nothing, those that the operator names use the API.

import { type APIRequestContext } from '@playwright/test'
import { readFileSync } from 'node:fs'
import { expect, test } from './page'

test.beforeAll(({ stack }) => stack.clear())

const PAUSE = 'mutation { setAutoMaterializePaused(paused: true) }'

/** Whether Dagster's automation is paused. */
async function isPaused(request: APIRequestContext, dagster: string): Promise<boolean> {
  const answer = await request.post(`${dagster}/graphql`, { data: { query: '{ instance { autoMaterializePaused } }' } })
  return (await answer.json()).data.instance.autoMaterializePaused
}

test('a page of a stranger starts nothing and reads nothing', async ({ page, request, stack, elsewhere }) => {
  const before = await isPaused(request, stack.dagster)
  const change = PAUSE.replace('true', String(!before)) // what it would change
  const asked: string[] = []
  page.on('request', (each) => asked.push(`${each.method()} ${new URL(each.url()).pathname}`))
  await page.goto(`http://stranger.test:${elsewhere}`)
  const { api, uploader, dagster } = stack
  const got = await page.evaluate(
    async ({ api, uploader, dagster, change }) => {
      const image = (src: string) =>
        new Promise((resolve) => Object.assign(new Image(), { src, onload: () => resolve('loaded'), onerror: () => resolve('refused') }))
      const socket = (address: string) =>
        new Promise((resolve) => {
          Object.assign(new WebSocket(address.replace('http', 'ws'), 'graphql-ws'), { onopen: () => resolve('open'), onerror: () => resolve('refused') })
        })
      const form = (action: string, fields: Record<string, string>) =>
        new Promise((resolve) => {
          const frame = Object.assign(document.createElement('iframe'), { name: 'answer' })
          const form = Object.assign(document.createElement('form'), { action, method: 'POST', target: 'answer' })
          for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), { name, value }))
          document.body.replaceChildren(frame, form)
          frame.onload = resolve // the empty frame has loaded before
          form.submit()
        })
      /** Sends without asking whether it may, so that it may not read the answer. */
      const blind = (address: string, body: BodyInit) => fetch(address, { method: 'POST', mode: 'no-cors', body }).catch(() => null)
      const read = (address: string, method = 'GET') => fetch(address, { method }).then(() => 'read', () => 'refused')
      const picture = new FormData()
      picture.append('file', new Blob([Uint8Array.from(atob('R0lGODlhAQABAIAAAAAAAAAAACH5BAAAAAAALAAAAAABAAEAAAICTAEAOw=='), (c) => c.charCodeAt(0))]), 'dot.gif')
      await form(`${dagster}/graphql`, { query: change })
      await form(`${api}/pause`, {})
      await blind(`${dagster}/graphql`, JSON.stringify({ query: change }))
      await blind(`${uploader}/upload`, picture)
      return {
        image: await image(`${dagster}/graphql?query=${encodeURIComponent(change)}`),
        socket: await socket(`${dagster}/graphql`),
        dagster: await read(`${dagster}/server_info`),
        images: await read(`${api}/images`),
        deletion: await read(`${api}/all`, 'DELETE'),
      }
    },
    { api, uploader, dagster, change },
  )
  expect(got).toEqual({ image: 'refused', socket: 'refused', dagster: 'refused', images: 'refused', deletion: 'refused' })
  for (const each of ['GET /graphql', 'POST /pause', 'POST /upload', 'GET /images']) expect(asked).toContain(each)
  expect(asked.filter((each) => each === 'POST /graphql')).toHaveLength(2)
  expect(await isPaused(request, dagster)).toBe(before)
  await stack.rest()
  const { images, paused_at } = await (await request.get(`${api}/stats`)).json()
  expect([images.total, paused_at]).toEqual([0, null])
})

test("Dagster's own page works behind the guard", async ({ page, request, stack }) => {
  const before = await isPaused(request, stack.dagster)
  for (const wanted of [!before, before]) {
    await request.post(`${stack.dagster}/graphql`, { data: { query: PAUSE.replace('true', String(wanted)) } })
    expect(await isPaused(request, stack.dagster)).toBe(wanted)
  }
  const socket = page.waitForEvent('websocket')
  await page.goto(`${stack.dagster}/runs`)
  await expect(page.getByRole('link', { name: 'Runs' }).first()).toBeVisible()
  expect((await socket).url()).toContain('/graphql')
})

test('a page of an origin that the operator names lists, uploads and deletes', async ({ page, stack, elsewhere }) => {
  await page.goto(`http://friend.test:${elsewhere}`)
  const picture = readFileSync(stack.file('city.png')).toString('base64')
  const { api, uploader } = stack
  const got = await page.evaluate(
    async ({ api, uploader, picture }) => {
      const form = new FormData()
      form.append('file', new Blob([Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0))]), 'city.png')
      const stored = await fetch(`${uploader}/upload`, { method: 'POST', body: form })
      const { uuid } = await stored.json()
      const resumable = { 'Tus-Resumable': '1.0.0' }
      const begun = await fetch(`${uploader}/upload/tus/`, { method: 'POST', headers: { ...resumable, 'Upload-Length': '10' } })
      const place = new URL(begun.headers.get('Location')!, begun.url)
      const removed = await fetch(place, { method: 'DELETE', headers: resumable })
      let images: { id: string }[] = []
      while (!images.length) images = await (await fetch(`${api}/images`)).json()
      const deleted = await fetch(`${api}/images/${uuid}`, { method: 'DELETE' })
      return { statuses: [stored.status, begun.status, removed.status, deleted.status], isListed: images.some(({ id }) => id === uuid) }
    },
    { api, uploader, picture },
  )
  expect(got).toEqual({ statuses: [201, 201, 204, 204], isListed: true })
})
