import { describe, expect, it } from 'vitest'
import { local, span } from './span'

describe('a span', () => {
  it('is an hour from its beginning', () => {
    const { since, until } = span(local(new Date(2026, 4, 3, 14, 55), 'hour'), 'hour')
    expect(new Date(since)).toEqual(new Date(2026, 4, 3, 14))
    expect(new Date(until)).toEqual(new Date(2026, 4, 3, 15))
  })

  it('is a day from midnight to midnight', () => {
    const { since, until } = span(local(new Date(2026, 1, 28, 14, 55), 'day'), 'day')
    expect(new Date(since)).toEqual(new Date(2026, 1, 28))
    expect(new Date(until)).toEqual(new Date(2026, 2, 1))
  })
})
