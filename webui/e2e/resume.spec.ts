// Uploads that are interrupted: they go on where they were, by themselves or, where the browser had no room, once the same
// files are chosen again.

import { type CDPSession, expect, type Page, test } from '@playwright/test'
import { createHash, randomFillSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { done, Stack, tiles, tray, upload } from './page'

const MIB = 2 ** 20
const SLOW = 2.5 * MIB
let stack: Stack
let folder: string
let number = 0

test.describe.configure({ mode: 'serial' })
test.beforeAll(async () => {
  test.setTimeout(120_000)
  folder = mkdtempSync(join(tmpdir(), 'imagomortis-resume-'))
  stack = await Stack.start()
})
test.afterAll(async () => {
  await stack?.stop()
  rmSync(folder, { recursive: true })
})

/** A line to the server, which can break. */
class Line {
  url = ''
  #listener: Server
  #ends = new Set<Socket>()
  #answers = new Map<Socket, Socket>()
  #isBroken = false

  private constructor(target: URL) {
    this.#listener = createServer((near) => {
      if (this.#isBroken) return near.destroy()
      const far = connect(Number(target.port), target.hostname)
      for (const [end, other] of [[near, far], [far, near]] as const) {
        this.#ends.add(end)
        end.on('error', () => other.destroy()).on('close', () => other.destroy() && this.#ends.delete(end))
        end.pipe(other)
      }
      this.#answers.set(far, near)
      far.on('close', () => this.#answers.delete(far))
    })
  }

  static async to(target: string): Promise<Line> {
    const line = new Line(new URL(target))
    await new Promise<void>((resolve) => line.#listener.listen(0, '127.0.0.1', resolve))
    line.url = `http://127.0.0.1:${(line.#listener.address() as { port: number }).port}`
    return line
  }

  /** Ends every connection, and lets none through until it is mended. */
  break(): void {
    this.#isBroken = true
    for (const end of this.#ends) end.destroy()
  }

  /** Lets what the server answers get lost, on the connections that there are. */
  mute(): void {
    for (const [far, near] of this.#answers) far.unpipe(near).resume()
  }

  mend(): void {
    this.#isBroken = false
  }

  close(): void {
    this.break()
    this.#listener.close()
  }
}

/** A picture of about 12 MiB, of which no two are alike. */
function large(): string {
  const [width, height] = [2400, 1750]
  const bytes = Buffer.alloc(54 + width * height * 3)
  bytes.write('BM')
  bytes.writeUInt32LE(bytes.length, 2)
  bytes.writeUInt32LE(54, 10)
  bytes.writeUInt32LE(40, 14)
  bytes.writeInt32LE(width, 18)
  bytes.writeInt32LE(height, 22)
  bytes.writeUInt16LE(1, 26)
  bytes.writeUInt16LE(24, 28)
  randomFillSync(bytes, 54)
  const path = join(folder, `large-${++number}.bmp`)
  writeFileSync(path, bytes)
  return path
}

/** What the page says to the uploader: each request's method, and the offset of its bytes. */
function listen(page: Page): string[] {
  const said: string[] = []
  page.on('request', (request) => {
    if (!request.url().includes('/upload/tus/') || request.method() === 'OPTIONS') return
    said.push(`${request.method()} ${request.headers()['upload-offset'] ?? ''}`.trim())
  })
  return said
}

const offsets = (said: string[]) => said.filter((each) => each.startsWith('PATCH')).map((each) => Number(each.split(' ')[1]))

/** Lets bytes leave the browser no faster than this, so that there is a middle to be interrupted in. */
async function slow(page: Page, bytes: number): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytes })
  return session
}

/** Leaves the browser no room for copies of files. */
async function fill(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  await session.send('Storage.overrideQuotaForOrigin', { origin: stack.url, quotaSize: MIB })
}

/** How many uploads the browser keeps, and how many of them with their files. */
const kept = (page: Page) =>
  page.evaluate(async () => {
    const answer = <T>(asked: IDBRequest<T>) => new Promise<T>((resolve, reject) => ((asked.onsuccess = () => resolve(asked.result)), (asked.onerror = reject)))
    // to open it before the page does would make an empty one
    if (!(await indexedDB.databases()).some(({ name }) => name === 'imagomortis.uploads')) return [0, 0]
    const database = await answer(indexedDB.open('imagomortis.uploads', 1))
    const stores = database.transaction(['notes', 'files'])
    const counts = await Promise.all(['notes', 'files'].map((name) => answer(stores.objectStore(name).count())))
    database.close()
    return counts
  })

const open = async (page: Page, url = stack.url) => {
  await page.goto(url)
  await page.getByRole('button', { name: 'Menu' }).waitFor()
}

/** Waits until the first file is about half sent. */
const middle = (page: Page) =>
  expect
    .poll(() => page.evaluate(() => document.querySelector<HTMLProgressElement>('.tray .row progress')?.value ?? 0), { intervals: [100], timeout: 30_000 })
    .toBeGreaterThan(40)

/** The original that the server has of a picture, as the file that was chosen. */
async function isWhole(page: Page, path: string): Promise<void> {
  const id = (await page.getByRole('link', { name: path.split('/').at(-1)! }).first().getAttribute('href'))!.split('/').at(-1)!
  const kept = await (await page.request.get(`${stack.url}/api/images/${id}/original`)).body()
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  expect(digest(kept)).toBe(digest(readFileSync(path)))
}

test('a small picture goes in one request', async ({ page }) => {
  const said = listen(page)
  await open(page)
  await upload(page, [stack.file('sunset.jpg')])
  await done(page, 1)
  expect(said).toEqual(['POST'])
})

test('goes on by itself when the connection comes back', async ({ page }) => {
  const line = await Line.to(stack.url)
  const said = listen(page)
  await open(page, line.url)
  const path = large()
  await slow(page, SLOW)
  await upload(page, [path])
  await middle(page)
  line.break()
  await expect(tray(page)).toContainText('go on by themselves')
  await page.waitForTimeout(1500)
  line.mend()
  await done(page, 2)
  line.close()
  expect(said.filter((each) => each === 'POST')).toHaveLength(1)
  expect(Math.max(...offsets(said))).toBeGreaterThan(3 * MIB)
  await isWhole(page, path)
})

test('goes on by itself when the uploader was killed and is back', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const path = large()
  await slow(page, SLOW)
  await upload(page, [path])
  await middle(page)
  await stack.tell('kill upload_service')
  await done(page, 3)
  expect(said.filter((each) => each === 'POST')).toHaveLength(1)
  expect(Math.max(...offsets(said))).toBeGreaterThan(3 * MIB)
  await isWhole(page, path)
})

test('goes on after a reload when the same files are chosen again', async ({ page }) => {
  const said = listen(page)
  await fill(page)
  await open(page)
  const paths = [large(), large()]
  await slow(page, 2 * SLOW)
  await upload(page, paths)
  await middle(page)
  await page.reload()
  await expect(page.getByText(/not finished when the page was closed/)).toBeVisible()
  await slow(page, 1000 * MIB)
  said.length = 0
  await upload(page, paths)
  await done(page, 5)
  expect(said.filter((each) => each === 'POST')).toHaveLength(0)
  expect(Math.max(...offsets(said))).toBeGreaterThan(2 * MIB)
  for (const path of paths) await isWhole(page, path)
  await expect(page.getByText(/not finished when the page was closed/)).toBeHidden()
})

test('another recipe is another upload', async ({ page }) => {
  const said = listen(page)
  await fill(page)
  await open(page)
  const path = large()
  await slow(page, SLOW)
  await upload(page, [path])
  await middle(page)
  await page.reload()
  await slow(page, 1000 * MIB)
  said.length = 0
  await upload(page, [path], 'Framed')
  await done(page, 6)
  expect(said[0]).toBe('POST')
  await isWhole(page, path)
})

test('pauses and resumes at its offset, and what is cancelled is removed from the server', async ({ page }) => {
  const said = listen(page)
  await open(page)
  await slow(page, SLOW)
  const kept = large()
  await upload(page, [kept])
  await middle(page)
  await tray(page).getByRole('button', { name: 'Pause' }).click()
  await page.waitForTimeout(500)
  await tray(page).getByRole('button', { name: 'Resume' }).click()
  await done(page, 7)
  expect(said.filter((each) => each === 'POST')).toHaveLength(1)
  expect(Math.max(...offsets(said))).toBeGreaterThan(3 * MIB)
  await isWhole(page, kept)

  for (const isPaused of [false, true]) {
    await upload(page, [large()])
    await middle(page)
    if (isPaused) {
      await tray(page).getByRole('button', { name: 'Pause' }).click()
      await expect(tray(page).locator('.row progress')).toBeHidden()
    }
    const removed = page.waitForResponse((answer) => answer.request().method() === 'DELETE' && answer.status() === 204)
    await tray(page).getByRole('button', { name: /^Cancel large/ }).click()
    expect((await removed).url()).toContain('/upload/tus/')
  }
  await page.waitForTimeout(500)
  await expect(tiles(page)).toHaveCount(7)
})

test('goes on by itself after a reload', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const paths = [large(), large()]
  await slow(page, SLOW / 2) // until both are copied
  await upload(page, paths, 'Framed')
  await middle(page)
  await expect.poll(() => kept(page)).toEqual([2, 2])
  said.length = 0
  await page.reload()
  await expect(page.getByText('2 uploads go on where the page was closed.')).toBeVisible()
  await slow(page, 1000 * MIB)
  await done(page, 9)
  expect(said.filter((each) => each === 'POST')).toHaveLength(0)
  expect(Math.max(...offsets(said))).toBeGreaterThan(2 * MIB)
  for (const path of paths) await isWhole(page, path)
  await tiles(page).first().click()
  await page.getByRole('button', { name: 'Details' }).click()
  await expect(page.getByRole('complementary')).toContainText('Framed')
  await page.keyboard.press('i')
  await expect.poll(() => kept(page)).toEqual([0, 0])
  await page.reload()
  await page.getByRole('button', { name: 'Close the viewer' }).click()
  await page.waitForTimeout(2000)
  await expect(tray(page)).toBeHidden()
})

