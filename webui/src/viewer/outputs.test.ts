import { expect, it } from 'vitest'
import { outputsOf } from './outputs'

const output = (name: string, bytes: number) => ({
  name,
  media_type: 'image/webp',
  width: 640,
  height: 480,
  bytes,
  sha256: '0'.repeat(64),
  recipe_digest: '0'.repeat(64),
  url: `images/1/outputs/${name}?v=12`,
})

it('lists several outputs with the bytes that each saves, and where to download them', () => {
  const [large, small] = outputsOf({ bytes: 1000, outputs: [output('large', 1500), output('small', 250)] })
  expect(large).toMatchObject({ name: 'large', type: 'WEBP', saved: -0.5 })
  expect(small).toMatchObject({ saved: 0.75, download: '/api/images/1/outputs/small?v=12&download=true' })
})

it('lists nothing beside the only output', () => {
  expect(outputsOf({ bytes: 1000, outputs: [output('processed', 250)] })).toEqual([])
})
