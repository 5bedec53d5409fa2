import { expect, it } from 'vitest'
import { leftOf, secondsLeft } from './left'

const told = (depth: number, processing: number, last_minute: number, paused = false) => ({ queue: { depth }, images: { processing }, rate: { last_minute }, paused })

it('counts what waits and what is under way', () => {
  expect(leftOf(told(7, 3, 0))).toBe(10)
})

it('goes on at the pace of the last minute', () => {
  expect(secondsLeft(told(90, 10, 50))).toBe(120)
  expect(secondsLeft(told(0, 0, 50))).toBe(0)
})

it('is not known while nothing moves', () => {
  expect(secondsLeft(told(90, 10, 0))).toBeNull()
  expect(secondsLeft(told(90, 10, 50, true))).toBeNull()
})