test('goes on in another page once the one that had it is closed, and not before', async ({ page, context }) => {
  await open(page)
  const path = large()
  await slow(page, SLOW / 4)
  await upload(page, [path])
  await expect.poll(() => kept(page)).toEqual([1, 1])
  const other = await context.newPage()
  await open(other)
  await other.waitForTimeout(2500)
  await expect(tray(other)).toBeHidden()
  await page.close()
  await other.reload()
  await expect(other.getByText('An upload goes on where the page was closed.')).toBeVisible()
  await done(other, 10)
  await isWhole(other, path)
})

test('names the files that it needs again, and goes on by their recipe without another question', async ({ page }) => {
  const said = listen(page)
  await fill(page)
  await open(page)
  const [path, given] = [large(), large()]
  await slow(page, SLOW)
  await upload(page, [path, given], 'Black and white')
  await middle(page)
  await expect.poll(() => kept(page)).toEqual([2, 0])
  await page.reload()
  const left = page.getByRole('region', { name: 'Unfinished uploads' })
  for (const each of [path, given]) await expect(left.getByRole('listitem').filter({ hasText: each.split('/').at(-1)! })).toBeVisible()
  await slow(page, 1000 * MIB)
  said.length = 0
  const chooser = page.waitForEvent('filechooser')
  await left.getByRole('button', { name: 'Choose again' }).click()
  await (await chooser).setFiles([path])
  await done(page, 11)
  expect(said.filter((each) => each === 'POST')).toHaveLength(0)
  await isWhole(page, path)
  await expect(left.getByRole('listitem')).toHaveText(new RegExp(given.split('/').at(-1)!))
  await left.getByRole('button', { name: 'Forget' }).click()
  await expect(left).toBeHidden()
  await expect.poll(() => kept(page)).toEqual([0, 0])
  await page.reload()
  await page.waitForTimeout(2000)
  await expect(left).toBeHidden()
})

