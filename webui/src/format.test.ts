import { expect, it } from 'vitest'
import { clockOf, sinceOf } from './format'

it('tells the date of a time that is not of today', () => {
  const now = new Date(2026, 1, 3, 0, 30)
  const at = (...time: [number, number, number, number, number]) => new Date(...time).toISOString()
  expect(sinceOf(at(2026, 1, 3, 0, 9), now)).toBe(clockOf(at(2026, 1, 3, 0, 9)))
  expect(sinceOf(at(2026, 1, 2, 1, 9), now)).toBe('Feb 2, 2026, 01:09')
  expect(sinceOf(at(2025, 1, 3, 1, 9), now)).toBe('Feb 3, 2025, 01:09')
})
