import { describe, expect, it } from 'vitest'
import { isSame, type Left, match } from './left'

const left = (name: string, size: number, modified = 1): Left => ({
  key: `${name} ${modified}`,
  owner: 'a page',
  name,
  size,
  modified,
  recipe: 'circles',
  anyway: false,
  at: 0,
  file: null,
})
const file = (name: string, size: number, lastModified = 1) => ({ name, size, lastModified }) as File

describe('uploads that were left', () => {
  it('are found again by name and size, each once', () => {
    const [one, other] = [left('a.jpg', 10), left('b.jpg', 20)]
    const chosen = [file('b.jpg', 20), file('a.jpg', 10), file('a.jpg', 10), file('a.jpg', 11)]
    const { found, others } = match([one, other], chosen)
    expect(found).toEqual([[other, chosen[0]], [one, chosen[1]]])
    expect(others).toEqual([chosen[2], chosen[3]])
  })

  it('are each looked at a few times, however many', () => {
    let looks = 0
    const many = Array.from({ length: 1000 }, (_, number) => ({
      ...left('', 3e6 + number),
      get name() {
        looks++
        return `day/${number}.jpg`
      },
    }))
    const chosen = many.map(({ size }, number) => file(`${number}.jpg`, size))
    expect(match(many, chosen).found).toHaveLength(1000)
    expect(looks).toBeLessThan(5 * 1000)
  })

  it('are told apart by the time of their files where names and sizes are the same', () => {
    const [old, young] = [left('day 1/a.jpg', 10, 1), left('day 2/a.jpg', 10, 2)]
    const { found } = match([old, young], [file('a.jpg', 10, 2), file('a.jpg', 10, 1)])
    expect(found.map(([each]) => each)).toEqual([young, old])
  })

  it('are the same whether a folder was chosen or the file in it', () => {
    expect(isSame(left('day 1/a.jpg', 10), 'a.jpg', 10)).toBe(true)
    expect(isSame(left('day 1/a.jpg', 10), 'day 1/a.jpg', 10)).toBe(true)
    expect(isSame(left('a.jpg', 10), 'a.jpg', 11)).toBe(false)
  })
})