test('what was paused stays so over a reload', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const path = large()
  await slow(page, SLOW)
  await upload(page, [path])
  await middle(page)
  await tray(page).getByRole('button', { name: 'Pause' }).click()
  await expect.poll(() => kept(page)).toEqual([1, 1])
  await page.waitForTimeout(500)
  said.length = 0
  await page.reload()
  await expect(tray(page).getByRole('button', { name: 'Resume' })).toBeVisible()
  await page.waitForTimeout(1000)
  expect(said).toEqual([])
  await tray(page).getByRole('button', { name: 'Resume' }).click()
  await done(page, 12)
  expect(said.filter((each) => each === 'POST')).toHaveLength(0)
  await isWhole(page, path)
})

test('a small picture that is paused when only its answer is missing is stored once', async ({ page }) => {
  const line = await Line.to(stack.url)
  const said = listen(page)
  await open(page, line.url)
  await slow(page, 50_000)
  const stored = async () => (await (await page.request.get(`${stack.url}/api/images`)).json()).length
  const before = await stored()
  page.on('request', (request) => request.method() === 'POST' && request.url().endsWith('/upload/tus/') && line.mute())
  await upload(page, [stack.file('planet.jpg')])
  await expect.poll(stored).toBe(before + 1)
  await expect(tray(page).locator('.row progress')).toHaveJSProperty('value', 100)
  await tray(page).getByRole('button', { name: 'Pause' }).click()
  line.break()
  line.mend()
  await tray(page).getByRole('button', { name: 'Resume' }).click()
  await expect(tray(page)).toContainText('1 picture is here already.')
  expect(said).toEqual(['POST'])
  expect(await stored()).toBe(before + 1)
  line.close()
})
