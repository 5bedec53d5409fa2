import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Image, Marks } from '../../api/client'

type Options = { params: { query: { every?: number; cursor?: string; limit?: number } }; signal?: AbortSignal }

/** A server whose answers come when the test says so. */
const server = vi.hoisted(() => ({ answer: (_path: string, _options: Options): unknown => undefined }))
vi.mock('../../api/client', async (load) => ({
  ...(await load<typeof import('../../api/client')>()),
  api: { GET: async (path: string, options: Options = { params: { query: {} } }) => server.answer(path, options) },
}))

const image = (number: number): Image => {
  const id = `id-${String(number).padStart(6, '0')}`
  const created_at = new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString()
  return { id, created_at, state: 'done', job: {}, links: {} } as unknown as Image
}

/** The newest has the greatest number; a cursor is the number of the image that it stands behind. */
const list = (total: number, cursor?: string) => Array.from({ length: cursor ? Number(cursor) : total }, (_, index) => image((cursor ? Number(cursor) : total) - 1 - index))

function marks(total: number, every: number): Marks {
  const found: Marks = { marks: [], next: null }
  for (let start = 0; start < total; start += every) {
    const count = Math.min(every, total - start)
    const { id, created_at } = image(total - start - count)
    found.marks.push({ cursor: start ? String(total - start) : null, count, created_at, id, sort_key: null })
  }
  return found
}

function images(total: number, { cursor, limit = 0 }: { cursor?: string; limit?: number }) {
  const rest = list(total, cursor)
  const link = rest.length > limit ? `<?cursor=${rest[limit - 1]!.id.slice(3)}>; rel="next"` : ''
  return { data: rest.slice(0, limit), response: { headers: new Headers(link ? { Link: link } : {}) } }
}

/** Something that happens when it is told to. */
function gate() {
  let open = () => {}
  const passed = new Promise<void>((resolve) => (open = resolve))
  return { passed, open: () => open() }
}

const passedOrAborted = (passed: Promise<void>, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    void passed.then(resolve)
    signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
  })

