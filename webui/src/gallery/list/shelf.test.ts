import { describe, expect, it } from 'vitest'
import type { Image, Marks } from '../../api/client'
import { keyOf, Shelf } from './shelf'

const image = (number: number, more: Partial<Image> = {}): Image =>
  ({ id: `id-${String(number).padStart(6, '0')}`, created_at: time(number), state: 'done', ...more }) as Image

function time(number: number): string {
  return new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString().replace('.000Z', 'Z')
}

/** `total` images, the newest with the greatest number, in pieces of `every`. */
function marks(total: number, every: number): Marks {
  const found: Marks = { marks: [], next: null }
  for (let start = 0; start < total; start += every) {
    const count = Math.min(every, total - start)
    const last = image(total - start - count)
    found.marks.push({ cursor: start ? `behind ${start}` : null, count, created_at: last.created_at, id: last.id, sort_key: null })
  }
  return found
}

const slice = (total: number, start: number, count: number) =>
  Array.from({ length: count }, (_, index) => image(total - 1 - start - index))

function shelf(total: number, every: number): Shelf {
  const made = new Shelf()
  made.adopt(marks(total, every))
  return made
}

describe('a shelf', () => {
  it('knows the length of a list of which nothing is loaded', () => {
    const long = shelf(100_000, 200)
    expect(long.size).toBe(100_000)
    expect(long.at(50_000)).toBeUndefined()
    expect(long.pieceAt(50_000)).toBe(250)
    expect(long.held).toBe(0)
  })

  it('shows a piece from the middle when it is there', () => {
    const long = shelf(1000, 100)
    long.fill(5, slice(1000, 500, 100))
    expect(long.at(500)?.id).toBe(image(499).id)
    expect(long.at(599)?.id).toBe(image(400).id)
    expect(long.at(499)).toBeUndefined()
    expect(long.indexOf(image(450).id)).toBe(549)
  })

  it('corrects the length of a piece from which images were deleted, and takes none of the next', () => {
    const long = shelf(300, 100)
    long.fill(0, slice(300, 3, 100))
    expect(long.size).toBe(297)
    expect(long.at(96)?.id).toBe(image(200).id)
    expect(long.at(97)).toBeUndefined()
  })

  it('puts new images on top', () => {
    const long = shelf(300, 100)
    long.fill(0, slice(300, 0, 100))
    expect(long.apply(image(300), true)).toBe('resized')
    expect(long.at(0)?.id).toBe(image(300).id)
    expect(long.size).toBe(301)
  })

  it('changes an image where it is, and takes it away where a filter excludes it', () => {
    const long = shelf(300, 100)
    long.fill(1, slice(300, 100, 100))
    expect(long.apply(image(150, { state: 'failed' }), true)).toBe('changed')
    expect(long.at(149)?.state).toBe('failed')
    expect(long.apply(image(150), false)).toBe('resized')
    expect(long.size).toBe(299)
  })

  it('brings a restored image back to its place', () => {
    const long = shelf(300, 100)
    long.fill(1, slice(300, 100, 100))
    long.remove(image(150).id)
    long.apply(image(150), true)
    expect(long.at(149)?.id).toBe(image(150).id)
  })

  it('leaves alone what it does not hold', () => {
    const long = shelf(300, 100)
    expect(long.apply(image(150), true)).toBe('none')
    expect(long.remove(image(150).id)).toBe('none')
    expect(long.size).toBe(300)
  })

  it('forgets what was not looked at for long, but never the top', () => {
    const long = shelf(1000, 100)
    for (let piece = 0; piece < 10; piece++) long.fill(piece, slice(1000, piece * 100, 100))
    long.at(950)
    long.forget(2)
    expect(long.held).toBe(300)
    expect([0, 1, 8, 9].map((piece) => long.isLoaded(piece))).toEqual([true, false, true, true])
    expect(long.size).toBe(1000)
  })

  it('keeps known images when the list is cut anew', () => {
    const long = shelf(300, 100)
    long.fill(0, slice(300, 0, 100))
    for (let number = 300; number < 1500; number++) long.apply(image(number), true)
    expect(long.isTopHeavy).toBe(true)
    long.adopt(marks(1500, 100))
    expect(long.isTopHeavy).toBe(false)
    expect(long.size).toBe(1500)
    expect(long.at(0)?.id).toBe(image(1499).id)
    expect(long.at(1299)?.id).toBe(image(200).id)
    expect(long.at(1300)).toBeUndefined()
  })

  it('shows what may be old until it is loaded anew', () => {
    const long = shelf(300, 100)
    for (const piece of [0, 1, 2]) long.fill(piece, slice(300, piece * 100, 100))
    long.adopt(marks(300, 100), true)
    expect([0, 1, 2].map((piece) => long.isLoaded(piece))).toEqual([false, false, false])
    expect(long.at(150)?.id).toBe(image(149).id)
    expect(long.piece(1)).toEqual({ images: null, start: 100 })
    long.adopt(marks(300, 100))
    expect(long.isLoaded(1)).toBe(false)
    long.fill(1, slice(300, 100, 100).map((each) => ({ ...each, state: 'failed' })))
    expect(long.isLoaded(1)).toBe(true)
    expect(long.at(150)?.state).toBe('failed')
  })

  it('goes on to show the top when others came on it meanwhile', () => {
    const short = shelf(10, 100)
    short.fill(0, slice(10, 0, 10))
    short.adopt(marks(12, 100), true)
    expect(short.at(0)?.id).toBe(image(9).id)
    short.fill(0, slice(12, 0, 12))
    expect(short.at(0)?.id).toBe(image(11).id)
    expect(short.size).toBe(12)
  })

  it('begins empty and grows', () => {
    const empty = shelf(0, 100)
    expect(empty.size).toBe(0)
    empty.apply(image(1), true)
    empty.apply(image(3), true)
    empty.apply(image(2), true)
    expect([0, 1, 2].map((index) => empty.at(index)?.id)).toEqual([3, 2, 1].map((number) => image(number).id))
  })

  it('takes nothing new on top of a list that ends in the past', () => {
    const past = new Shelf()
    past.isOpen = false
    past.adopt(marks(100, 100))
    past.fill(0, slice(100, 0, 100))
    expect(past.apply(image(500), true)).toBe('none')
  })
})

