import { expect, it, vi } from 'vitest'
import { count } from '../../words/format'

type Options = { body: { ids: string[] } }

const server = vi.hoisted(() => ({ asked: [] as [string, number][] }))
vi.mock('../../api/client', async (load) => ({
  ...(await load<typeof import('../../api/client')>()),
  api: {
    GET: () => new Promise(() => {}),
    POST: async (path: string, { body: { ids } }: Options) => {
      server.asked.push([path, ids.length])
      const isFirst = server.asked.length === 1
      if (path === '/images/restore') return { data: { count: ids.length } }
      if (!isFirst) throw new Error('The server does not answer.')
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
