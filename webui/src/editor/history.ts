// What was before, and what was undone.

export interface Past<T> {
  now: T
  before: readonly T[]
  after: readonly T[]
}

const MOST = 200

export const begin = <T>(now: T): Past<T> => ({ now, before: [], after: [] })

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

export function commit<T>(past: Past<T>, next: T): Past<T> {
  if (same(past.now, next)) return past
  return { now: next, before: [...past.before, past.now].slice(-MOST), after: [] }
}

export function undo<T>(past: Past<T>): Past<T> {
  if (!past.before.length) return past
  return { now: past.before.at(-1)!, before: past.before.slice(0, -1), after: [past.now, ...past.after] }
}

export function redo<T>(past: Past<T>): Past<T> {
  const [next, ...after] = past.after
  return next === undefined ? past : { now: next, before: [...past.before, past.now], after }
}
