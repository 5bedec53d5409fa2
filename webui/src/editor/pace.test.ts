import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { PACE, Pace } from './pace'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A hand that moves every 20 ms, and work that takes a while. */
async function drag(moves: number, takes: number) {
  const begun: { wanted: number; at: number }[] = []
  let [under, most] = [0, 0]
  const pace = new Pace<number>(async (wanted) => {
    begun.push({ wanted, at: performance.now() })
    most = Math.max(most, ++under)
    await new Promise((resolve) => setTimeout(resolve, takes))
    under--
  })
  for (let move = 1; move <= moves; move++) {
    pace.ask(move)
    await vi.advanceTimersByTimeAsync(20)
  }
  const during = begun.length
  await vi.advanceTimersByTimeAsync(5000)
  return { begun, most, during, pace }
}

it('follows a hand that never rests, and ends with its last place', async () => {
  const { begun, most, during } = await drag(100, 50)
  expect(during).toBeGreaterThanOrEqual(2000 / PACE)
  expect(begun[0]!.wanted).toBe(1)
  expect(begun.at(-1)!.wanted).toBe(100)
  expect(most).toBe(1)
  for (let number = 1; number < begun.length; number++) expect(begun[number]!.at - begun[number - 1]!.at).toBeGreaterThanOrEqual(PACE)
})

it('does slow work one piece at a time', async () => {
  const { begun, most } = await drag(100, 700)
  expect(begun.length).toBeLessThanOrEqual(4)
  expect(begun.at(-1)!.wanted).toBe(100)
  expect(most).toBe(1)
})

it('begins nothing after its end', async () => {
  const { begun, pace } = await drag(1, 50)
  pace.ask(2)
  pace.end()
  await vi.advanceTimersByTimeAsync(1000)
  expect(begun).toHaveLength(1)
})
