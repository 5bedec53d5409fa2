import { expect, it, vi } from 'vitest'
import { count } from '../../words/format'

type Options = { body: { ids: string[]; permanently?: boolean } }

const server = vi.hoisted(() => ({ asked: [] as [string, number][], bodies: [] as Options['body'][], fails: true }))
vi.mock('../../api/client', async (load) => ({
  ...(await load<typeof import('../../api/client')>()),
  api: {
    GET: () => new Promise(() => {}),
    POST: async (path: string, { body }: Options) => {
      const { ids } = body
      server.asked.push([path, ids.length])
      server.bodies.push(body)
      const isFirst = server.asked.length === 1
      if (path === '/images/restore') return { data: { count: ids.length } }
      if (!isFirst && server.fails) throw new Error('The server does not answer.')
      return { data: { deleted: ids } }
    },
  },
}))

it('brings back what was deleted before a request failed, and what that one may have deleted', async () => {
  const { remove } = await import('./selection.svelte')
  const { notices } = await import('../../frame/notices.svelte')
  await remove(Array.from({ length: 25_000 }, (_, number) => `id-${number}`))
  expect(server.asked).toEqual([['/images/delete', 10_000], ['/images/delete', 10_000]])
  const notice = notices.all.at(-1)!
  expect(notice).toMatchObject({ tone: 'alarm', text: `The server does not answer. ${count(10_000)} pictures deleted.` })
  server.asked.length = 0
  void notice.action!.run()
  await expect.poll(() => server.asked).toEqual([['/images/restore', 10_000], ['/images/restore', 10_000]])
})

it('puts pictures back into the trash that were deleted permanently', async () => {
  const { remove } = await import('./selection.svelte')
  const { notices } = await import('../../frame/notices.svelte')
  const { gallery } = await import('../list/gallery.svelte')
  gallery.stats = { trash: { days: 30, images: 1, bytes: 1 } } as never
  Object.assign(server, { asked: [], bodies: [], fails: false })
  await remove(['one'], true)
  void notices.all.at(-1)!.action!.run()
  await expect.poll(() => server.asked.map(([path]) => path)).toEqual(['/images/delete', '/images/restore', '/images/delete'])
  expect(server.bodies).toEqual([{ ids: ['one'], permanently: true }, { ids: ['one'] }, { ids: ['one'] }])
})

it('deletes with a server of the former version, which knows no trash', async () => {
  const { remove } = await import('./selection.svelte')
  const { gallery } = await import('../list/gallery.svelte')
  gallery.stats = { paused: false } as never
  Object.assign(server, { asked: [], bodies: [], fails: false })
  await remove(['one'])
  expect(server.bodies).toEqual([{ ids: ['one'] }])
})
