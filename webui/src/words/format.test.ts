import { expect, it } from 'vitest'
import { formats } from './format'

const at = (...time: [number, number, number, number, number]) => new Date(...time).toISOString()
/** Some of the spaces do not break. */
const plain = (text: string) => text.replace(/\s/g, ' ')

it('tells the date of a time that is not of today', () => {
  const { clockOf, sinceOf } = formats('en-US')
  const now = new Date(2026, 1, 3, 0, 30)
  expect(sinceOf(at(2026, 1, 3, 0, 9), now)).toBe(clockOf(at(2026, 1, 3, 0, 9)))
  expect(plain(sinceOf(at(2026, 1, 2, 1, 9), now))).toBe('Feb 2, 2026, 1:09 AM')
  expect(plain(sinceOf(at(2025, 1, 3, 1, 9), now))).toBe('Feb 3, 2025, 1:09 AM')
})

it('writes numbers and times as they are written where the browser is', () => {
  const [here, there] = [formats('en-US'), formats('de-DE')]
  expect([here.count(25_395), here.bytes(25_395), here.duration(2.5)]).toEqual(['25,395', '24.8 KB', '2.5 s'])
  expect([there.count(25_395), there.bytes(25_395), there.duration(2.5)]).toEqual(['25.395', '24,8 KB', '2,5 s'])
  expect(plain(here.clockOf(at(2026, 1, 3, 14, 9)))).toBe('2:09 PM')
  expect(there.clockOf(at(2026, 1, 3, 14, 9))).toBe('14:09')
  expect(there.namedDayOf(at(2026, 1, 3, 14, 9), new Date(2027, 0, 1))).toBe('Dienstag, 3. Februar 2026')
})

it('calls near days by their names', () => {
  const { namedDayOf } = formats('en-US')
  const now = new Date(2026, 2, 1, 0, 30)
  expect(namedDayOf(at(2026, 2, 1, 0, 9), now)).toBe('Today')
  expect(namedDayOf(at(2026, 1, 28, 23, 9), now)).toBe('Yesterday')
  expect(namedDayOf(at(2026, 1, 27, 12, 0), now)).toBe('Friday, February 27')
  expect(namedDayOf(at(2025, 11, 31, 12, 0), now)).toBe('Wednesday, December 31, 2025')
})
