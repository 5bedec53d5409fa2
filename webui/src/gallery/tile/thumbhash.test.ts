import { expect, it } from 'vitest'
import { addressOf, draw } from './thumbhash'

/** What the reference draws of the same hashes, at some places. */
const REFERENCE: [string, number, number, [x: number, y: number, pixel: number[]][]][] = [
  ['kQkKFZRwd3eAiIiHiHiIiHQFB/eH', 32, 23, [[0, 0, [19, 21, 6, 255]], [31, 0, [190, 0, 11, 255]], [16, 11, [99, 90, 39, 255]], [3, 22, [0, 183, 24, 255]]]],
  ['0WkNJByEB4iIiId4eHiJQFf4iA==', 18, 32, [[0, 0, [42, 0, 9, 255]], [17, 0, [100, 0, 8, 255]], [9, 16, [40, 138, 27, 255]], [3, 31, [16, 255, 20, 255]]]],
  ['j8mJFRIdcneAiId4iHYgJ/eIf4iHiHeIiA==', 32, 32, [[0, 0, [12, 10, 0, 255]], [31, 0, [121, 0, 10, 184]], [16, 16, [73, 103, 31, 231]], [3, 31, [0, 186, 12, 245]]]],
]

it.each(REFERENCE)('%s looks as the reference draws it', (hash, width, height, places) => {
  const pixels = draw(hash, width, height)
  expect(pixels).toHaveLength(width * height * 4)
  for (const [x, y, expected] of places) {
    const at = (y * width + x) * 4
    for (const [number, value] of pixels.slice(at, at + 4).entries()) expect(Math.abs(value - expected[number]!)).toBeLessThanOrEqual(1)
  }
})

it('is a picture that browsers show', () => {
  const file = atob(addressOf(REFERENCE[0]![0]).split(',')[1]!)
  expect(file.slice(0, 2)).toBe('BM')
  expect(file).toHaveLength(54 + 16 * 16 * 3)
  // the last row of the file is the first of the picture, as blue, green, red
  const corner = draw(REFERENCE[0]![0], 16, 16).slice(0, 3)
  expect([...file.slice(54 + 15 * 16 * 3).slice(0, 3)].map((letter) => letter.charCodeAt(0)).reverse()).toEqual([...corner])
})
