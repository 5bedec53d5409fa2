import { expect, it } from 'vitest'
import { remainingOf, secondsRemaining } from './remaining'

const told = (depth: number, processing: number, last_minute: number, paused = false) => ({ queue: { depth }, images: { processing }, rate: { last_minute }, paused })

it('counts what waits and what is under way', () => {
  expect(remainingOf(told(7, 3, 0))).toBe(10)
})

it('goes on at the pace of the last minute', () => {
  expect(secondsRemaining(told(90, 10, 50))).toBe(120)
  expect(secondsRemaining(told(0, 0, 50))).toBe(0)
})

it('is not known while nothing moves', () => {
  expect(secondsRemaining(told(90, 10, 0))).toBeNull()
  expect(secondsRemaining(told(90, 10, 50, true))).toBeNull()
})
