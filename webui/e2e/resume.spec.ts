// Uploads that are interrupted: they go on where they were, by themselves or, where the browser had no room, once the same
// files are chosen again.

import { createHash, randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { done, expect, type Page, type Stack, test, tiles, tray, upload } from './page'

const MIB = 2 ** 20
let stack: Stack
let folder: string
let line: Line
let number = 0
let stored = 0

test.describe.configure({ mode: 'serial' })
test.beforeAll(async ({ stack: shared }) => {
  stack = shared
  await stack.clear()
  folder = mkdtempSync(join(tmpdir(), 'imagomortis-resume-'))
})
test.beforeEach(async () => void (line = await Line.to(stack.url)))
test.afterEach(() => line.close())
test.afterAll(() => folder && rmSync(folder, { recursive: true }))

/** A line to the server, which can break, and on which what is sent can stop in its middle. */
class Line {
  url = ''
  #listener: Server
  #ends = new Set<Socket>()
  #answers = new Map<Socket, Socket>()
  #isBroken = false
  #isMuted = false
  /** Bytes that a connection carries before it is held. */
  #most = Infinity
  #held = new Set<Socket>()

  private constructor(target: URL) {
    this.#listener = createServer((near) => {
      if (this.#isBroken) return near.destroy()
      const far = connect(Number(target.port), target.hostname)
      for (const [end, other] of [[near, far], [far, near]] as const) {
        this.#ends.add(end)
        end.on('error', () => other.destroy()).on('close', () => other.destroy() && this.#ends.delete(end))
      }
      this.#answers.set(far, near)
      far.on('close', () => this.#answers.delete(far))
      if (this.#isMuted) far.resume()
      else far.pipe(near)
      this.#carry(near, far).catch(() => far.destroy())
    })
  }

  static async to(target: string): Promise<Line> {
    const line = new Line(new URL(target))
    line.#listener.listen(0, '127.0.0.1')
    await once(line.#listener, 'listening')
    line.url = `http://127.0.0.1:${(line.#listener.address() as { port: number }).port}`
    return line
  }

  /** Lets a connection carry so many bytes and no more, so that there is a middle to be interrupted in. */
  hold(bytes: number): void {
    this.#most = bytes
  }

  /** Ends the connections that are held, and holds none any more. */
  release(): void {
    this.#most = Infinity
    for (const near of this.#held) near.destroy()
    this.#held.clear()
  }

  /** Ends every connection, and lets none through until it is mended. */
  break(): void {
    this.#isBroken = true
    for (const end of this.#ends) end.destroy()
  }

  /** Lets what the server answers get lost, until the line is mended. */
  mute(): void {
    this.#isMuted = true
    for (const [far, near] of this.#answers) far.unpipe(near).resume()
  }

  mend(): void {
    this.#isBroken = false
    this.#isMuted = false
  }

  close(): void {
    this.release()
    this.break()
    this.#listener.close()
  }

  async #carry(near: Socket, far: Socket): Promise<void> {
    let carried = 0
    for await (const bytes of near as AsyncIterable<Buffer>) {
      if (!far.write(bytes)) await once(far, 'drain')
      carried += bytes.length
      if (carried < this.#most) continue
      this.#held.add(near)
      await once(near, 'close')
    }
    far.end()
  }
}

/** A picture of 4 MiB, of which no two are alike. */
function large(): string {
  const [width, height] = [1200, 1165]
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

/** Leaves the browser no room for copies of files. */
async function fill(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  await session.send('Storage.overrideQuotaForOrigin', { origin: line.url, quotaSize: MIB })
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

const open = async (page: Page) => {
  await page.goto(line.url)
  await page.getByRole('button', { name: 'Menu' }).waitFor()
}

/** Begins to upload files, and waits until the server has a MiB of each and gets no more. */
async function begin(page: Page, paths: string[], recipe?: string): Promise<void> {
  const before = parts()
  line.hold(1.5 * MIB)
  await upload(page, paths, recipe)
  const begun = () => [...parts()].filter(([name, bytes]) => !before.has(name) && bytes >= MIB)
  await expect.poll(() => begun().length).toBe(paths.length)
}

/** The uploads that the server has in part, and how many bytes of each. */
function parts(): Map<string, number> {
  const found = new Map<string, number>()
  const tus = join(stack.spool, 'tus')
  for (const name of existsSync(tus) ? readdirSync(tus) : []) {
    const size = statSync(join(tus, name, 'entry', 'original'), { throwIfNoEntry: false })?.size
    if (size) found.set(name, size)
  }
  return found
}

/** Waits until so many more pictures than before are done. */
const more = (page: Page, count: number) => done(page, (stored += count))

/** The original that the server has of a picture, as the file that was chosen. */
async function isWhole(page: Page, path: string): Promise<void> {
  const id = (await page.getByRole('link', { name: path.split('/').at(-1)! }).first().getAttribute('href'))!.split('/').at(-1)!
  const kept = await (await page.request.get(`${stack.url}/api/images/${id}/original`)).body()
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  expect(digest(kept)).toBe(digest(readFileSync(path)))
}

/** A page that is loaded anew finds nothing to go on with. */
async function expectNothingLeft(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => localStorage.getItem('imagomortis.unfinished'))).toBeNull()
  await page.reload()
  await expect(page.getByRole('button', { name: /^(Menu|Close the viewer)$/ }).first()).toBeVisible()
  await expect(tray(page)).toBeHidden()
  await expect(page.getByRole('region', { name: 'Unfinished uploads' })).toBeHidden()
}

/** Counts the transactions of a page's database, which is to be opened. */
async function transactions(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript(() => {
    const counted = Object.assign(window, { transactions: 0 })
    const { transaction } = IDBDatabase.prototype
    IDBDatabase.prototype.transaction = function (...given) {
      const begun = transaction.apply(this, given)
      begun.addEventListener('complete', () => counted.transactions++)
      return begun
    }
  })
  return () => page.evaluate(() => (window as unknown as { transactions: number }).transactions)
}

/** Holds for an upload that went on where it was: no second one began, and no byte of the first MiB went twice. */
function expectGoneOn(said: string[], posts = 0): void {
  expect(said.filter((each) => each === 'POST')).toHaveLength(posts)
  expect(Math.max(...offsets(said))).toBeGreaterThanOrEqual(MIB)
}

test('a small picture goes in one request', async ({ page }) => {
  const said = listen(page)
  await open(page)
  await upload(page, [stack.file('sunset.jpg')])
  await more(page, 1)
  expect(said).toEqual(['POST'])
})

test('goes on by itself when the connection comes back', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const path = large()
  await begin(page, [path])
  line.break()
  await expect(tray(page)).toContainText('go on by themselves')
  line.release()
  line.mend()
  await more(page, 1)
  expectGoneOn(said, 1)
  await isWhole(page, path)
})

test('goes on by itself when the uploader was killed and is back', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const path = large()
  await begin(page, [path])
  await stack.tell('kill upload_service')
  line.release()
  await more(page, 1)
  expectGoneOn(said, 1)
  await isWhole(page, path)
})

test('goes on after a reload when the same files are chosen again', async ({ page }) => {
  const said = listen(page)
  await fill(page)
  await open(page)
  const paths = [large(), large()]
  await begin(page, paths)
  await expect.poll(() => kept(page)).toEqual([2, 0])
  await page.reload()
  await expect(page.getByText(/not finished when the page was closed/)).toBeVisible()
  line.release()
  said.length = 0
  await upload(page, paths)
  await more(page, 2)
  expectGoneOn(said)
  for (const path of paths) await isWhole(page, path)
  await expect(page.getByText(/not finished when the page was closed/)).toBeHidden()
})

test('another recipe is another upload', async ({ page }) => {
  const said = listen(page)
  await fill(page)
  await open(page)
  const path = large()
  await begin(page, [path])
  await expect.poll(() => kept(page)).toEqual([1, 0])
  await page.reload()
  line.release()
  said.length = 0
  await upload(page, [path], 'Framed')
  await more(page, 1)
  expect(said[0]).toBe('POST')
  await isWhole(page, path)
})

test('pauses and resumes at its offset, and what is cancelled is removed from the server', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const kept = large()
  await begin(page, [kept])
  await tray(page).getByRole('button', { name: 'Pause' }).click()
  await expect(tray(page).locator('.row progress')).toBeHidden()
  line.release()
  await tray(page).getByRole('button', { name: 'Resume' }).click()
  await more(page, 1)
  expectGoneOn(said, 1)
  await isWhole(page, kept)

  for (const isPaused of [false, true]) {
    await begin(page, [large()])
    if (isPaused) {
      await tray(page).getByRole('button', { name: 'Pause' }).click()
      await expect(tray(page).locator('.row progress')).toBeHidden()
    }
    const removed = page.waitForResponse((answer) => answer.request().method() === 'DELETE' && answer.status() === 204)
    await tray(page).getByRole('button', { name: /^Cancel large/ }).click()
    line.release()
    expect((await removed).url()).toContain('/upload/tus/')
  }
  await stack.rest()
  await expect(tiles(page)).toHaveCount(stored)
})

test('goes on by itself after a reload', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const paths = [large(), large()]
  await begin(page, paths, 'Framed')
  await expect.poll(() => kept(page)).toEqual([2, 2])
  said.length = 0
  await page.reload()
  await expect(page.getByText('2 uploads go on where the page was closed.')).toBeVisible()
  line.release()
  await more(page, 2)
  expectGoneOn(said)
  for (const path of paths) await isWhole(page, path)
  await tiles(page).first().click()
  await page.getByRole('button', { name: 'Details' }).click()
  await expect(page.getByRole('complementary')).toContainText('Framed')
  await page.keyboard.press('i')
  await expect.poll(() => kept(page)).toEqual([0, 0])
  await expectNothingLeft(page)
})

test('goes on in another page once the one that had it is closed, and not before', async ({ page, context }) => {
  await open(page)
  const path = large()
  await begin(page, [path])
  await expect.poll(() => kept(page)).toEqual([1, 1])
  const other = await context.newPage()
  const looked = await transactions(other)
  await open(other)
  await expect.poll(looked).toBeGreaterThanOrEqual(2) // for what it may take over, and for what is left then
  await expect(tray(other)).toBeHidden()
  await page.close()
  await other.reload()
  await expect(other.getByText('An upload goes on where the page was closed.')).toBeVisible()
  line.release()
  await more(other, 1)
  await isWhole(other, path)
})
test('names the files that it needs again, and goes on by their recipe without another question', async ({ page }) => {
  const said = listen(page)
  await fill(page)
  await open(page)
  const [path, given] = [large(), large()]
  await begin(page, [path, given], 'Black and white')
  await expect.poll(() => kept(page)).toEqual([2, 0])
  await page.reload()
  const left = page.getByRole('region', { name: 'Unfinished uploads' })
  for (const each of [path, given]) await expect(left.getByRole('listitem').filter({ hasText: each.split('/').at(-1)! })).toBeVisible()
  line.release()
  said.length = 0
  const chooser = page.waitForEvent('filechooser')
  await left.getByRole('button', { name: 'Choose again' }).click()
  await (await chooser).setFiles([path])
  await more(page, 1)
  expectGoneOn(said)
  await isWhole(page, path)
  await expect(left.getByRole('listitem')).toHaveText(new RegExp(given.split('/').at(-1)!))
  await left.getByRole('button', { name: 'Forget' }).click()
  await expect(left).toBeHidden()
  await expect.poll(() => kept(page)).toEqual([0, 0])
  await expectNothingLeft(page)
})

test('what was paused stays so over a reload', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const path = large()
  await begin(page, [path])
  await tray(page).getByRole('button', { name: 'Pause' }).click()
  await expect.poll(() => kept(page)).toEqual([1, 1])
  await expect.poll(() => page.evaluate(() => localStorage.getItem('imagomortis.unfinished'))).toBe('paused')
  line.release()
  said.length = 0
  await page.reload()
  await expect(tray(page).getByRole('button', { name: 'Resume' })).toBeVisible()
  // as often as it would have to ask to go on
  for (let times = 0; times < 3; times++) await page.evaluate(() => fetch('/upload/tus/', { method: 'OPTIONS' }))
  expect(said).toEqual([])
  await tray(page).getByRole('button', { name: 'Resume' }).click()
  await more(page, 1)
  expectGoneOn(said)
  await isWhole(page, path)
})

test('a small picture that is paused when only its answer is missing is stored once', async ({ page }) => {
  const said = listen(page)
  await open(page)
  const known = async () => (await (await page.request.get(`${stack.url}/api/images`)).json()).length
  const before = await known()
  await page.route('**/upload/tus/', (route) => {
    if (route.request().method() === 'POST') line.mute()
    return route.continue()
  })
  await upload(page, [stack.file('planet.jpg')])
  await expect(tray(page).locator('.row progress')).toHaveJSProperty('value', 100)
  await expect.poll(known).toBe(before + 1)
  await tray(page).getByRole('button', { name: 'Pause' }).click()
  line.break()
  line.mend()
  await tray(page).getByRole('button', { name: 'Resume' }).click()
  await expect(tray(page)).toContainText('1 picture is here already.')
  expect(said).toEqual(['POST'])
  expect(await known()).toBe(before + 1)
})
