// The files that wait for a recipe: the first of them, small, and the one that every recipe is shown with.

import type { RecipeInfo } from '../../api/client'
import { type Copy, copyOf, made } from './copy'

/** Files that are shown at most. */
export const SHOWN = 12
/** Previews that are asked for at once; the server draws few at a time. */
const AT_ONCE = 2

interface Sample {
  file: File
  copy: Copy
}

class Chosen {
  all = $state.raw<Sample[]>([])
  sample = $state.raw<Sample | null>(null)
  /** Whether there may be a sample soon. */
  isLooking = $state(false)
  #round = 0
  #digests = new WeakMap<File, Promise<string | null>>()
  #queue: Promise<unknown>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve())
  #turn = 0

  /** Shows the first files that are pictures to the browser. */
  async look(coming: Promise<File[]>): Promise<void> {
    const round = ++this.#round
    this.#forget()
    this.isLooking = true
    for (const file of await coming) {
      const copy = await copyOf(file)
      if (round !== this.#round) return copy ? URL.revokeObjectURL(copy.address) : undefined
      if (!copy) continue
      this.all = [...this.all, { file, copy }]
      this.sample ??= this.all[0]!
    }
    if (round === this.#round) this.isLooking = false
  }

  /** The address of what a recipe makes of the sample, which the caller revokes; few are made at a time. */
  made(recipe: RecipeInfo, signal: AbortSignal): Promise<string> {
    const sample = this.sample!
    const lane = this.#turn++ % AT_ONCE
    const making = this.#queue[lane]!.then(async () => {
      signal.throwIfAborted()
      return made(sample.copy, recipe, await this.#digestOf(sample.file), signal)
    })
    this.#queue[lane] = making.catch(() => undefined)
    return making
  }

  end(): void {
    this.#round++
    this.isLooking = false
    this.#forget()
  }

  #forget(): void {
    for (const { copy } of this.all) URL.revokeObjectURL(copy.address)
    this.all = []
    this.sample = null
  }

  /** What is random looks as it will; a file that cannot be read is refused by its upload. */
  #digestOf(file: File): Promise<string | null> {
    const known = this.#digests.get(file)
    if (known) return known
    const asked = import('../../upload/offer/digests').then(({ digest }) => digest(file)).catch(() => null)
    this.#digests.set(file, asked)
    return asked
  }
}

export const chosen = new Chosen()
