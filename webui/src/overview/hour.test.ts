import { describe, expect, it } from 'vitest'
import { ceiling, fill, sums } from './hour'

describe('the last hour', () => {
  it('has sixty minutes, and what was told in its place', () => {
    const minutes = fill([{ minute: '2026-01-01T11:58:00Z', done: 7, failed: 1, lost: 2 }], new Date('2026-01-01T12:00:30Z'))
    expect(minutes).toHaveLength(60)
    expect(minutes.at(-1)?.at).toBe('2026-01-01T12:00:00.000Z')
    expect(minutes.at(-3)).toEqual({ at: '2026-01-01T11:58:00.000Z', done: 7, failed: 3 })
    expect(sums(minutes)).toEqual({ done: 7, failed: 3 })
  })

  it('counts the attempts of lost workers as failed', () => {
    expect(sums([{ done: 7 }, { done: 1, failed: 2 }, { lost: 3 }])).toEqual({ done: 8, failed: 5 })
    expect(sums([])).toEqual({ done: 0, failed: 0 })
  })

  it('has an axis that ends at a round number', () => {
    expect([0, 5, 6, 11, 24, 99, 640].map(ceiling)).toEqual([5, 5, 10, 20, 25, 100, 1000])
  })
})
