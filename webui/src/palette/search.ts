// Which commands match what a person types.

import type { Command } from './offers'

/** The commands that have every typed word in their names; names that begin with the text come first, then words that do. */
export function matching(commands: readonly Command[], typed: string): Command[] {
  const text = typed.trim().toLowerCase()
  const words = text.split(/\s+/)
  const found = commands.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)))
  return found.toSorted((one, other) => rank(one, text) - rank(other, text))
}

function rank({ name }: Command, text: string): number {
  const lower = name.toLowerCase()
  if (lower.startsWith(text)) return 0
  return lower.includes(` ${text}`) ? 1 : 2
}