describe('the gallery', () => {
  beforeEach(() => void vi.resetModules())

  it('asks for the trash again when something is deleted elsewhere', async () => {
    let total = 1
    server.answer = (path, { params: { query } }) => {
      if (path === '/stats') return { data: {} }
      return path === '/images/marks' ? { data: marks(total, 200) } : images(total, query)
    }
    const events: Record<string, (event: { data: string; lastEventId: string }) => void> = {}
    vi.stubGlobal('EventSource', class { addEventListener = (name: string, act: () => void) => void (events[name] = act); close = () => undefined })
    vi.stubGlobal('window', globalThis)
    const { gallery } = await import('./gallery.svelte')
    gallery.filter = { ...gallery.filter, trash: true }
    const close = gallery.open()
    await expect.poll(() => gallery.size).toBe(1)
    total = 2
    events.image!({ data: JSON.stringify({ id: image(1).id, deleted: true }), lastEventId: '' })
    await expect.poll(() => gallery.size).toBe(2)
    close()
  })

  it('shows a list by name, lets changes happen in place, and lets new pictures wait until they are asked for', async () => {
    const names = ['a', 'b', 'c', 'd']
    let asked = 0
    const named = (key: string): Image => ({ ...image(names.length - names.indexOf(key)), filename: key, sort_key: key })
    server.answer = (path, { params: { query } }) => {
      if (path === '/stats') return { data: {} }
      if (query.limit === 1) return { data: [image(names.length)] }
      expect(query).toMatchObject({ sort: '-name' })
      if (path === '/images') return { data: names.toReversed().map(named), response: { headers: new Headers() } }
      asked++
      return { data: { marks: [{ cursor: null, count: names.length, ...named('a') }], next: null } }
    }
    const events: Record<string, (event: { data: string; lastEventId: string }) => void> = {}
    vi.stubGlobal('EventSource', class { addEventListener = (name: string, act: () => void) => void (events[name] = act); close = () => undefined })
    vi.stubGlobal('window', globalThis)
    const tell = (change: object) => events.image!({ data: JSON.stringify(change), lastEventId: '' })
    const { gallery } = await import('./gallery.svelte')
    gallery.filter = { ...gallery.filter, sort: 'name' }
    const close = gallery.open()
    const shown = () => Array.from({ length: gallery.size }, (_, at) => gallery.at(at)?.filename)
    await expect.poll(shown).toEqual(names)
    expect(gallery.parts.map(({ since, before }) => [since, before])).toEqual([['', '']])
    tell({ ...named('c'), sort_key: null, state: 'failed', job: { error: 'x' } })
    await expect.poll(() => gallery.at(2)?.state).toBe('failed')
    tell({ ...image(9), filename: 'bb' })
    await expect.poll(() => gallery.arrived).toBe(1)
    expect(shown()).toEqual(names)
    names.splice(2, 0, 'bb')
    gallery.letIn()
    await expect.poll(shown).toEqual(['a', 'b', 'bb', 'c', 'd'])
    expect([asked, gallery.arrived]).toEqual([2, 0])
    close()
  })

  it('puts no answer for the list as it was cut before into the list as it is cut now', async () => {
    let total = 2000
    let [hold, held] = [gate(), gate()]
    let isHeld = false
    server.answer = async (path, { params: { query }, signal }) => {
      if (path === '/stats') return { data: {} }
      if (path === '/images/marks') {
        const answer = { data: marks(total, query.every!) }
        if (isHeld) await hold.passed
        return answer
      }
      const answer = images(total, query)
      if (isHeld) await passedOrAborted(held.passed, signal)
      return answer
    }
    const { gallery } = await import('./gallery.svelte')
    await gallery.reload()
    gallery.look(250, 300)
    await expect.poll(() => gallery.at(399)?.id).toBe(image(1600).id)

    total = 2200
    isHeld = true
    const reloading = gallery.reload(true)
    gallery.look(1050, 1100) // asked for in pieces of the list of 2000
    await new Promise((resolve) => setTimeout(resolve, 100))
    isHeld = false
    hold.open()
    await reloading
    held.open()
    for (const index of [1050, 850, 1250]) {
      gallery.look(index, index + 50)
      await expect.poll(() => gallery.at(index)?.id).toBe(image(2199 - index).id)
    }
    expect(gallery.size).toBe(2200)
  })

  it('shows a picture that comes while the last day that is shown is not over', async () => {
    const follower = { tell: (_changes: Image[]) => {} }
    vi.doMock('../../api/live', () => ({
      follow: ({ images }: { images: (changes: Image[]) => void }) => ((follower.tell = images), () => {}),
    }))
    const day = (later: number) => new Date(Date.now() + later * 86_400_000)
    const written = (date: Date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`
    server.answer = async (path, { params: { query } }) => {
      if (path === '/stats') return { data: {} }
      return path === '/images/marks' ? { data: marks(10, query.every!) } : images(10, query)
    }
    const { gallery } = await import('./gallery.svelte')
    const { EVERYTHING } = await import('./filter')
    gallery.open()
    for (const [to, size] of [[written(day(0)), 11], [written(day(-1)), 10]] as const) {
      gallery.show({ ...EVERYTHING, to })
      await expect.poll(() => gallery.at(0)?.id).toBe(image(9).id)
      follower.tell([{ ...image(11), created_at: day(to === written(day(0)) ? 0 : -1).toISOString() }])
      expect(gallery.size).toBe(size)
    }
    vi.doUnmock('../../api/live')
  })

  it('finds the place of an image of which nothing is loaded, and none for one that the filter excludes', async () => {
    server.answer = async (path, { params: { query } }) => {
      if (path === '/stats') return { data: {} }
      if (path !== '/images/marks') return images(2000, query)
      const { marks: all } = marks(2000, query.every!) // in two answers
      return { data: query.cursor ? { marks: all.slice(4), next: null } : { marks: all.slice(0, 4), next: all[4]!.cursor } }
    }
    const { gallery } = await import('./gallery.svelte')
    const { EVERYTHING } = await import('./filter')
    const places = Promise.all([gallery.locate(image(1999)), gallery.locate(image(700)), gallery.locate(image(0))])
    await gallery.reload()
    expect(await places).toEqual([0, 1299, 1999])
    expect(gallery.at(1300)?.id).toBe(image(699).id)
    gallery.show({ ...EVERYTHING, state: 'failed' })
    expect(await gallery.locate(image(5))).toBe(-1)
  })

  describe('new pictures', () => {
    const follower = { tell: (_changes: (Image | { id: string; deleted: true })[]) => {} }
    let total: number

    beforeEach(() => {
      vi.doMock('../../api/live', () => ({
        follow: ({ images }: { images: (changes: (Image | { id: string; deleted: true })[]) => void }) => ((follower.tell = images), () => {}),
      }))
      server.answer = async (path, { params: { query } }) => {
        if (path === '/stats') return { data: {} }
        return path === '/images/marks' ? { data: marks(total, query.every!) } : images(total, query)
      }
      total = 10
      return () => void vi.doUnmock('../../api/live')
    })

    async function open() {
      const { gallery } = await import('./gallery.svelte')
      gallery.open()
      await expect.poll(() => gallery.at(0)?.id).toBe(image(9).id)
      return gallery
    }

    const shown = (gallery: { size: number; at(index: number): Image | undefined }) => [gallery.size, gallery.at(0)?.id]

    it('wait while the list may not move, and are told', async () => {
      const gallery = await open()
      gallery.hold('all')
      follower.tell([image(10), image(11), image(12)])
      follower.tell([{ ...image(11), state: 'failed' }, { id: image(12).id, deleted: true }, { ...image(3), state: 'failed' }])
      expect([gallery.arrived, ...shown(gallery)]).toEqual([2, 10, image(9).id])
      expect(gallery.at(6)?.state).toBe('failed') // what is here changes where it is
      gallery.hold('none')
      expect([gallery.arrived, ...shown(gallery)]).toEqual([0, 12, image(11).id])
      expect(gallery.at(0)?.state).toBe('failed')
    })

    it('of this page come at once while only those of others wait', async () => {
      const gallery = await open()
      gallery.isOwn = (id) => id === image(11).id
      gallery.hold('others')
      follower.tell([image(10), image(11)])
      expect([gallery.arrived, ...shown(gallery)]).toEqual([1, 11, image(11).id])
      gallery.letIn()
      expect([gallery.arrived, gallery.at(1)?.id]).toEqual([0, image(10).id])
    })

    it('come at once where they move nothing', async () => {
      const gallery = await open()
      const { EVERYTHING } = await import('./filter')
      gallery.hold('all')
      gallery.show({ ...EVERYTHING, sort: 'oldest' })
      follower.tell([image(10)])
      expect([gallery.arrived, gallery.at(10)?.id]).toEqual([0, image(10).id])
    })

    it('wait also if they came while the server was away', async () => {
      const gallery = await open()
      gallery.hold('all')
      total = 12
      await gallery.reload(true)
      await expect.poll(() => [gallery.arrived, ...shown(gallery)]).toEqual([2, 10, image(9).id])
      gallery.hold('none')
      expect([gallery.arrived, ...shown(gallery)]).toEqual([0, 12, image(11).id])
    })

    it('that wait have a place once they are looked for', async () => {
      const gallery = await open()
      gallery.hold('all')
      follower.tell([image(10)])
      expect(await gallery.locate(image(10))).toBe(0)
      expect(gallery.arrived).toBe(0)
    })
  })

  it('takes messages away that are not true any more', async () => {
    let listener: import('../../api/live').Listener | undefined
    vi.doMock('../../api/live', () => ({ follow: (given: typeof listener) => ((listener = given), () => {}) }))
    server.answer = async (path, { params: { query } }) => (path === '/images/marks' ? { data: marks(10, query.every!) } : { data: { paused: false } })
    const { gallery } = await import('./gallery.svelte')
    const { notices } = await import('../../frame/notices.svelte')
    const shown = () => notices.all.map((notice) => notice.text)
    gallery.open()
    listener!.stats({ paused: true } as never)
    notices.show('Processing is paused.', { about: 'pause' })
    notices.show('The server does not answer.', { about: 'connection' })
    listener!.stats({ paused: true } as never)
    listener!.connected(false)
    expect(shown()).toHaveLength(2)
    listener!.stats({ paused: false } as never)
    listener!.connected(true)
    expect(shown()).toEqual([])
    vi.doUnmock('../../api/live')
  })

  it('loads an image although others are looked at and the list is cut anew meanwhile', async () => {
    const [first, later] = [gate(), gate()]
    let isFirst = true
    server.answer = async (path, { params: { query }, signal }) => {
      if (path === '/stats') return { data: {} }
      if (path === '/images/marks') return { data: marks(600, query.every!) }
      if (query.cursor === '200' && isFirst) {
        isFirst = false
        first.open()
        await passedOrAborted(later.passed, signal)
      }
      return images(600, query)
    }
    const { gallery } = await import('./gallery.svelte')
    await gallery.reload()
    const loading = gallery.load(599)
    await first.passed
    gallery.look(0, 50)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await gallery.reload()
    const found = await loading
    expect(found?.id).toBe(image(0).id)
  })
})
