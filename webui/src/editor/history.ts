// What was before, and what was undone.

/** A control that a hand holds, and when it last moved it, in milliseconds. */
export interface Gesture {
  of: string
  at: number
}

export interface Past<T> {
  now: T
  before: readonly T[]
  after: readonly T[]
  /** What made `now`; missing where that cannot go on. */
  by?: Gesture
}

const MOST = 200
/** Milliseconds between the keys of one gesture at most. */
const PAUSE = 1000

export const begin = <T>(now: T): Past<T> => ({ now, before: [], after: [] })

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

const goesOn = <T>({ by, before }: Past<T>, gesture?: Gesture): boolean =>
  !!by && !!gesture && before.length > 0 && by.of === gesture.of && gesture.at - by.at <= PAUSE

/** What there was before a gesture, which may have begun already. */
export const baseOf = <T>(past: Past<T>, gesture?: Gesture): T => (goesOn(past, gesture) ? past.before.at(-1)! : past.now)

/** Takes a step; the steps of one gesture are one. */
export function commit<T>(past: Past<T>, next: T, by?: Gesture): Past<T> {
  if (same(past.now, next)) return past
  const base = baseOf(past, by)
  const before = goesOn(past, by) ? past.before.slice(0, -1) : past.before
  if (same(base, next)) return { now: next, before, after: [] }
  return { now: next, before: [...before, base].slice(-MOST), after: [], ...(by && { by }) }
}

export function undo<T>(past: Past<T>): Past<T> {
  if (!past.before.length) return past
  return { now: past.before.at(-1)!, before: past.before.slice(0, -1), after: [past.now, ...past.after] }
}

export function redo<T>(past: Past<T>): Past<T> {
  const [next, ...after] = past.after
  return next === undefined ? past : { now: next, before: [...past.before, past.now], after }
}
