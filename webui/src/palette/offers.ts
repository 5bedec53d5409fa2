// What the shown view offers to the command palette.

import type { IconName } from '../parts/icons'

export interface Command {
  name: string
  icon: IconName
  /** The keys that do the same. */
  keys?: string
  run(): void
}

type Offer = () => Command[]

const offers = new Set<Offer>()

/** Adds commands while a view is shown; returns what takes them away. */
export function offer(commands: Offer): () => void {
  offers.add(commands)
  return () => void offers.delete(commands)
}

export const offered = (): Command[] => [...offers].flatMap((commands) => commands())
