import { beforeEach, expect, it, vi } from 'vitest'

const server = vi.hoisted(() => ({ asked: [] as unknown[] }))
const own = { steps: [{ transform: 'flip' }] }
vi.mock('../../api/client', async (load) => ({
  ...(await load<typeof import('../../api/client')>()),
  api: {
    GET: async (path: string, options?: { params: { path: { image_id: string } } }) => {
      if (path !== '/recipes') return { data: { recipe_digest: options!.params.path.image_id.replace('has ', '') } }
      const named = (name: string) => ({ name, title: name, is_builtin: true, digest: name, recipe: { steps: [{ transform: name }] } })
      return { data: [named('circles'), named('framed'), { ...named('mine'), is_builtin: false, recipe: own }] }
    },
    PATCH: async (_: string, { body }: { body: { ids: string[] } }) => {
      server.asked.push(body)
      return { data: { changed: body.ids, former: [{ ids: body.ids, recipe: 'former' }] } }
    },
  },
}))
vi.hoisted(() => vi.stubGlobal('localStorage', { getItem: () => null }))

beforeEach(() => void (server.asked.length = 0))

it('gives pictures that are here the chosen recipe where they have another one, with a way back', async () => {
  const { give } = await import('./given')
  const { notices } = await import('../../frame/notices.svelte')
  const found = [
    { image: 'has circles', recipe: 'framed' },
    { image: 'has framed', recipe: 'framed' },
    { image: 'has vivid', recipe: 'framed' },
    { image: 'has web', recipe: JSON.stringify(own) },
    { image: 'has mine', recipe: JSON.stringify(own) },
  ]
  expect([...(await give(found))]).toEqual(['has circles', 'has vivid', 'has web'])
  const edits = [{ ids: ['has circles', 'has vivid'], recipe: 'framed' }, { ids: ['has web'], recipe: own }]
  expect(server.asked).toEqual(edits)
  server.asked.length = 0
  void notices.all.at(-1)!.action!.run()
  await expect.poll(() => server.asked).toEqual(edits.map(({ ids }) => ({ ids, recipe: 'former' })))
})

it('changes nothing of pictures that have their recipe, or one that is not known', async () => {
  const { give } = await import('./given')
  expect((await give([{ image: 'has framed', recipe: 'framed' }, { image: 'has framed', recipe: '{"steps":[]}' }])).size).toBe(0)
  expect(server.asked).toEqual([])
})
