// The last hour, minute by minute, also where nothing happened.

export interface Minute {
  at: string
  done: number
  failed: number
}

interface Told {
  minute: string
  done?: number
  failed?: number
  lost?: number
}

/** Sixty minutes up to now, oldest first. */
export function fill(told: Told[], now: Date): Minute[] {
  const byTime = new Map(told.map((each) => [Date.parse(each.minute), each]))
  const last = Math.floor(now.getTime() / 60_000) * 60_000
  return Array.from({ length: 60 }, (_, index) => {
    const at = last - (59 - index) * 60_000
    const found = byTime.get(at)
    return { at: new Date(at).toISOString(), ...sums(found ? [found] : []) }
  })
}

/** What was done in these minutes, and how many attempts failed, those of lost workers included. */
export function sums(told: readonly Omit<Told, 'minute'>[]): { done: number; failed: number } {
  const sum = (of: (minute: Omit<Told, 'minute'>) => number) => told.reduce((total, minute) => total + of(minute), 0)
  return { done: sum(({ done }) => done ?? 0), failed: sum(({ failed, lost }) => (failed ?? 0) + (lost ?? 0)) }
}

/** A round number that holds the greatest value of an axis. */
export function ceiling(most: number): number {
  if (most <= 5) return 5
  const power = 10 ** Math.floor(Math.log10(most))
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= most)!
}
