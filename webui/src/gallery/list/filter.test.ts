import { describe, expect, it } from 'vitest'
import type { Image } from '../../api/client'
import { belongs, EVERYTHING, isEverything, query, read, until, write } from './filter'

const image = (more: Partial<Image>) =>
  ({ state: 'done', filename: 'Harbour.jpg', recipe_name: 'circles', recipe_digest: 'd', ...more }) as Image

describe('the filter', () => {
  it('stands in the address and comes back from it', () => {
    const filter = { ...EVERYTHING, state: 'failed' as const, name: 'a & b', from: '2026-02-01', favourites: true, sort: '-size' as const }
    expect(read(write(filter).slice(1))).toEqual(filter)
    expect(write(EVERYTHING)).toBe('/')
  })

  it('ignores what no person could have chosen', () => {
    expect(read('?state=lost&from=yesterday&sort=colour')).toEqual(EVERYTHING)
  })

  it('lets a last day be included', () => {
    const filter = { ...EVERYTHING, from: '2026-02-01', to: '2026-02-01' }
    expect(Date.parse(until(filter)!) - Date.parse(query(filter).since!)).toBe(86_400_000)
    expect(belongs(filter, image({ created_at: new Date(2026, 1, 1, 23, 59).toISOString() }))).toBe(true)
    expect(belongs(filter, image({ created_at: new Date(2026, 1, 2, 0, 0).toISOString() }))).toBe(false)
  })

  it('finds names as the API does: any part, whichever case', () => {
    expect(belongs({ ...EVERYTHING, name: 'HARB' }, image({}))).toBe(true)
    expect(belongs({ ...EVERYTHING, name: 'port' }, image({}))).toBe(false)
  })

  it('leaves out what has no star, if favourites are wanted', () => {
    const filter = { ...EVERYTHING, favourites: true }
    expect(query(filter)).toEqual({ favourites: true })
    expect(belongs(filter, image({ favourite: true }))).toBe(true)
    expect(belongs(filter, image({ favourite: false }))).toBe(false)
    expect(isEverything(filter)).toBe(false)
  })

  it('shows nothing in the trash that has changed outside', () => {
    const filter = { ...EVERYTHING, trash: true }
    expect(read(write(filter).slice(1))).toEqual(filter)
    expect(query(filter)).toEqual({ trash: true })
    expect(belongs(filter, image({}))).toBe(false)
    expect(isEverything(filter)).toBe(false)
  })

  it('knows that an order is no restriction', () => {
    expect(isEverything({ ...EVERYTHING, sort: 'name' })).toBe(true)
    expect(isEverything({ ...EVERYTHING, recipe: 'circles' })).toBe(false)
  })
})
