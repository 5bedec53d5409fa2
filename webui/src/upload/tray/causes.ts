// Why files were refused, each cause once.

import type { Entry } from '../transfer/queue'

export interface Cause {
  why: string
  names: string[]
}

/** The causes that at least so many files share, the most frequent first. */
export function causes(entries: Iterable<Pick<Entry, 'state' | 'why' | 'name'>>, least: number): Cause[] {
  const found = new Map<string, string[]>()
  for (const { state, why, name } of entries) {
    if (state !== 'refused') continue
    const names = found.get(why)
    if (names) names.push(name)
    else found.set(why, [name])
  }
  return [...found].map(([why, names]) => ({ why, names })).filter(({ names }) => names.length >= least).sort((one, other) => other.names.length - one.names.length)
}