describe('the order', () => {
  it('is by time whether or not a time has fractions of a second', () => {
    const whole = { created_at: '2026-01-01T00:00:00Z', id: 'b' }
    const half = { created_at: '2026-01-01T00:00:00.5Z', id: 'a' }
    expect(keyOf(half) > keyOf(whole)).toBe(true)
    expect(keyOf({ ...whole, id: 'c' }) > keyOf(whole)).toBe(true)
  })

  it('is by code points, as in the database', () => {
    const keys = ['a', 'zz', '\ud7ff', '\ue000', '（', '\uffff', '😀', '😀a', '😁'].map((sort_key) => keyOf({ created_at: '', id: '', sort_key }))
    expect(keys.toSorted()).toEqual(keys)
  })

  it('gives a piece a revision that none has had before, in no other list either, when its layout changes', () => {
    const [one, other] = [shelf(100, 100), shelf(50, 100)]
    one.fill(0, slice(100, 0, 100))
    other.fill(0, slice(50, 0, 50))
    const revision = () => one.outlines()[0]!.revision
    const seen = [other.outlines()[0]!.revision, revision()]
    one.apply(image(7, { state: 'processing' } as Partial<Image>), true)
    expect(revision()).toBe(seen.at(-1))
    one.apply(image(7, { thumbnail: { width: 5, height: 4, thumbhash: null } }), true)
    seen.push(revision())
    one.remove(image(8).id)
    seen.push(revision())
    one.apply(image(200), true)
    seen.push(revision())
    expect(new Set(seen).size).toBe(seen.length)
  })
})
