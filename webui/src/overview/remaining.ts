// How long the pictures that are not done yet will take.

import type { Stats } from '../api/client'

type Told = Pick<Stats, 'paused'> & { queue: { depth: number }; images: { processing: number }; rate: { last_minute: number } }

export const remainingOf = ({ queue, images }: Pick<Told, 'queue' | 'images'>): number => queue.depth + images.processing

/** Seconds at the pace of the last minute; null if nothing moves. */
export function secondsRemaining(told: Told): number | null {
  const pace = told.rate.last_minute
  return told.paused || !pace ? null : Math.ceil((60 * remainingOf(told)) / pace)
}
